"""Benchmarks: Flotilla side by side with a reference, in the same run, as ratios."""
