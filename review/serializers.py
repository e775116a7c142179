"""Shapes: what the API takes in, and what it gives out."""

from dataclasses import asdict
from typing import Any, TypedDict

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from annotate.models import Participant
from annotate.serializers import NumberField
from review.answers import TRIAGE_ANSWERS
from review.models import Classification, CutOut, ModelVersion, Run, RunEvent, Showing, Subject, Workflow
from review.services import cutouts, queue, standing, windows
from review.services.cutouts import CutoutOut, NearestOut, ProfileOut
from review.services.foils import settings as triage_settings
from review.services.foils.judging.judging import Handed, Standing
from review.services.foils.judging.practice import Practice
from review.services.foils.judging.progress import Progress
from review.services.foils.judging.selves import Person
from review.services.foils.network.cut_outs import MOST_POINTS


class ClassificationIn(serializers.Serializer):
    uid = serializers.UUIDField()
    subject = serializers.UUIDField()
    answer = serializers.CharField(max_length=16)
    reason = serializers.CharField(max_length=40, allow_blank=True, default="")
    payload = serializers.DictField(default=dict)
    duration_ms = serializers.IntegerField(
        min_value=0, max_value=24 * 3600 * 1000, allow_null=True, default=None
    )


class MarkIn(serializers.Serializer):
    x_px = serializers.FloatField()
    y_px = serializers.FloatField()


class TriageStartIn(serializers.Serializer):
    consent = serializers.CharField(max_length=64, help_text="The edition of the text that was read.")


class TriageAnswerIn(serializers.Serializer):
    uid = serializers.UUIDField(help_text="Made by the asker; sent again, nothing changes.")
    showing = serializers.UUIDField()
    # Without the answer itself, which may be a million letters.
    answer = serializers.ChoiceField(
        choices=TRIAGE_ANSWERS,
        error_messages={"invalid_choice": _("Give one of crater, nothing and cannot_tell.")},
    )
    marks = MarkIn(many=True, default=list, help_text="Of a crater 1 to 20 places inside the picture.")
    duration_ms = serializers.IntegerField(
        min_value=0, max_value=24 * 3600 * 1000, allow_null=True, default=None
    )


class CutOutIn(serializers.Serializer):
    uid = serializers.UUIDField(help_text="Made by the asker; sent again, nothing changes.")
    frame = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    polygon = serializers.ListField(
        child=serializers.ListField(child=NumberField(), min_length=2, max_length=2),
        max_length=MOST_POINTS,
        help_text="[x_px, y_px] around the crater, open, in the frame's pixels, at least three.",
    )
    mends = serializers.UUIDField(
        allow_null=True, default=None, help_text="Another one of the picture, withdrawn by this one."
    )


class RunIn(serializers.Serializer):
    """Training reads preset and start_from, on maps label_catalogues and searched too; predict reads
    model_version, on maps basemap, on pictures of foils only_new.
    """

    verb = serializers.ChoiceField(choices=Run.Verb.choices)
    system = serializers.CharField(
        max_length=32, default="", allow_blank=True, help_text="Where none is given, that of such campaigns."
    )
    preset = serializers.CharField(max_length=32, default="quick")
    label_catalogues = serializers.ListField(child=serializers.UUIDField(), max_length=20, default=list)
    searched = serializers.ChoiceField(choices=["tiles", "region"], default="tiles")
    start_from = serializers.UUIDField(allow_null=True, default=None)
    model_version = serializers.UUIDField(allow_null=True, default=None)
    basemap = serializers.UUIDField(allow_null=True, default=None)
    only_new = serializers.BooleanField(default=False, help_text="Only pictures without a score.")


class ProgressOut(TypedDict):
    done: int
    waiting: int
    per_minute: float


class ModelOut(TypedDict):
    system: str
    number: int


class SubjectOut(TypedDict):
    """For those who are not reviewers, what would bias them is None or empty: score, why, neighbours."""

    uid: str
    lon: float
    lat: float
    diameter_m: float
    score: float | None
    uncertainty: float | None
    why: str
    nearest: NearestOut | None
    cutout: CutoutOut
    profile: ProfileOut | None
    model: ModelOut | None


class NextOut(TypedDict):
    subject: SubjectOut | None
    reason: str | None
    progress: ProgressOut


def progress_out(workflow: Workflow, participant: Participant) -> ProgressOut:
    now = queue.progress(workflow=workflow, participant=participant)
    return {"done": now.done, "waiting": now.waiting, "per_minute": now.per_minute}


def subject_out(subject: Subject, *, as_reviewer: bool) -> SubjectOut:
    """A subject as one judge may see it: nobody's answers, and for volunteers no score either."""
    feature = subject.feature
    run = getattr(feature.catalogue, "run", None)
    version = run.model_version if run else None
    return {
        "uid": str(subject.uid),
        "lon": feature.lon,
        "lat": feature.lat,
        "diameter_m": feature.diameter_m,
        "score": feature.score if as_reviewer else None,
        "uncertainty": feature.uncertainty if as_reviewer else None,
        "why": subject.why if as_reviewer else "",
        "nearest": cutouts.nearest_known(subject) if as_reviewer else None,
        "cutout": cutouts.describe(subject),
        "profile": cutouts.profile(subject),
        "model": {"system": version.system, "number": version.number} if version else None,
    }


