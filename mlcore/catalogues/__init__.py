"""Lists of craters beside each other: matching."""
