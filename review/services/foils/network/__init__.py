"""The foil network: what it learns from, its trainings, and its scores of pictures."""
