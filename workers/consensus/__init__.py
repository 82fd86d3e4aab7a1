"""Consensus: votes are facts, and a decision is a pure count of them in the order of the log."""
