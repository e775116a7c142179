"""What outcomes, purposes, settings of a rule and suspicions are called in front of people."""

from typing import Any

from django.utils.translation import gettext as translate
from django.utils.translation import gettext_lazy as _

from mlcore.consensus.answers.stopping import Outcome
from mlcore.consensus.answers.suspicion import Reason
from review.models import Picture

OUTCOMES = {
    Outcome.CANDIDATE: _("candidate"),
    Outcome.UNDECIDED: _("undecided, to reviewers"),
    Outcome.BAD_IMAGE: _("bad image"),
    Outcome.NOTHING: _("nothing there"),
}

PURPOSES = {
    Picture.Purpose.SURVEY: _("survey"),
    Picture.Purpose.REFERENCE: _("reference"),
    Picture.Purpose.BLANK: _("blank"),
}

# The fields of mlcore.consensus.answers.stopping.StoppingRule.
SETTINGS = {
    "min_votes": _("Fewest answers"),
    "max_votes": _("Most answers"),
    "accept": _("Candidate from probability"),
    "reject": _("Nothing below probability"),
    "practised_people": _("Practised people needed"),
    "practised_after": _("Practised after"),
    "bad_image_share": _("Bad image from share"),
}


def suspicion(reason: str, habits: dict[str, Any]) -> str:
    """Why somebody was set aside, with the numbers of that night (mlcore's Habits as a dict)."""
    match reason:
        case Reason.ALWAYS_THE_SAME:
            text = translate(
                "Calls %(called)d of %(answers)d pictures a crater: far from what anybody else does."
            )
        case Reason.HASTY:
            text = translate("Half of the answers came within %(median_ms).0f ms, too fast to have looked.")
        case Reason.KNOWS_THE_GOLD:
            text = translate(
                "Is right on %(gold_right)d of %(gold_answers)d known pictures, but agrees with others on "
                "only %(shared_agree)d of %(shared_answers)d: the known ones may have been told apart."
            )
        case Reason.SAME_PLACE:
            text = translate("%(marks_at_one_place)d of %(marks)d clicks are at one and the same place.")
        case _:
            return reason
    return text % habits
