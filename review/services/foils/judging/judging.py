"""Judging pictures: agree, pass the test, answer, take back; each in one transaction, one at a time."""

from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mlcore.errors import Conflict, NotFound
from review.models import Classification, Gold, Judge, Showing, Workflow
from review.services import classifications
from review.services.foils import ground
from review.services.foils import settings as triage_settings
from review.services.foils.gold import known
from review.services.foils.gold.known import FeedbackOut
from review.services.foils.judging import practice, progress, showings
from review.services.foils.judging.practice import Practice
from review.services.foils.judging.progress import Progress
from review.services.foils.judging.selves import Person
from review.services.foils.settings import TriageSettings

CONSENT, PRACTICE, JUDGING = "consent", "practice", "judging"


@dataclass(frozen=True)
class Standing:
    """Where a person stands in a triage; practice only during the test, progress once they have agreed."""

    stage: str
    practice: Practice | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class Handed:
    """What is open to a person, or why nothing is, and where they stand."""

    showings: list[Showing]
    reason: str | None
    standing: Standing


@dataclass(frozen=True)
class Answered:
    """The stored answer, what its giver is told, and what comes next."""

    classification: Classification
    showing: Showing
    feedback: FeedbackOut | None
    handed: Handed


@dataclass(frozen=True)
class Returned:
    """A showing whose answer was taken back, and that answer."""

    showing: Showing
    previous: Classification
    progress: Progress


def standing_of(workflow: Workflow, person: Person | None) -> Standing:
    """Where the person stands; changes nothing."""
    judge = _judges(workflow, person).first() if person else None
    if judge is None:
        return Standing(CONSENT)
    return _standing(workflow, judge, person, triage_settings.of(workflow))


@transaction.atomic
def start(*, workflow: Workflow, person: Person, consent: str) -> Standing:
    """Agree to the text of this edition.

    Raises:
        Conflict: The text has changed since it was shown.
    """
    refuse_other_edition(workflow, consent)
    judge, _is_new = Judge.objects.select_for_update(no_key=True).get_or_create(
        workflow=workflow, participant=person.participant
    )
    if judge.consent != consent:
        judge.consent, judge.consented_at = consent, timezone.now()
        judge.save(update_fields=["consent", "consented_at"])
    return _standing(workflow, judge, person, triage_settings.of(workflow))


def refuse_other_edition(workflow: Workflow, consent: str) -> None:
    """Refuse an agreement to another text than the one that stands.

    Raises:
        Conflict: See above.
    """
    settings = triage_settings.of(workflow)
    if consent != settings.consent_edition:
        raise Conflict(
            _("The text has changed since this page was loaded; read it again and agree to the new one."),
            code="consent_edition",
            current={"edition": settings.consent_edition, "text": settings.text},
        )


@transaction.atomic
def hand_out(*, workflow: Workflow, person: Person, network: str = "") -> Handed:
    """The person's open showings, topped up to three.

    Raises:
        Conflict: They have not agreed to the text.
    """
    judge = _lock(workflow, person)
    settings = triage_settings.of(workflow)
    if judge.consent != settings.consent_edition:
        raise _not_agreed()
    return _hand_out(workflow, judge, person, settings, network)


def answer(
    *,
    workflow: Workflow,
    person: Person,
    uid: UUID,
    showing: UUID,
    answer: str,
    marks: list[dict[str, float]],
    duration_ms: int | None,
    network: str = "",
) -> Answered:
    """Store an answer to a showing, and hand out what comes next; the same uid again changes nothing.

    A late one is kept too: of a showing that has expired, of a subject that has retired meanwhile, of
    somebody who has not yet agreed to a new text.

    Raises:
        NotFound: The showing is not theirs.
        Conflict: They have been told what is right, the uid was used for something else, or they never
            agreed.
        InvalidInput: It is no answer to a picture.
    """
    with classifications.recording(uid):
        judge = _lock(workflow, person)
        ground.hold(workflow)
        shown = _own(workflow, person, showing)
        stored = classifications.append(
            workflow=workflow,
            subject=shown.subject,
            participant=shown.participant,
            uid=uid,
            answer=answer,
            payload={"marks": marks},
            duration_ms=duration_ms,
            feedback_shown=shown.with_feedback,
            round=shown.round,
        )
        _close(shown, stored)
        judge.refresh_from_db()
        settings = triage_settings.of(workflow)
        handed = _hand_out(workflow, judge, person, settings, network)
    return Answered(stored, shown, _feedback(shown, stored), handed)


