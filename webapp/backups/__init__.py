"""Backups of database and media that belong together, and restoring them. bin/backup and bin/restore."""
