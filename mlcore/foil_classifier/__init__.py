"""The foil classifier: a small convolutional network that tells pictures with a crater from those without."""
