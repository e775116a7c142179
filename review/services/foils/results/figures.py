"""Figures of a reckoning, fit to be printed: vectors on white, units on axes, every number with its interval.

Workers draw them when they have reckoned, and pages show files: the web process never loads Matplotlib.
"""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annotate.services.disk import full_in_words
from annotate.services.storage import file_of
from review.models import Gold, Reckoning
from review.services.foils.results.statistics import CONFIDENCE, SKILL_BINS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = ("completeness", "reliability", "skills")
KINDS = {"svg": "image/svg+xml", "pdf": "application/pdf"}
# Widths of one column of a journal, in inches.
_SIZE = (3.5, 2.7)
_KEPT = 2
# Okabe and Ito's colours and different marks: told apart in grey, too.
_STYLES = {
    Gold.Origin.SYNTHETIC: ("#0072b2", "o"),
    Gold.Origin.CONFIRMED: ("#d55e00", "s"),
    Gold.Origin.LOOK_ALIKE: ("#009e73", "^"),
}
_SETTINGS = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    # The same numbers give the same bytes.
    "svg.hashsalt": "tektite",
}


def path_of(reckoning: Reckoning, name: str, kind: str) -> Path:
    """Where the figure lies; it may not be there."""
    return _folder(reckoning) / f"{name}.{kind}"


def available(reckoning: Reckoning) -> list[str]:
    """Names of the figures that were drawn."""
    return [name for name in NAMES if path_of(reckoning, name, "svg").is_file()]


def draw(reckoning: Reckoning) -> None:
    """Draw what the reckoning has numbers for, as SVG and PDF; figures of older ones go."""
    drawers: dict[str, Callable[[Axes, Any], None]] = {
        "completeness": _completeness,
        "reliability": _reliability,
        "skills": _skills,
    }
    folder = _folder(reckoning)
    folder.mkdir(parents=True, exist_ok=True)
    for name, drawer in drawers.items():
        found = reckoning.findings[name]
        if not found or (name == "completeness" and not _sized(found)):
            continue
        for kind, content in _drawn(drawer, found, reckoning).items():
            with full_in_words(f"{name}.{kind}"):
                (folder / f"{name}.{kind}").write_bytes(content)
    _forget_old(reckoning)


def _folder(reckoning: Reckoning) -> Path:
    return file_of(f"foils/{reckoning.workflow.campaign.uid}/figures/{reckoning.uid}")


def _drawn(drawer: Callable[["Axes", Any], None], found: Any, reckoning: Reckoning) -> dict[str, bytes]:
    """The figure in every kind of file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    is_synthetic = reckoning.workflow.campaign.synthetic
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.subplots()
        drawer(axes, found)
        if is_synthetic:
            figure.supxlabel("synthetic data", fontsize=6, color="#555555", x=0.99, ha="right")
        files = {}
        for kind in KINDS:
            file = io.BytesIO()
            dates = {"Date": None} if kind == "svg" else {"CreationDate": None}
            figure.savefig(file, format=kind, metadata={**dates, "Title": f"Tektite {reckoning.uid}"})
            files[kind] = file.getvalue()
    return files


def _completeness(axes: "Axes", rows: list[dict[str, Any]]) -> None:
    """Share of known craters found, by diameter and by origin, with exact intervals."""
    sized = _sized(rows)
    edges = sorted({row["low_um"] for row in sized})
    origins = [origin for origin in Gold.Origin.values if any(row["origin"] == origin for row in sized)]
    for at, origin in enumerate(origins):
        colour, mark = _STYLES[Gold.Origin(origin)]
        theirs = [row for row in sized if row["origin"] == origin]
        shift = 0.3 * (at - (len(origins) - 1) / 2)
        x = [edges.index(row["low_um"]) + shift for row in theirs]
        shares = [row["found"] / row["n"] for row in theirs]
        _bars(axes, x, shares, [row["interval"] for row in theirs], colour, mark, f"{origin} craters")
        for place, row in zip(x, theirs, strict=True):
            # Under the bar, where no other one's points lie.
            axes.annotate(
                f"{row['found']}/{row['n']}",
                (place, row["interval"][0]),
                (0, -7),
                textcoords="offset points",
                ha="center",
                fontsize=5,
            )
    highs = {row["low_um"]: row["high_um"] for row in sized}
    labels = [f"{low:g}–{highs[low]:g}" if highs[low] else f"≥ {low:g}" for low in edges]
    axes.set_xticks(range(len(edges)), labels)
    axes.set_xlim(-0.5, max(0.5, len(edges) - 0.5))
    axes.set_ylim(-0.08, 1.04)
    axes.set_xlabel("crater diameter (µm)")
    axes.set_ylabel(f"completeness ({CONFIDENCE:.0%} Clopper–Pearson)")
    if origins:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.0)


def _sized(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the rows of completeness those that have a place on an axis of diameters."""
    return [row for row in rows if row["low_um"] is not None and row["n"]]


def _reliability(axes: "Axes", found: dict[str, Any]) -> None:
    """What was foretold of known subjects while they were hidden, beside what they are."""
    bins = found["bins"]
    axes.plot([0, 1], [0, 1], color="#999999", linewidth=0.6, linestyle="--")
    foretold, shares = [one["foretold"] for one in bins], [one["found"] for one in bins]
    _bars(axes, foretold, shares, [one["interval"] for one in bins], "#0072b2", "o", None)
    for one in bins:
        axes.annotate(
            str(one["n"]), (one["foretold"], one["found"]), (5, -6), textcoords="offset points", fontsize=5.5
        )
    axes.set_xlim(-0.03, 1.05)
    axes.set_ylim(-0.03, 1.05)
    axes.set_xlabel("probability foretold")
    axes.set_ylabel("share of craters found")
    text = f"expected calibration error {found['error']:.3f}, {found['n']} known pictures"
    axes.set_title(text, loc="left", fontsize=6.5)


def _skills(axes: "Axes", found: dict[str, Any]) -> None:
    """How people's sensitivities and specificities are spread."""
    edges = [at / SKILL_BINS for at in range(SKILL_BINS + 1)]
    for name, colour, style in (("sensitivity", "#0072b2", "-"), ("specificity", "#d55e00", "--")):
        axes.stairs(found[name], edges, color=colour, linestyle=style, linewidth=1.2, label=name)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, None)
    axes.set_xlabel("share of known pictures answered rightly")
    axes.set_ylabel(f"people (of {found['n_people']})")
    axes.legend(loc="upper left")


def _bars(
    axes: "Axes",
    x: list[float],
    shares: list[float],
    intervals: list[list[float]],
    colour: str,
    mark: str,
    label: str | None,
) -> None:
    below = [share - low for share, (low, _high) in zip(shares, intervals, strict=True)]
    above = [high - share for share, (_low, high) in zip(shares, intervals, strict=True)]
    axes.errorbar(
        x,
        shares,
        yerr=[below, above],
        fmt=mark,
        color=colour,
        markersize=4,
        linewidth=0.9,
        capsize=2,
        label=label,
    )


def _forget_old(reckoning: Reckoning) -> None:
    """Figures of the newest few stay; the numbers of all of them do."""
    newest = Reckoning.objects.filter(workflow=reckoning.workflow).order_by("-pk")
    kept = {str(uid) for uid in newest.values_list("uid", flat=True)[:_KEPT]}
    for folder in _folder(reckoning).parent.iterdir():
        if folder.name not in kept:
            shutil.rmtree(folder, ignore_errors=True)
