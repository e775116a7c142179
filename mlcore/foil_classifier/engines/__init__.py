"""Engines: the libraries that can score with a trained network, and which of them does it here.

Each has a module of its own whose import fails where the library is missing; torch, which trained the
network, always stands. In float32 all agree to 1e-3; bfloat16 and int8 are taken only where they
change no decision.
"""

from mlcore.foil_classifier.engines.choosing import AUTO, DEVICES, ENGINES, PRECISIONS, Choice, choose
from mlcore.foil_classifier.engines.engine import Engine

__all__ = ["AUTO", "DEVICES", "ENGINES", "PRECISIONS", "Choice", "Engine", "choose"]
