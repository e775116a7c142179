"""Craters on real lunar elevation, each region tested when held out."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import crater_folds as folds
from benchmarks import lunar_regions as lunar
from benchmarks import template_matching
from benchmarks.crater_scores import CATALOGUE_RULE, Compared, compare, figures, pooled
from benchmarks.lunar_regions import Region
from benchmarks.record import VAR, Result
from mlcore import api
from mlcore.crater_detector.cutting import PixelBox, cut_samples
from mlcore.dataset import Sample
from mlcore.simulate.terrain import TRAIN_RANGES, draw_parameters, make_world
from mlcore.split import TEST, TRAIN

ID = "loop.detector-real"
CLAIM = "Finds 0.85 of a real region's craters at precision 0.80, on regions that it was not trained on."
FOLDER = VAR / "loop_detector_real"
FOLDS = ("gassendi", "farside")
SHOWN = ("copernicus", "tycho")
RECALL, PRECISION = 0.85, 0.80
# Cells of the split: validation cells choose the threshold. The dataset's test cells are given to training,
# for the fold is tested on another region.
BLOCK_DEG = 2.5
WORLDS, WORLD_PX = 4, 1024
STEPS = 5000
VIEWS = 4
SEED = 1


def _samples(
    regions: list[str], hidden: str | None, worlds: int, world_px: int, folder: Path
) -> Iterator[Sample]:
    """Regions, generated worlds and, with one region hidden in it, the global picture."""
    for name in regions:
        region = lunar.load_region(name)
        yield from cut_samples(
            region.path, region.grid, searched=folds.whole_grid(region.grid),
            craters=folds.circles(region.truth), block_deg=BLOCK_DEG, min_diameter_m=lunar.MIN_DIAMETER_M,
        )  # fmt: skip
    if hidden:
        path = folder / "picture.tif"
        grid = lunar.write_picture(path, [lunar.load_region(hidden).bounds()])
        top, bottom = (
            float(grid.pixel(0.0, lat)[1]) for lat in (lunar.PICTURE_MAX_LAT, -lunar.PICTURE_MAX_LAT)
        )
        yield from cut_samples(
            path, grid, searched=[PixelBox(0, top, grid.width_px, bottom - top)],
            craters=folds.circles(lunar.head_craters()), block_deg=BLOCK_DEG,
            min_diameter_m=lunar.HEAD_MIN_DIAMETER_M,
        )  # fmt: skip
    made = [make_world(draw_parameters(TRAIN_RANGES, seed, size_px=world_px), seed) for seed in range(worlds)]
    yield from folds.world_samples(made, folder, BLOCK_DEG)


def _dataset(folder: Path, regions: list[str], hidden: str | None, worlds: int, world_px: int) -> Path:
    def given_to_training(to: Path) -> Iterator[Sample]:
        for sample in _samples(regions, hidden, worlds, world_px, to):
            yield replace(sample, side=np.where(sample.side == TEST, TRAIN, sample.side).astype(np.uint8))

    return folds.frozen(
        folder,
        given_to_training,
        block_deg=BLOCK_DEG,
        min_diameter_m=lunar.MIN_DIAMETER_M,
        provenance={"held_out": hidden or "tycho"},
    )


def fold_dataset(held_out: str) -> Path:
    """The dataset of a fold: everything but the region held out."""
    others = [name for name in lunar.REGIONS if name != held_out]
    return _dataset(FOLDER / held_out, others, held_out, WORLDS, WORLD_PX)


def _compared(region: Region, detections: list[api.Detection]) -> Compared:
    whole = region.whole(region.truth)
    lists = list(region.lists.values())
    return compare(detections, region.truth, whole, lists, CATALOGUE_RULE, lunar.MIN_DIAMETER_M)


def _by_size(region: Region, compared: Compared, threshold: float) -> dict[str, str]:
    """Found of all, by diameter in km."""
    shown = (compared.score >= threshold) & (compared.in_truth >= 0)
    hit = np.zeros(len(compared.asked), bool)
    hit[compared.in_truth[shown]] = True
    counts = {}
    for low, high in ((5, 10), (10, 20), (20, 50), (50, 500)):
        bin_ = compared.asked & (region.truth[:, 2] >= low * 1e3) & (region.truth[:, 2] < high * 1e3)
        counts[f"{low}–{high} km"] = f"{int((hit & bin_).sum())} of {int(bin_.sum())}"
    return counts


def _peer_threshold(held_out: str) -> float:
    """Template matching's one number, chosen for the best F1 on all the other regions together."""
    others = [lunar.load_region(name) for name in lunar.REGIONS if name != held_out]
    return pooled(
        [
            _compared(other, template_matching.search(other.path, other.grid, lunar.MIN_DIAMETER_M))
            for other in others
        ]
    ).best_threshold()


