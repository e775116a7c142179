"""From many people's marks to one settled feature."""
