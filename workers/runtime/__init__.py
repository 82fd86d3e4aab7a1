"""What every worker stands on: settings, topology, leases, the log, errors, telemetry, health."""