def _fold(held_out: str) -> tuple[dict[str, object], dict[str, object]]:
    """Ours and the peer on one region held out."""
    region = lunar.load_region(held_out)
    dataset = fold_dataset(held_out)
    artifact, times = folds.trained(FOLDER / held_out, dataset, {"steps": STEPS, "views": VIEWS}, SEED)
    threshold = api.read_card(artifact).threshold
    ours = _compared(region, folds.search(artifact, region.path, region.grid, lunar.MIN_DIAMETER_M))
    unmatched = ours.unmatched(threshold)
    folds.picture(FOLDER / f"unmatched_{held_out}.png", region.path, region.grid, unmatched, SEED)
    shown = {}
    for name in SHOWN:
        other = lunar.load_region(name)
        found = folds.search(artifact, other.path, other.grid, lunar.MIN_DIAMETER_M)
        tally = _compared(other, found).tally(threshold)
        shown[name] = f"{tally.n_truth_hit} of {tally.n_truth}, {tally.n_found} detections (seen in training)"
    ours_figures = {
        **figures(ours.tally(threshold)),
        "precision_if_4.7_to_5_km_must_match": round(ours.tally(threshold, strict=True).precision, 3),
        "found_by_diameter": _by_size(region, ours, threshold),
        "threshold": round(threshold, 3),
        "unmatched": len(unmatched),
        "not_scored": shown,
        "training": times,
    }
    peer = _compared(region, template_matching.search(region.path, region.grid, lunar.MIN_DIAMETER_M))
    peer_threshold = _peer_threshold(held_out)
    peer_figures = {
        **figures(peer.tally(peer_threshold)),
        "threshold": round(peer_threshold, 3),
        "f1_at_its_best": round(peer.tally(peer.best_threshold()).f1, 3),
    }
    return ours_figures, peer_figures


def setup() -> None:
    """Make the datasets of both folds."""
    for held_out in FOLDS:
        fold_dataset(held_out)


def run(quick: bool) -> Result:
    """Train each fold, test on the region held out, beside template matching."""
    if quick:
        return _quick()
    measured = {held_out: _fold(held_out) for held_out in FOLDS}
    ours = {name: found for name, (found, _) in measured.items()}
    peer = {name: found for name, (_, found) in measured.items()}
    gassendi = ours["gassendi"]
    reached = float(str(gassendi["recall"])) >= RECALL and float(str(gassendi["precision"])) >= PRECISION
    ahead = all(float(str(ours[name]["f1"])) > float(str(peer[name]["f1"])) for name in FOLDS)
    return Result(
        ours=ours,
        peer=peer,
        target=f"Gassendi recall ≥ {RECALL} at precision ≥ {PRECISION}; F1 ahead of the peer on both folds",
        met=reached and ahead,
        seed=SEED,
        note="GLD100, region held out of everything; truth: Povilaitis + Head, D ≥ 5 km, wholly inside; "
        "rule: centres within 0.25 mean diameters and IoU ≥ 0.1; detections ≥ 4.7 km may match; precision: a "
        "match in any of four lists, a lower bound; Wilson 95 %; trained on the other regions, generated "
        f"terrain and the global picture with Head's craters, {STEPS} steps; threshold: middle of the "
        "F1 plateau on validation cells of the training places (peer: best F1 on all of the other regions); "
        "50 unmatched detections: unmatched_*.png",
    )


def _quick() -> Result:
    """Tycho held out of a training on Copernicus and one generated world: that the machinery works."""
    folder = VAR / "loop_detector_real_quick"
    region = lunar.load_region("tycho")
    dataset = _dataset(folder, ["copernicus"], None, 1, 512)
    artifact, times = folds.trained(folder, dataset, {"steps": 120, "views": 1}, SEED)
    threshold = api.read_card(artifact).threshold
    ours = _compared(region, folds.search(artifact, region.path, region.grid, lunar.MIN_DIAMETER_M))
    peer = _compared(region, template_matching.search(region.path, region.grid, lunar.MIN_DIAMETER_M))
    return Result(
        ours={**figures(ours.tally(threshold)), "training": times},
        peer=figures(peer.tally(peer.best_threshold())),
        target="quick: trains, searches and counts; only the full run proves the claim",
        met=None,
        seed=SEED,
        note="Tycho held out, 2 craters",
    )
