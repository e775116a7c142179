"""Judging: who is shown what, who they are, and what becomes of an answer."""
