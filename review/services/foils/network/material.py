"""What a training of the foil network would learn from now: rows only, no pixel is read.

Each picture counts once, by the best that is known of it: what an expert found at the microscope, else a
lead's word, else what people said, else what it was brought in for. What experts could not decide teaches
nothing. Nor do pictures of the audit, from which follows how many craters the network misses, and confirmed
craters of the test side, on which it is measured; these join the test side of the dataset.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from annotate.models import Campaign
from mlcore.consensus.answers.stopping import Outcome
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, KINDS, LOOK_ALIKE
from mlcore.split import SIDES
from review.models import Confirmation, CutOut, Gold, Picture, Retirement, Subject, Workflow
from review.services.foils import settings
from review.services.foils.gold.gold import Kind, kind_of
from review.services.foils.network.dealing import dealt
from review.services.foils.rules import rules

# How known pictures came about that no lead has given a word on: Tektite put something in, or copied one that
# an expert has looked at.
_NOT_A_WORD = ("pasted", "scene", "blank", "confirmation")
PEOPLE, LEAD, MICROSCOPE = "rejected by people", "a lead's word", "found at the microscope"
BLANK_FOIL, REFERENCE = "blank foil", "reference picture"
# Of pictures; there may be tens of thousands, and a page waits for them.
_NEEDED = (
    "name", "sha256", "side", "width_px", "height_px", "nm_per_px", "score_raw", "synthetic", "created_at",
)  # fmt: skip


@dataclass(frozen=True)
class Item:
    """A whole picture, and what it shows.

    Attributes:
        kind: BLANK, LOOK_ALIKE or CRATER.
        origin: Who says so.
        since: When they said it.
        by: The pseudonym of the one person who says so; empty for people together, and what was brought in.
        place: Of a crater or look-alike where an expert or lead marked it: {"x_px", "y_px", "diameter_um"}.
        subject: Of a picture that people rejected.
    """

    kind: str
    picture: Picture
    origin: str
    since: datetime
    by: str = ""
    place: dict[str, float | None] = field(default_factory=dict)
    subject: Subject | None = None

    @property
    def side(self) -> str:
        return self.picture.side


@dataclass(frozen=True)
class Cut:
    """A standing cut-out on its side of the split."""

    cut_out: CutOut
    side: str
    is_dealt: bool

    kind = CUT_OUT

    @property
    def picture(self) -> Picture:
        return self.cut_out.picture

    @property
    def since(self) -> datetime:
        return self.cut_out.created_at


@dataclass(frozen=True)
class Material:
    """All of it, in the order of the pictures' hashes."""

    items: list[Item]
    cuts: list[Cut]

    def __iter__(self) -> Iterator[Item | Cut]:
        yield from self.items
        yield from self.cuts

    def of(self, kind: str, side: str | None = None) -> list[Item]:
        """Whole pictures of a kind, on one side or on all."""
        return [item for item in self.items if item.kind == kind and side in (None, item.side)]

    def counts(self) -> dict[str, dict[str, int]]:
        """As a dataset counts: {kind: {side: n}}."""
        found = Counter((one.kind, one.side) for one in self)
        return {kind: {side: found[kind, side] for side in SIDES} for kind in KINDS}

    def since(self, moment: datetime) -> dict[str, int]:
        """Of each kind, what has come after a moment."""
        found = Counter(one.kind for one in self if one.since > moment)
        return {kind: found[kind] for kind in KINDS}

    @property
    def n_synthetic(self) -> int:
        """How many of them Tektite has made, pictures and cut-outs."""
        return sum(one.picture.synthetic for one in self)

    def capped(self, most: int) -> "Material":
        """With so many blanks and as many look-alikes at most: those whose pixels' hash is smallest."""
        taken: Counter[str] = Counter()
        kept = []
        for item in self.items:
            taken[item.kind] += 1
            if item.kind == CRATER or taken[item.kind] <= most:
                kept.append(item)
        return replace(self, items=kept)


def gather(campaign: Campaign) -> Material:
    """Everything that teaches, as it stands now."""
    workflow = rules.workflow_of(campaign)
    cut_outs = list(
        CutOut.objects.filter(picture__campaign=campaign, withdrawn_at__isnull=True)
        .select_related("picture", "by")
        .order_by("uid")
    )
    found: dict[int, Item] = {}
    for item in (*_brought_in(campaign), *_rejected(workflow), *_by_leads(workflow), *_confirmed(workflow)):
        found[item.picture.pk] = item
    for unclear in _latest(workflow).filter(result=Confirmation.Result.UNCLEAR):
        found.pop(unclear.subject.picture_id, None)
    shows_craters = {cut_out.picture_id for cut_out in cut_outs}
    audited = _audited(workflow)
    items = [
        item
        for item in found.values()
        if (item.kind == CRATER or item.picture.pk not in shows_craters)
        and (item.picture.pk not in audited or (item.kind == CRATER and item.side == Picture.Side.TEST))
    ]
    items.sort(key=lambda item: item.picture.sha256)
    sides = dealt({cut_out.uid: cut_out.picture.side for cut_out in cut_outs})
    cuts = [Cut(one, sides[one.uid], sides[one.uid] != one.picture.side) for one in cut_outs]
    return Material(items, cuts)


