"""Datasets: a campaign's labels (services/labels.py), frozen into a hashed folder that a training reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from annotate.models import Campaign, Catalogue, Feature, Participant
from mlcore.crater_detector.cutting import cut_samples
from mlcore.dataset import Manifest, Sample, write_dataset
from mlcore.errors import InvalidInput
from review.models import Classification, Dataset, Run, Verdict
from review.services import frozen, rasters, room
from review.services.labels import (
    REGION,
    TILES,
    Source,
    gather,
    settled_features,
    verdicts_of,
)
from review.services.teaching import Progress, Teaching


def check(campaign: Campaign, *, label_catalogues: Sequence[Catalogue] = (), searched: str = TILES) -> None:
    """Refuse where there would be nothing to learn from, before anybody waits for it."""
    counts = preview(campaign, label_catalogues=label_catalogues, searched=searched)
    rasters.elevation_of(campaign)
    for catalogue in label_catalogues:
        if catalogue.body != campaign.body:
            raise InvalidInput(
                _("“%(name)s” lists craters of %(other)s, the campaign maps %(body)s; choose another one.")
                % {"name": catalogue.name, "other": catalogue.body, "body": campaign.body},
                code="wrong_body",
            )
        if catalogue.origin == Catalogue.Origin.PREDICTED:
            raise InvalidInput(
                _("“%(name)s” is what a model proposed; labels come from people. Choose another catalogue.")
                % {"name": catalogue.name},
                code="labels_predicted",
            )
    if searched == REGION and not label_catalogues:
        raise InvalidInput(
            _("The whole region counts as searched only where a catalogue lists its craters; choose one."),
            code="no_labels",
        )
    if not counts["searched"]:
        raise InvalidInput(
            _(
                "There is nothing to learn from yet: no tile of “%(name)s” is settled. Let the tiles get "
                "their visits, or choose an imported catalogue and say that it is complete in the region."
            )
            % {"name": campaign.name},
            code="nothing_searched",
        )
    if not counts["craters"]:
        raise InvalidInput(
            _(
                "There is not one crater to learn from in “%(name)s”: its %(n)d searched tiles are all "
                "empty. Settle tiles with craters, or choose an imported catalogue as labels."
            )
            % {"name": campaign.name, "n": counts["searched"]},
            code="no_craters",
        )


def preview(
    campaign: Campaign, *, label_catalogues: Sequence[Catalogue] = (), searched: str = TILES
) -> dict[str, int]:
    """What a training would use now, counted without reading a raster: for the page beside the button."""
    verdicts = verdicts_of(campaign)
    settled = campaign.tiles.all() if searched == REGION else campaign.tiles.settled()
    consensus = settled_features(campaign)
    chosen = Feature.objects.filter(catalogue__in=label_catalogues, geom__bboverlaps=campaign.region)
    return {
        "searched": settled.count(),
        "craters": consensus.count()
        + verdicts.filter(answer=Verdict.Answer.CONFIRMED).count()
        + chosen.filter(diameter_m__gte=campaign.min_diameter_m).count(),
        "negatives": verdicts.filter(answer=Verdict.Answer.REJECTED).count(),
    }


def in_words(counts: dict[str, dict[str, int]]) -> str:
    """The counts in a sentence for the log."""
    sides = ("train", "validation", "test")
    return "; ".join(
        f"{what} {' + '.join(str(counts[what][side]) for side in sides)} ({', '.join(sides)})"
        for what in ("craters", "negatives")
    )


def freeze(
    *,
    campaign: Campaign,
    system: str = "crater_detector",
    created_by: Participant | None,
    label_catalogues: Sequence[Catalogue] = (),
    searched: str = TILES,
    progress: Progress = lambda: None,
) -> Dataset:
    """Freeze the campaign's labels as they are now; the same labels give the same dataset again.

    Args:
        campaign: Whose labels.
        system: For which learning system.
        created_by: Who wanted it.
        label_catalogues: Imported catalogues that count as labels.
        searched: TILES or REGION.
        progress: Called for every sample; may raise to stop.

    Raises:
        InvalidInput: There is nothing to learn from.
        NoRoom: Too little of the disk is free, or it ran full; nothing half done is left.
    """
    check(campaign, label_catalogues=label_catalogues, searched=searched)
    as_of = timezone.now()
    sources = gather(campaign, label_catalogues=label_catalogues, searched=searched)
    room.require_for_dataset(sources)

    def write(folder: Path) -> Manifest:
        return write_dataset(
            folder,
            _samples(campaign, sources, progress),
            system=system,
            body=campaign.body,
            block_deg=campaign.split_block_deg,
            min_diameter_m=sources[0].min_diameter_m,
            provenance=_provenance(campaign, sources, label_catalogues, searched),
        )

    return frozen.keep(
        campaign=campaign,
        system=system,
        created_by=created_by,
        as_of=as_of,
        what=_("Freezing the labels"),
        write=write,
    )


def _samples(campaign: Campaign, sources: Sequence[Source], progress: Progress) -> Iterator[Sample]:
    for source in sources:
        for sample in cut_samples(
            rasters.path_of(source.basemap),
            rasters.grid_of(source.basemap),
            searched=source.tiles + source.shown,
            craters=source.craters,
            negatives=source.negatives,
            block_deg=campaign.split_block_deg,
            min_diameter_m=source.min_diameter_m,
        ):
            progress()
            yield sample


def _provenance(
    campaign: Campaign, sources: Sequence[Source], label_catalogues: Sequence[Catalogue], searched: str
) -> dict[str, object]:
    """Where the labels are from; people under their pseudonyms only."""
    drew = Participant.objects.filter(
        visits__state="submitted", visits__tile__in=campaign.tiles.settled()
    ).values_list("pseudonym", flat=True)
    evidence = [uid for verdict in verdicts_of(campaign) for uid in verdict.evidence]
    judged = Classification.objects.filter(uid__in=evidence).values_list("participant__pseudonym", flat=True)
    return {
        "searched": searched,
        "elevation": [source.basemap.name for source in sources],
        "label_catalogues": [str(catalogue) for catalogue in label_catalogues],
        "synthetic": campaign.synthetic,
        "drew": sorted(set(drew)),
        "judged": sorted(set(judged)),
    }


def _kept(*, label_catalogues: Sequence[Catalogue] = (), searched: str = TILES) -> dict[str, object]:
    return {"label_catalogues": [str(catalogue.uid) for catalogue in label_catalogues], "searched": searched}


def _freeze_for(run: Run, progress: Progress) -> Dataset:
    uids = run.config["label_catalogues"]
    by_uid = {str(c.uid): c for c in Catalogue.objects.filter(uid__in=uids)}
    missing = [uid for uid in uids if uid not in by_uid]
    if missing:
        raise InvalidInput(
            _("A catalogue chosen as labels is gone (%(uid)s); start a new run without it.")
            % {"uid": ", ".join(missing)}
        )
    return freeze(
        campaign=run.campaign,
        system=run.system,
        created_by=run.requested_by,
        label_catalogues=[by_uid[uid] for uid in uids],
        searched=run.config["searched"],
        progress=progress,
    )


TEACHING = Teaching(
    title=gettext_lazy("crater detector"),
    kind=Campaign.Kind.CRATER,
    freezing=gettext_lazy("Freezing the labels"),
    check=check,
    kept=_kept,
    freeze=_freeze_for,
    counted=in_words,
)
