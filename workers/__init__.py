"""The workers: every role and service is an independent consumer of the bus."""