def _brought_in(campaign: Campaign) -> Iterator[Item]:
    for picture in Picture.objects.blank().filter(campaign=campaign).only(*_NEEDED):
        yield Item(BLANK, picture, BLANK_FOIL, picture.created_at)


def _rejected(workflow: Workflow) -> Iterator[Item]:
    """Survey pictures that people retired as nothing; look-alikes, where the network took them for more."""
    last = Retirement.objects.filter(subject=OuterRef("pk"), outcome=Outcome.NOTHING).order_by("-pk")
    subjects = (
        Subject.objects.filter(
            workflow=workflow,
            stratum=Subject.Stratum.QUEUE,
            outcome=Outcome.NOTHING,
            picture__purpose=Picture.Purpose.SURVEY,
        )
        .select_related("picture")
        .only("retired_at", "created_at", *(f"picture__{name}" for name in _NEEDED))
        .annotate(tally=Subquery(last.values("tally")[:1]))
    )
    now = settings.of(workflow).threshold
    for subject in subjects:
        # Before retirements told what the network had said, today's score has to do.
        tally = subject.tally or {}
        score = tally.get("score", subject.picture.score_raw)
        threshold = tally.get("threshold", now)
        is_look_alike = score is not None and threshold is not None and score >= threshold
        kind = LOOK_ALIKE if is_look_alike else BLANK
        since = subject.retired_at or subject.created_at
        yield Item(kind, subject.picture, PEOPLE, since, subject=subject)


def _by_leads(workflow: Workflow) -> Iterator[Item]:
    """What leads know to be no crater. A known copy stands for the picture it was made of, and its side."""
    golds = Gold.objects.filter(
        subject__workflow=workflow,
        is_crater=False,
        origin__in=(Gold.Origin.LOOK_ALIKE, Gold.Origin.EXPERT),
        withdrawn_at__isnull=True,
    ).select_related("subject__picture", "added_by")
    known = [gold for gold in golds if gold.made_by.get("how") not in _NOT_A_WORD]
    originals = _by_uid(workflow.campaign, (gold.made_by.get("copy_of") for gold in known))
    for gold in known:
        picture, place = gold.subject.picture, next(iter(gold.places), {})
        if copy_of := gold.made_by.get("copy_of"):
            if copy_of not in originals:
                continue
            picture = originals[copy_of]
            # Copies stand upside down.
            place = {**place, "y_px": picture.height_px - float(place["y_px"])} if place else {}
        kind = LOOK_ALIKE if kind_of(gold) == Kind.LOOK_ALIKE else BLANK
        by = gold.added_by.pseudonym if gold.added_by else ""
        yield Item(kind, picture, LEAD, gold.created_at, by, place)


def _confirmed(workflow: Workflow) -> Iterator[Item]:
    kinds = {
        Confirmation.Result.CRATER: CRATER,
        Confirmation.Result.LOOK_ALIKE: LOOK_ALIKE,
        Confirmation.Result.NOTHING: LOOK_ALIKE,
    }
    for one in _latest(workflow).filter(result__in=kinds):
        kind = kinds[Confirmation.Result(one.result)]
        place = _largest(one.places)
        yield Item(kind, one.subject.picture, MICROSCOPE, one.created_at, one.by.pseudonym, place)


def _largest(places: list[dict[str, float | None]]) -> dict[str, float | None]:
    return max(places, key=lambda place: place.get("diameter_um") or 0.0, default={})


def _latest(workflow: Workflow) -> QuerySet[Confirmation]:
    """What experts found last of each picture."""
    later = Confirmation.objects.filter(subject__picture=OuterRef("subject__picture"), pk__gt=OuterRef("pk"))
    return Confirmation.objects.filter(
        ~Exists(later), subject__workflow=workflow, subject__picture__isnull=False
    ).select_related("subject__picture", "by")


def _audited(workflow: Workflow) -> set[int]:
    drawn = Q(stratum=Subject.Stratum.AUDIT) | Q(audit__isnull=False)
    return set(Subject.objects.filter(drawn, workflow=workflow).values_list("picture_id", flat=True))


def _by_uid(campaign: Campaign, uids: Iterable[str | None]) -> dict[str, Picture]:
    wanted = [UUID(uid) for uid in uids if uid]
    return {str(picture.uid): picture for picture in campaign.pictures.filter(uid__in=wanted)}
