"""Known pictures: made, kept, watched, and what answers to them say."""
