"""Results: the log reckoned, and what scientists get of it."""
