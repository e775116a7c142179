"""Foils: pictures in, judged by many people, and what scientists get of it."""
