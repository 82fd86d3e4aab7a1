"""The timekeeper: deadlines that have passed become facts."""
