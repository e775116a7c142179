"""Files that scientists exchange, in and out."""
