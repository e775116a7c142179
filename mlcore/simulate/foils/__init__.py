"""Images of foil in an electron microscope, with craters known exactly; always shown as synthetic.

Frozen: `version()` hashes the modules of this folder, its value is pinned by a test and stored with whatever
is made from them. No real image was at hand when it was written; what is modelled is what the published
descriptions name: bowls with a raised lip at 0.2 to 5 µm, in rolled foil with lines, scratches, pits and dust
(Kearsley et al. 2008, MAPS 43, 41; Stroud et al. 2014, MAPS 49, 1698). Anything measured on these images is a
figure about this simulator.
"""

import hashlib
from pathlib import Path

from mlcore.simulate.foils.craters import APART, SHOWN, Crater, Family
from mlcore.simulate.foils.exposure import Exposure, draw_exposure, expose
from mlcore.simulate.foils.scene import FoilParameters, LookAlike, Scene, make_scene

__all__ = [
    "APART",
    "SHOWN",
    "Crater",
    "Exposure",
    "Family",
    "FoilParameters",
    "LookAlike",
    "Scene",
    "draw_exposure",
    "expose",
    "make_scene",
    "version",
]


def version() -> str:
    """SHA-256 of this folder's modules: what the frozen simulator is."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()
