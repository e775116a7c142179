"""What to ask people next: uncertainty and diversity."""
