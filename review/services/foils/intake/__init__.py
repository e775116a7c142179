"""Pictures in: sent, looked through, confirmed, read by a worker."""
