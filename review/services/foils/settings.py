"""What leads set of a triage, read from the workflow's JSON, with the defaults in one place."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mlcore.errors import InvalidInput
from review.models import Workflow

CONSENT_TEXT = gettext_lazy(
    "You are asked to look at microscope images of aluminium foils and to say whether they show an impact "
    "crater. We record each answer you give, where you click, and how long you looked, under a pseudonym. "
    "Your network address is not kept with them.\n\n"
    "What you answered is joined with the answers of others, and some images are ones whose answer is known: "
    "from these we learn how well each person sees craters, and only you and the project's leads see that."
    "\n\n"
    "You may stop at any time; the answers given until then are kept. Whoever first finds what turns out to "
    "be a crater is credited under their pseudonym."
)
LONGEST_TEXT = 5_000
MOST_PRACTICE = 50
MOST_AUDITED = 1_000_000


@dataclass(frozen=True)
class TriageSettings:
    """How pictures come to people.

    Attributes:
        threshold: Pictures whose score, as the network said it, is below are held back but for the audit;
            None: all are shown, as are those without a score.
        audit_share: Of what a person sees, the share of pictures from below the threshold, 0 to 1.
        audit_size: Pictures drawn of those held back, over all strata of scores.
        audit_seed: Of that draw.
        feedback_share: Of known pictures made for it, the share that tells the answer, 0 to 1.
        base_rate: Probability of a crater in a picture without a score, above 0 and below 1.
        consent_edition: Grows with each change of the text; who agreed to another is asked again.
        consent_text: What people agree to before their first picture.
        practice_last: The test looks at so many of the latest answers; 0: there is no test.
        practice_right: And lets in with so many of these right.
    """

    threshold: float | None = 0.01
    audit_share: float = 0.1
    audit_size: int = 2000
    audit_seed: int = 1
    feedback_share: float = 0.5
    base_rate: float = 0.01
    consent_edition: str = "1"
    consent_text: str = ""
    practice_last: int = 8
    practice_right: int = 6

    @property
    def text(self) -> str:
        """The text of consent: the leads' own, or ours."""
        return self.consent_text or str(CONSENT_TEXT)


NAMES = frozenset(field.name for field in fields(TriageSettings))


def of(workflow: Workflow) -> TriageSettings:
    """The workflow's settings.

    Raises:
        InvalidInput: Somebody wrote what cannot be used; the sentence names the setting.
    """
    stored = workflow.settings
    if not isinstance(stored, dict):
        raise _unusable("settings", stored, _("an object, such as {}"))
    practice = stored.get("practice", {})
    if not isinstance(practice, dict):
        raise _unusable("practice", practice, _("an object with “last” and “right”"))
    given = {name: stored[name] for name in NAMES & stored.keys()}
    given |= {f"practice_{name}": practice[name] for name in ("last", "right") if name in practice}
    settings = TriageSettings(**given)
    _check(settings)
    return settings


@transaction.atomic
def change(*, workflow: Workflow, **changes: Any) -> TriageSettings:
    """Change some settings, under their names in TriageSettings; another text is another edition.

    Raises:
        InvalidInput: There is no such setting, or the value is out of its range.
    """
    unknown = sorted(changes.keys() - (NAMES - {"consent_edition"}))
    if unknown:
        raise InvalidInput(_("There is no setting “%(name)s” of a triage.") % {"name": unknown[0]})
    locked = Workflow.objects.select_for_update(no_key=True).get(pk=workflow.pk)
    before = of(locked)
    values = {**asdict(before), **changes}
    if values["consent_text"] != before.consent_text:
        values["consent_edition"] = str(int(before.consent_edition) + 1)
    after = TriageSettings(**values)
    _check(after)
    practice = {"last": values.pop("practice_last"), "right": values.pop("practice_right")}
    locked.settings = {**locked.settings, **values, "practice": practice}
    locked.save(update_fields=["settings"])
    workflow.settings = locked.settings
    return after


def _check(settings: TriageSettings) -> None:
    for name in ("audit_share", "feedback_share"):
        if not _is_number(getattr(settings, name)) or not 0 <= getattr(settings, name) <= 1:
            raise _unusable(name, getattr(settings, name), _("a number from 0 to 1"))
    for name, most in (("audit_size", MOST_AUDITED), ("audit_seed", 2**62)):
        if not _is_whole(getattr(settings, name)) or not 0 <= getattr(settings, name) <= most:
            raise _unusable(name, getattr(settings, name), _("a whole number from 0 to %d") % most)
    for name in ("threshold", "base_rate"):
        value = getattr(settings, name)
        if name == "threshold" and value is None:
            continue
        if not _is_number(value) or not 0 < value < 1:
            raise _unusable(name, value, _("a probability above 0 and below 1"))
    if not isinstance(settings.consent_text, str) or len(settings.consent_text) > LONGEST_TEXT:
        raise _unusable("consent_text", settings.consent_text, _("at most %d characters") % LONGEST_TEXT)
    if not isinstance(settings.consent_edition, str) or not settings.consent_edition.isdecimal():
        raise _unusable("consent_edition", settings.consent_edition, _("a whole number, as a text"))
    last, right = settings.practice_last, settings.practice_right
    if not _is_whole(last) or not 0 <= last <= MOST_PRACTICE:
        raise _unusable("practice_last", last, _("a whole number from 0 to %d") % MOST_PRACTICE)
    if not _is_whole(right) or not 0 <= right <= last:
        raise _unusable("practice_right", right, _("a whole number from 0 to %d") % last)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _unusable(name: str, value: object, right: str) -> InvalidInput:
    shown = json.dumps(value)[:60]
    sentence = _("The setting “%(name)s” of this triage is %(value)s, and should be %(right)s.")
    return InvalidInput(sentence % {"name": name, "value": shown, "right": right}, code="triage_settings")
