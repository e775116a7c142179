"""Which pictures people see: scores, the threshold, and the audit of what it holds back."""