@transaction.atomic
def back(*, workflow: Workflow, person: Person) -> Returned:
    """Take the person's last standing answer back and show its picture again.

    Raises:
        Conflict: There is none among their last ten, or they have been told what is right.
    """
    judge = _lock(workflow, person)
    found = progress.undoable(workflow, person)
    if not found:
        raise Conflict(
            _(
                "No answer can be taken back now: it goes %d pictures back, and not past one of which you "
                "have seen whether it was right."
            )
            % progress.STEPS_BACK,
            code="no_way_back",
        )
    last = found[0]
    classifications.withdraw(last)
    reopened = Showing.objects.filter(
        subject=last.subject_id, participant=last.participant_id, round=last.round
    )
    reopened.update(answered_at=None, expires_at=timezone.now() + showings.EXPIRES)
    judge.refresh_from_db()
    showing = (
        reopened.select_related("subject__picture")
        .annotate(n_frames=showings.frames_of("subject__picture"))
        .get()
    )
    return Returned(showing, last, progress.of(workflow, judge, person))


def _hand_out(
    workflow: Workflow, judge: Judge, person: Person, settings: TriageSettings, network: str
) -> Handed:
    standing = _standing(workflow, judge, person, settings)
    if standing.stage == CONSENT:
        return Handed([], None, standing)
    if standing.practice is not None and standing.practice.is_passed:
        practice.let_in(judge)
        standing = _standing(workflow, judge, person, settings)
    if standing.stage == JUDGING and judge.passed_practice_at is None:
        # There is no test; nobody looks for one at each answer.
        practice.let_in(judge)
    if standing.stage == PRACTICE:
        return Handed(practice.top_up(workflow=workflow, person=person), None, standing)
    found = showings.top_up(workflow=workflow, judge=judge, person=person, settings=settings, network=network)
    reason = None if found else showings.why_nothing(workflow=workflow, person=person)
    return Handed(found, reason, standing)


def _standing(workflow: Workflow, judge: Judge, person: Person, settings: TriageSettings) -> Standing:
    now = progress.of(workflow, judge, person)
    if judge.consent != settings.consent_edition:
        return Standing(CONSENT, None, now)
    if practice.is_needed(workflow, judge, settings):
        return Standing(PRACTICE, practice.of(workflow, person, settings), now)
    return Standing(JUDGING, None, now)


def _judges(workflow: Workflow, person: Person) -> QuerySet[Judge]:
    return Judge.objects.filter(workflow=workflow, participant=person.participant)


def _lock(workflow: Workflow, person: Person) -> Judge:
    """The judge, so that one person's requests take turns.

    Raises:
        Conflict: They have not agreed to the text.
    """
    judge = _judges(workflow, person).select_for_update(no_key=True).first()
    if judge is None:
        raise _not_agreed()
    return judge


def _not_agreed() -> Conflict:
    return Conflict(
        _("Read and agree to what is recorded first; loading the page again shows it."), code="consent"
    )


def _own(workflow: Workflow, person: Person, uid: UUID) -> Showing:
    shown = (
        Showing.objects.select_related("subject", "participant")
        .filter(uid=uid, participant__in=person.pks, subject__workflow=workflow)
        .first()
    )
    if shown is None:
        raise NotFound(_("This picture was not shown to you here; ask for the next one."))
    return shown


def _close(shown: Showing, stored: Classification) -> None:
    """The showing is answered, unless this is an old answer, sent again after it was taken back."""
    later = Classification.objects.filter(
        workflow_id=stored.workflow_id,
        subject_id=stored.subject_id,
        participant_id=stored.participant_id,
        round=stored.round,
        edit__gt=stored.edit,
    )
    Showing.objects.filter(~Exists(later), pk=shown.pk).update(answered_at=timezone.now())


def _feedback(shown: Showing, stored: Classification) -> FeedbackOut | None:
    if not stored.feedback_shown:
        return None
    gold = Gold.objects.select_related("subject__picture").filter(subject=shown.subject_id).first()
    return known.feedback(gold, stored.answer, stored.payload) if gold else None
