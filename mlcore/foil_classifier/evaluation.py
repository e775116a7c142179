"""Measuring the classifier on a held-out side: sensitivity, specificity, calibration, threshold, the curve.

The held-out craters are that side's cut-outs, pasted on that side's blanks by the published recipe whatever
the training's own: figures of two models are of the same images. That measures what pasting makes of
craters; the paper's network found 99.8 % of such and 18 of 27 true ones. Confirmed craters, real ones, are
told apart.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mlcore.foil_classifier.config import PRESETS
from mlcore.foil_classifier.data import Pictures, cut_outs_of
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE, FoilDataset, FoilEntry
from mlcore.foil_classifier.model import FoilClassifier
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.pasting import CutOut, of_box, paste
from mlcore.foil_classifier.probability import logit_of, probability
from mlcore.foil_classifier.recipe import Recipe
from mlcore.formats.pictures import Grey
from mlcore.metrics.calibration import fit_platt
from mlcore.metrics.intervals import clopper_pearson

Floats = NDArray[np.float64]

# The images of a side are the same for every model.
SEED = 20260
# A calibration that changes nothing: slope, intercept.
AS_IT_IS = (1.0, 0.0)
# Fewer of either kind say nothing about a threshold or a probability.
LEAST_TO_TELL = 20
# What the paper's triage used (seeds/stardust-foils.txt).
USUAL_THRESHOLD = 0.01
# Pixels scored at a time.
BATCH_PIXELS = 16 * 384 * 512
# Thresholds of the curve: logits from −9.2 (0.0001) to 9.2.
CURVE_LOGITS = np.linspace(-9.2, 9.2, 93)


@dataclass(frozen=True)
class Scored:
    """Calibrated logits of the images of a side.

    Attributes:
        blank: (n,) without a crater.
        pasted: (m,) with one pasted.
        confirmed: Whole pictures of confirmed craters.
        look_alike: Pictures that were taken for craters.
        control: With blank foil pasted in a crater's outline: whoever sees these sees the pasting.
    """

    blank: Floats
    pasted: Floats
    confirmed: Floats
    look_alike: Floats
    control: Floats

    def calibrated(self, slope: float, intercept: float) -> "Scored":
        """With every logit z become slope · z + intercept."""
        return Scored(*(slope * getattr(self, f.name) + intercept for f in fields(self)))


def logits(model: FoilClassifier, pictures: Iterator[Grey] | Sequence[Grey]) -> Floats:
    """(n,) what the network says of each picture; pictures of one shape go together."""
    device = next(model.parameters()).device
    waiting = defaultdict[tuple[int, ...], list[tuple[int, NDArray[np.float32]]]](list)
    found: dict[int, float] = {}
    was_training = model.training
    model.eval()

    def score(batch: list[tuple[int, NDArray[np.float32]]]) -> None:
        images = torch.from_numpy(np.stack([image for _, image in batch])[:, None]).to(device)
        values = model(images.contiguous(memory_format=torch.channels_last)).double().cpu().numpy()
        found.update(zip((number for number, _ in batch), values.tolist(), strict=True))
        batch.clear()

    with torch.no_grad():
        for number, picture in enumerate(pictures):
            batch = waiting[picture.shape]
            batch.append((number, normalise(picture)))
            if (len(batch) + 1) * picture.size > BATCH_PIXELS:
                score(batch)
        for batch in waiting.values():
            if batch:
                score(batch)
    model.train(was_training)
    return np.array([found[number] for number in range(len(found))])


def pasted_pictures(dataset: FoilDataset, side: str, most: int) -> Iterator[Grey]:
    """A side's cut-outs on that side's blanks, by the published recipe; the same ones every time.

    Args:
        dataset: Holds both.
        side: Whose.
        most: At most so many; else as many as there are blanks.
    """
    return _pasted(dataset, side, most, cut_outs_of(dataset, side))


def control_pictures(dataset: FoilDataset, side: str, most: int) -> Iterator[Grey]:
    """As pasted_pictures, with foil of other blanks in the outlines instead of craters."""
    pictures, blanks = Pictures(dataset), _chosen(dataset, BLANK, side, most)
    found = []
    for number, entry in enumerate(dataset.of(CUT_OUT, side)):
        alpha, random = dataset.alpha(entry), np.random.default_rng((SEED, 1, number))
        large = [blank for blank in blanks if np.all(np.array(blank.shape) >= entry.shape)]
        if alpha is None or not entry.diameter_px or not large:
            continue
        foil = pictures.pixels(large[int(random.integers(len(large)))])
        top, left = (int(random.integers(n - m + 1)) for n, m in zip(foil.shape, alpha.shape, strict=True))
        piece = foil[top : top + alpha.shape[0], left : left + alpha.shape[1]]
        found.append(of_box(piece, alpha, entry.diameter_px, entry.nm_per_px))
    return _pasted(dataset, side, most, found)


def _pasted(dataset: FoilDataset, side: str, most: int, cut_outs: list[CutOut]) -> Iterator[Grey]:
    pictures = Pictures(dataset)
    if not cut_outs:
        return
    recipe = Recipe(cut_outs, PRESETS["paper"])
    for number, entry in enumerate(_chosen(dataset, BLANK, side, most)):
        random = np.random.default_rng((SEED, number))
        ground = pictures.pixels(entry)
        patch, size_px = recipe.draw(random, float(min(ground.shape)), entry.nm_per_px)
        x, y = (
            float(random.uniform(margin, edge - margin))
            for edge, margin in ((edge, min(size_px / 2.0, edge / 2.0)) for edge in ground.shape[::-1])
        )
        yield paste(ground, patch, x, y, random, grain_of_ground=pictures.grain(entry))


def _chosen(dataset: FoilDataset, kind: str, side: str, most: int) -> list[FoilEntry]:
    """By the hash of their pixels, which has nothing to do with what they show."""
    return sorted(dataset.of(kind, side), key=lambda entry: entry.pixels)[:most]


def score_side(
    model: FoilClassifier,
    dataset: FoilDataset,
    side: str,
    most: int,
    report: Callable[[float], None] = lambda _: None,
) -> Scored:
    """Score what a side has to be measured on; raw logits.

    Args:
        model: The network.
        dataset: Verified.
        side: "train", "validation" or "test".
        most: Images of a kind.
        report: Called with the share done.
    """

    def whole(kind: str) -> Iterator[Grey]:
        return (dataset.pixels(entry) for entry in _chosen(dataset, kind, side, most))

    found = []
    for done, pictures in enumerate(
        (
            whole(BLANK),
            pasted_pictures(dataset, side, most),
            whole(CRATER),
            whole(LOOK_ALIKE),
            control_pictures(dataset, side, most),
        )
    ):
        found.append(logits(model, pictures))
        report((done + 1) / 5.0)
    return Scored(*found)


def fixed_pictures(dataset: FoilDataset, most: int) -> list[Grey]:
    """Some of the validation side's blanks, and as many with a crater pasted; always the same ones.

    Args:
        dataset: Verified.
        most: Of each kind.
    """
    blanks = [dataset.pixels(entry) for entry in _chosen(dataset, BLANK, "validation", most)]
    return [*blanks, *pasted_pictures(dataset, "validation", most)]


def can_tell(scored: Scored) -> bool:
    """Whether a side has enough of both kinds to choose a threshold on."""
    return min(len(scored.blank), len(scored.pasted)) >= LEAST_TO_TELL


def fit_calibration(scored: Scored) -> tuple[float, float]:
    """Slope and intercept that make logits those of probabilities; (1, 0) where too little is there to tell.

    The probability is that among as many images with a crater as without. On foil a crater is rarer by
    orders: what is calibrated to a survey's own share comes from people's verdicts, not from here.
    """
    if not can_tell(scored):
        return AS_IT_IS
    raw = np.concatenate([scored.blank, scored.pasted])
    has_crater = np.arange(len(raw)) >= len(scored.blank)
    fitted = fit_platt(raw, has_crater)
    # A flat line would give every image the same score, and the ranking would be lost.
    return (fitted.slope, fitted.intercept) if fitted.slope > 0.01 else AS_IT_IS


def choose_threshold(scored: Scored, sensitivity: float) -> float | None:
    """The highest probability that keeps a share of the pasted craters.

    Args:
        scored: Calibrated, of the validation side.
        sensitivity: The share, 0 to 1.

    Returns:
        None where there is too little to tell.
    """
    if not can_tell(scored):
        return None
    best_first = np.sort(scored.pasted)[::-1]
    kept = max(1, int(np.ceil(sensitivity * len(best_first))))
    # A hair lower, so that rounding on the way through a file does not lose the last one.
    return float(np.clip(probability(best_first[kept - 1] - 1e-6, AS_IT_IS), 1e-6, 1.0 - 1e-6))


def metrics(scored: Scored, threshold: float) -> dict[str, Any] | None:
    """What the card says about a side; None where it has neither blanks nor craters.

    Args:
        scored: Calibrated.
        threshold: Probability from which an image goes to people.

    Returns:
        sensitivity (of pasted craters) and specificity with Clopper–Pearson 95 % intervals and counts, auc,
        the same of confirmed craters, look-alikes and the control, and curve: a list of {threshold, n_lost,
        n_craters, lost, n_removed, n_blanks, removed}.
    """
    if not len(scored.blank) and not len(scored.pasted) and not len(scored.confirmed):
        return None
    at = logit_of(threshold)
    kept, removed = int((scored.pasted >= at).sum()), int((scored.blank < at).sum())
    return {
        **_share("sensitivity", kept, len(scored.pasted)),
        **_share("specificity", removed, len(scored.blank)),
        "n_craters": len(scored.pasted),
        "n_found": kept,
        "n_blanks": len(scored.blank),
        "n_removed": removed,
        "auc": _auc(scored.pasted, scored.blank),
        "confirmed": _counted("sensitivity", int((scored.confirmed >= at).sum()), len(scored.confirmed)),
        "look_alikes": _counted("specificity", int((scored.look_alike < at).sum()), len(scored.look_alike)),
        "control": _counted("specificity", int((scored.control < at).sum()), len(scored.control)),
        "curve": curve(scored),
    }


def _share(name: str, k: int, n: int) -> dict[str, Any]:
    """A share with its interval; None where nothing was counted."""
    return {name: k / n if n else None, f"{name}_interval": list(clopper_pearson(k, n)) if n else None}


def _counted(name: str, k: int, n: int) -> dict[str, Any]:
    return {**_share(name, k, n), "n": n, "n_right": k}


def curve(scored: Scored) -> list[dict[str, Any]]:
    """What each threshold would remove of the blanks and lose of the pasted craters."""
    points = []
    for at in CURVE_LOGITS:
        lost, removed = int((scored.pasted < at).sum()), int((scored.blank < at).sum())
        points.append(
            {
                "threshold": round(float(probability(at, AS_IT_IS)), 6),
                "n_lost": lost,
                "n_craters": len(scored.pasted),
                "lost": lost / len(scored.pasted) if len(scored.pasted) else None,
                "n_removed": removed,
                "n_blanks": len(scored.blank),
                "removed": removed / len(scored.blank) if len(scored.blank) else None,
            }
        )
    return points


def _auc(positive: Floats, negative: Floats) -> float | None:
    """The chance that a picture with a crater scores higher than one without; ties count half."""
    if not len(positive) or not len(negative):
        return None
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left")
    up_to = np.searchsorted(ordered, positive, "right")
    return float((below + up_to).mean() / 2.0 / len(negative))
