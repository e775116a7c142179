"""How the foil network is taught: what keeps a training from beginning, and what a new version does first."""

from collections.abc import Iterator
from dataclasses import fields
from math import ceil, floor

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Campaign, Participant
from mlcore import api
from mlcore.artifact import ModelCard
from mlcore.errors import InvalidInput
from mlcore.foil_classifier import checks
from mlcore.foil_classifier.config import PRESETS, Config
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE
from review.models import ModelVersion, Picture, Run
from review.services.foils.network import freezing, inspecting, scoring
from review.services.foils.network.material import Material, gather
from review.services.teaching import Counts, Teaching
from review.services.versions import artifact_of

SYSTEM = scoring.SYSTEM
TITLE = gettext_lazy("foil network")
# A version's row says more than mlcore's card: what the site has measured beside it.
CARD_FIELDS = {field.name for field in fields(ModelCard)}


def check(campaign: Campaign, *, gathered: Material | None = None) -> None:
    """Refuse where there would be nothing to learn from, by rows alone; pixels are looked at when frozen.

    Args:
        campaign: Whose people teach.
        gathered: What material.gather said of it, where the caller has asked already.

    Raises:
        InvalidInput: No blank foil, no more than one crater, cut-outs larger than the blanks, or pictures of
            which a training before has found that they carry scale bars or clip.
    """
    material = gathered or gather(campaign)
    if refusal := _of_rows(material) or inspecting.known_refusal(material):
        raise InvalidInput(refusal, code="cannot_learn")


def _of_rows(material: Material) -> str | None:
    counts = material.counts()
    n_craters = {side: counts[CUT_OUT][side] + counts[CRATER][side] for side in Picture.Side.values}
    train = Picture.Side.TRAIN
    sentence = checks.too_few(counts[BLANK][train], n_craters[train])
    if sentence and counts[BLANK][train] and (n_held_out := sum(n_craters.values()) - n_craters[train]):
        held_out = _(
            "%(n)d more are in pictures of the validation and test sides, which nothing is ever trained on."
        )
        return f"{sentence} {held_out % {'n': n_held_out}}"
    blanks = [item.picture for item in material.of(BLANK, train)]
    scale = checks.usual_scale(blank.nm_per_px for blank in blanks)
    shapes = [(blank.height_px, blank.width_px) for blank in blanks]
    return sentence or checks.too_large(_sizes(material, scale), shapes)


def _sizes(material: Material, nm_per_px: float | None) -> Iterator[tuple[str, tuple[int, int]]]:
    """What each cut-out to train on is called, and what it covers with the pixel over which it fades.

    In pixels of the blanks, as training compares them.
    """
    for cut in material.cuts:
        if cut.side == Picture.Side.TRAIN:
            x, y = zip(*cut.cut_out.polygon, strict=True)
            height, width = (ceil(max(edge) + 1) - floor(min(edge) - 1) for edge in (y, x))
            yield cut.picture.name, checks.on_ground((height, width), cut.picture.nm_per_px, nm_per_px)


def _check_start(config: Config, version: ModelVersion) -> None:
    if refusal := checks.other_weights(api.read_card(artifact_of(version)), config):
        raise InvalidInput(refusal, code="other_layout")


def obstacle_of(version: ModelVersion) -> str:
    """Why no preset can continue from a version, by what its row says of it; empty where each can."""
    card = {name: value for name, value in version.card.items() if name in CARD_FIELDS}
    try:
        return checks.other_weights(ModelCard.from_json(card), PRESETS["quick"]) or ""
    except InvalidInput as refusal:
        return refusal.message


def counted(counts: Counts) -> str:
    """The counts of a dataset in a sentence for the log."""
    titles = {
        CUT_OUT: _("cut-outs"),
        CRATER: _("confirmed craters"),
        BLANK: _("blank pictures"),
        LOOK_ALIKE: _("look-alikes"),
    }
    sides = Picture.Side.values
    listed = "; ".join(
        f"{title} {' + '.join(str(counts[kind][side]) for side in sides)}" for kind, title in titles.items()
    )
    return _("to train + to validate + to test: %(counts)s") % {"counts": listed}


def most_blanks() -> int:
    """How many blanks, and how many look-alikes, a training learns from at most."""
    return max(config.max_blanks for config in PRESETS.values())


def follow(
    *, campaign: Campaign, model_version: ModelVersion, requested_by: Participant | None, again: bool
) -> Run | None:
    """Score the campaign's pictures with a new current version; None where there are none yet."""
    if not Picture.objects.survey().filter(campaign=campaign).exists():
        return None
    return scoring.request_scoring(
        campaign=campaign, model_version=model_version, requested_by=requested_by, again=again
    )


def _kept() -> dict[str, object]:
    """Nothing can be chosen: everything that people have settled teaches."""
    return {}


TEACHING = Teaching(
    title=TITLE,
    kind=Campaign.Kind.FOIL,
    freezing=gettext_lazy("Freezing the pictures"),
    check=check,
    kept=_kept,
    freeze=freezing.freeze,
    counted=counted,
    check_start=_check_start,
)
