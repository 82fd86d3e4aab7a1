"""Pictures as SVG: functions of what is known, with no script and nothing fetched from elsewhere."""