def next_out(workflow: Workflow, participant: Participant, *, as_reviewer: bool) -> NextOut:
    """Hand out the next subject, or say why there is none."""
    subject = queue.next_subject(workflow=workflow, participant=participant)
    return {
        "subject": subject_out(subject, as_reviewer=as_reviewer) if subject else None,
        "reason": None if subject else queue.why_nothing(workflow=workflow, participant=participant),
        "progress": progress_out(workflow, participant),
    }


def classification_out(classification: Classification) -> dict[str, Any]:
    """The asker's own answer, as stored."""
    return {
        "uid": str(classification.uid),
        "subject": str(classification.subject.uid),
        "answer": classification.answer,
        "reason": classification.reason,
        "payload": classification.payload,
        "edit": classification.edit,
        "at": classification.created_at.isoformat(),
    }


def practice_out(practice: Practice | None) -> dict[str, int] | None:
    return asdict(practice) if practice else None


def progress_of(progress: Progress) -> dict[str, Any]:
    known = {"right": progress.known_right, "of": progress.known_of}
    return {
        "answered": progress.answered,
        "today": progress.today,
        "effort": progress.effort,
        "open": progress.open,
        "undo": progress.undo,
        "known": known if progress.known_of else None,
    }


def state_out(workflow: Workflow, person: Person | None, standing: Standing) -> dict[str, Any]:
    """Where somebody stands in a triage."""
    settings = triage_settings.of(workflow)
    return {
        "stage": standing.stage,
        "consent": {"edition": settings.consent_edition, "text": settings.text},
        "person": {
            "uid": str(person.participant.uid),
            "pseudonym": person.participant.pseudonym,
            "is_anonymous": person.is_anonymous,
        }
        if person
        else None,
        "practice": practice_out(standing.practice),
        "progress": progress_of(standing.progress) if standing.progress else None,
    }


def showing_out(showing: Showing) -> dict[str, Any]:
    """A picture before a judge, who learns nothing of the subject; the showing brings n_frames."""
    picture = showing.subject.picture
    return {
        "uid": str(showing.uid),
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "nm_per_px": picture.nm_per_px,
        "frames": [
            {"url": reverse("review:api_showing_frame", args=[showing.uid, number])}
            for number in range(showing.n_frames)
        ],
    }


def handed_out(handed: Handed) -> dict[str, Any]:
    """What is open to a judge."""
    standing = handed.standing
    return {
        "showings": [showing_out(showing) for showing in handed.showings],
        "reason": handed.reason,
        "stage": standing.stage,
        "practice": practice_out(standing.practice),
        "progress": progress_of(standing.progress),
    }


def cut_out_out(cut_out: CutOut) -> dict[str, Any]:
    """A cut-out as its page and the API tell it."""
    um_per_px = (cut_out.picture.nm_per_px or 0.0) / 1000.0
    withdrawn_at = cut_out.withdrawn_at
    return {
        "uid": str(cut_out.uid),
        "picture": str(cut_out.picture.uid),
        "frame": cut_out.frame,
        "polygon": cut_out.polygon,
        "diameter_px": cut_out.diameter_px,
        "diameter_um": cut_out.diameter_px * um_per_px if um_per_px else None,
        "by": str(cut_out.by) if cut_out.by else None,
        "at": cut_out.created_at.isoformat(),
        "withdrawn_by": str(cut_out.withdrawn_by) if cut_out.withdrawn_by else None,
        "withdrawn_at": withdrawn_at.isoformat() if withdrawn_at else None,
        "url": reverse("review:foil_cut_out", args=[cut_out.uid]),
        "withdraw_url": reverse("review:api_foil_cut_out_withdraw", args=[cut_out.uid]),
        "restore_url": reverse("review:api_foil_cut_out_restore", args=[cut_out.uid]),
    }


def version_out(version: ModelVersion) -> dict[str, Any]:
    return {
        "uid": str(version.uid),
        "number": version.number,
        "is_current": version.is_current,
        "card": version.card,
    }


def event_out(event: RunEvent) -> dict[str, Any]:
    return {"id": event.pk, "kind": event.kind, "payload": event.payload, "at": event.created_at.isoformat()}


# A page that was away for long catches up in several calls.
EVENTS_AT_ONCE = 2_000


def run_out(run: Run, *, after: int = 0) -> dict[str, Any]:
    """A run with the events after the given id, oldest first."""
    events = run.events.filter(pk__gt=after).order_by("pk")[:EVENTS_AT_ONCE]
    version = ModelVersion.objects.filter(run=run).first()
    return {
        "uid": str(run.uid),
        "url": reverse("review:run", args=[run.uid]),
        "number": run.number,
        "verb": run.verb,
        "system": run.system,
        "state": run.state,
        "state_title": run.get_state_display(),
        "attempt": run.attempt,
        "progress": run.progress,
        "stage": run.stage,
        "eta_s": run.eta_s,
        "error": run.error,
        "worker": ", ".join(windows.searchers(run)) or run.worker,
        "heartbeat_at": run.heartbeat_at.isoformat() if run.heartbeat_at else None,
        "trouble": standing.trouble_of(run),
        "events": [event_out(event) for event in events],
        "dataset": {"sha256": run.dataset.sha256, "counts": run.dataset.counts} if run.dataset else None,
        "version": version_out(version) if version else None,
        "catalogue": str(run.catalogue.uid) if run.catalogue else None,
    }
