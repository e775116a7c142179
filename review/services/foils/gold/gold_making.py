"""Known pictures made by Tektite to a lead's order, one by one, by an errand that can begin again."""

from dataclasses import asdict, dataclass

from django.utils.translation import gettext as _

from mlcore.errors import InvalidInput
from mlcore.simulate import foil_gold
from review.models import Errand, Gold, Workflow
from review.services.foils.errands import Progress
from review.services.foils.gold import gold, gold_scenes, gold_sources
from review.services.foils.gold.gold import Kind
from review.services.foils.gold.gold_sources import Made

MOST_AT_ONCE = 5000
# What people learn on must be seen.
PRACTICE_SMALLEST_UM = 0.8
TROUBLES_TOLD = 5
# Craters of one order, where many are lacking: they take a minute.
SUGGESTED = 200


@dataclass(frozen=True)
class Order:
    """How many known pictures of which kind; `practice` of them besides, for the test of the tutorial.

    Attributes:
        craters: With a simulated crater.
        look_alikes: With a simulated pit.
        blanks: With neither.
        practice: Half of them craters, a quarter pits and the rest blanks; or pits for these too.
        seed: The same over the same pictures gives the same ones.
        with_feedback: Whether they may tell their answer, at the campaign's share.
        practice_has_blanks: False where no picture is known to be empty yet: people have to begin somewhere.
    """

    craters: int
    look_alikes: int
    blanks: int
    practice: int
    seed: int
    with_feedback: bool = True
    practice_has_blanks: bool = True

    @property
    def n(self) -> int:
        return self.craters + self.look_alikes + self.blanks + self.practice

    def items(self) -> list[tuple[Kind, bool]]:
        """Kind and whether for practice, in the order of making."""
        half = (self.practice + 1) // 2
        pits = (self.practice + 1) // 4 if self.practice_has_blanks else self.practice - half
        kinds = (
            (self.craters, Kind.CRATER, False),
            (self.look_alikes, Kind.LOOK_ALIKE, False),
            (self.blanks, Kind.BLANK, False),
            (half, Kind.CRATER, True),
            (pits, Kind.LOOK_ALIKE, True),
            (self.practice - half - pits, Kind.BLANK, True),
        )
        return [(kind, is_practice) for n, kind, is_practice in kinds for _at in range(n)]


def check(workflow: Workflow, order: Order) -> None:
    """Refuse an order that cannot be met from the campaign's pictures.

    Raises:
        InvalidInput: It asks for nothing, too much, or for blanks where nothing is known to be blank.
    """
    if (
        min(order.craters, order.look_alikes, order.blanks, order.practice) < 0
        or not 1 <= order.n <= MOST_AT_ONCE
    ):
        raise InvalidInput(
            _("From 1 to %(most)s known pictures are made at a time, not %(n)s.")
            % {"most": f"{MOST_AT_ONCE:,}", "n": f"{order.n:,}"},
            code="bad_order",
        )
    if not gold_sources.unused(workflow).exists():
        raise InvalidInput(
            _("Known pictures are made from the campaign's own; add pictures first."), code="no_pictures"
        )
    wanted = sum(kind == Kind.BLANK for kind, _is_practice in order.items())
    at_hand = blanks_at_hand(workflow)
    if at_hand is not None and at_hand < wanted:
        raise InvalidInput(
            _(
                "%(wanted)s blanks are asked for, and %(n)s unused pictures are certain to be empty. A blank "
                "is a picture that retired as nothing or that an expert found empty: ask for fewer, let "
                "people judge more pictures, or mark empty ones by hand."
            )
            % {"wanted": f"{wanted:,}", "n": f"{at_hand:,}"},
            code="no_blanks",
        )


def blanks_at_hand(workflow: Workflow) -> int | None:
    """How many blanks could be made now; None where simulated scenes give any number."""
    return None if workflow.campaign.synthetic else gold_sources.certain(workflow).count()


def suggest(workflow: Workflow, lacking: dict[Kind, int], practice: int, seed: int) -> Order:
    """An order that brings the stock nearer to what is recommended, as far as it can be met now."""
    at_hand = blanks_at_hand(workflow)
    blanks = lacking[Kind.BLANK] if at_hand is None else min(lacking[Kind.BLANK], at_hand)
    return Order(
        craters=min(SUGGESTED, lacking[Kind.CRATER]),
        look_alikes=min(SUGGESTED // 2, lacking[Kind.LOOK_ALIKE]),
        blanks=min(SUGGESTED // 2, blanks),
        practice=practice,
        seed=seed,
    )


def make(errand: Errand, tell: Progress) -> dict[str, object]:
    """Make what an errand orders; what an earlier attempt has made is not made again."""
    workflow, order = errand.workflow, Order(**errand.question)
    items = order.items()
    done = set(
        Gold.objects.filter(subject__workflow=workflow, made_by__errand=str(errand.uid)).values_list(
            "made_by__number", flat=True
        )
    )
    sources = None if workflow.campaign.synthetic else gold_sources.Sources(workflow, order.seed)
    n_made, troubles = len(done), []
    for number, (kind, is_practice) in enumerate(items):
        if number not in done:
            seed = order.seed * MOST_AT_ONCE + number
            smallest_um = PRACTICE_SMALLEST_UM if is_practice else 0.0
            try:
                made = (
                    gold_scenes.draw(workflow, kind, seed, smallest_um=smallest_um)
                    if sources is None
                    else gold_sources.draw(sources, kind, seed, smallest_um=smallest_um)
                )
                _keep(workflow, order, made, kind, errand, number, is_practice=is_practice)
                n_made += 1
            except InvalidInput as error:
                troubles.append(error.message)
        tell(number + 1, len(items))
    return {"made": n_made, "wanted": len(items), "troubles": sorted(set(troubles))[:TROUBLES_TOLD]}


def _keep(
    workflow: Workflow,
    order: Order,
    made: Made,
    kind: Kind,
    errand: Errand,
    number: int,
    *,
    is_practice: bool,
) -> None:
    is_look_alike = kind == Kind.LOOK_ALIKE
    gold.add(
        workflow=workflow,
        frames=made.frames,
        like=made.like,
        is_crater=kind == Kind.CRATER,
        origin=Gold.Origin.LOOK_ALIKE if is_look_alike else Gold.Origin.SYNTHETIC,
        places=made.places,
        made_by={
            **made.made_by,
            "simulator": foil_gold.paster_version(),
            "errand": str(errand.uid),
            "number": number,
        },
        synthetic=made.synthetic,
        is_practice=is_practice,
        with_feedback=is_practice or order.with_feedback,
        by=errand.asked_by,
    )


def question_of(order: Order) -> dict[str, object]:
    """The order as an errand's question."""
    return asdict(order)
