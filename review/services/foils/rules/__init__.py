"""Stopping rules: set, tried beforehand, replayed, simulated, and undone."""
