"""The crater detector: a region-based network on hillshade, slope and profile curvature."""
