"""The orchestrator: folds a run's facts and says what they call for."""
