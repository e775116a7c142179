"""Rasters: reading, converting, cutting, deriving."""
