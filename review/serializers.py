"""Shapes: what the API takes in, and what it gives out."""

from typing import Any, TypedDict

from django.urls import reverse
from rest_framework import serializers

from annotate.models import Participant
from review.models import Classification, ModelVersion, Run, RunEvent, Subject, Workflow
from review.services import cutouts, queue, standing, windows
from review.services.cutouts import CutoutOut, NearestOut, ProfileOut


class ClassificationIn(serializers.Serializer):
    uid = serializers.UUIDField()
    subject = serializers.UUIDField()
    answer = serializers.CharField(max_length=16)
    reason = serializers.CharField(max_length=40, allow_blank=True, default="")
    payload = serializers.DictField(default=dict)
    duration_ms = serializers.IntegerField(
        min_value=0, max_value=24 * 3600 * 1000, allow_null=True, default=None
    )


class RunIn(serializers.Serializer):
    """Training reads preset, label_catalogues, searched, start_from; prediction model_version, basemap."""

    verb = serializers.ChoiceField(choices=Run.Verb.choices)
    system = serializers.CharField(max_length=32, default="crater_detector")
    preset = serializers.CharField(max_length=32, default="quick")
    label_catalogues = serializers.ListField(child=serializers.UUIDField(), max_length=20, default=list)
    searched = serializers.ChoiceField(choices=["tiles", "region"], default="tiles")
    start_from = serializers.UUIDField(allow_null=True, default=None)
    model_version = serializers.UUIDField(allow_null=True, default=None)
    basemap = serializers.UUIDField(allow_null=True, default=None)


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
