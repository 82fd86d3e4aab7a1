"""The `flotilla` command: start a fleet, hand it an idea, follow what is said about it, fetch what it made."""
