"""Worlds whose truth is known exactly; always shown as synthetic."""
