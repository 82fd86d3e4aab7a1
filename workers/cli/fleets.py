"""Real fleets: the embedded broker, the workers of the runtime, the roster of roles."""
