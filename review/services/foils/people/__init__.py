"""People who judge: what they see, and whose answers are set aside."""
