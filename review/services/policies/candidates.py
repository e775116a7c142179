"""Candidates: people accept, correct or reject what a model proposes.

The answers of reviewers decide, by majority; those of annotators are kept as votes. A verdict is a function
of the standing answers alone, so neither their order nor the number of times it is computed matters, and
taking an answer back undoes all that it did: the verdict, the reviewed catalogue's entry, the retirement.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from annotate.models import Campaign, Catalogue, Feature
from annotate.services.catalogues import next_version
from annotate.services.shapes import rim
from mlcore import geodesy
from mlcore.bodies import get_body
from mlcore.errors import InvalidInput
from review.models import Classification, Subject, Verdict, Workflow
from review.services.policies.change import Change

Answer = Classification.Answer

DEFAULT_WANTED = 1
DEFAULT_RANDOM_SHARE = 0.15
MOST_WANTED = 1000
SETTLED = "settled"
SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Circle:
    """A crater rim: degrees and metres."""

    lon: float
    lat: float
    diameter_m: float


@dataclass(frozen=True)
class Vote:
    """A reviewer's standing answer; `circle` is the corrected rim of an edit."""

    uid: str
    answer: str
    reason: str = ""
    circle: Circle | None = None


@dataclass(frozen=True)
class Decision:
    """What the answers come to."""

    answer: str
    reason: str
    rule: str
    evidence: tuple[str, ...]
    circle: Circle
    edited: bool
    share: float


def workflow_of(campaign: Campaign) -> Workflow:
    """The campaign's workflow of this policy, made at first need."""
    workflow, _created = Workflow.objects.get_or_create(
        campaign=campaign,
        policy=Workflow.Policy.CANDIDATES,
        defaults={"question": "Is this a crater, and is its rim right?"},
    )
    return workflow


def check_settings(workflow: Workflow) -> None:
    """Refuse settings that would stop a search at its very end, or the next verdict."""
    random_share_of(workflow)
    wanted_of(workflow)


def random_share_of(workflow: Workflow) -> float:
    """The share of proposals that are asked at random, 0 to 1, of the workflow's settings."""
    share = _setting(workflow, "random_share", DEFAULT_RANDOM_SHARE)
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise _unusable(workflow, "random_share", share, _("a number from 0 to 1"))
    return float(share)


def wanted_of(workflow: Workflow) -> int:
    """How many answers a proposal needs, of the workflow's settings."""
    wanted = _setting(workflow, "wanted", DEFAULT_WANTED)
    if isinstance(wanted, bool) or not isinstance(wanted, int) or not 1 <= wanted <= MOST_WANTED:
        raise _unusable(workflow, "wanted", wanted, _("a whole number from 1 to %d") % MOST_WANTED)
    return wanted


def _setting(workflow: Workflow, name: str, default: float) -> object:
    if not isinstance(workflow.settings, dict):
        raise _unusable(workflow, "settings", workflow.settings, _("an object, such as {}"))
    return workflow.settings.get(name, default)


def _unusable(workflow: Workflow, name: str, value: object, right: str) -> InvalidInput:
    sentence = _(
        "The setting “%(name)s” of the workflow “%(workflow)s” is %(value)s, and should be %(right)s. "
        "The administrator can correct it on the workflow's page in the admin."
    )
    shown = json.dumps(value)[:60]
    words = {"name": name, "workflow": workflow, "value": shown, "right": right}
    return InvalidInput(sentence % words, code="workflow_settings")


def check(subject: Subject, *, answer: str, reason: str, payload: dict[str, object]) -> dict[str, object]:
    """Refuse a rejection without a known reason and a correction without a rim; return what to keep."""
    known = Classification.RejectReason
    if answer == Answer.REJECT and reason not in known.values:
        raise InvalidInput(
            _("A rejection needs one of these reasons: %(known)s.") % {"known": ", ".join(known.values)},
            code="reason",
        )
    if answer != Answer.EDIT:
        return {}
    circle = _circle_from(payload)
    radius_m = get_body(subject.workflow.campaign.body).radius_m
    geodesy.check_circle(circle.lon, circle.lat, circle.diameter_m, radius_m)
    return {"lon": circle.lon, "lat": circle.lat, "diameter_m": circle.diameter_m}


def decide(votes: Sequence[Vote], *, proposed: Circle, wanted: int) -> Decision | None:
    """What the votes come to; None while fewer than wanted have been given.

    More than half for a crater confirms it, more than half against rejects it, everything else is unsure.
    Corrected rims are averaged unless more people accepted the proposed one.
    """
    votes = sorted((vote for vote in votes if vote.answer != Answer.SKIP), key=lambda vote: vote.uid)
    if not votes or len(votes) < wanted:
        return None
    edits = [vote.circle for vote in votes if vote.answer == Answer.EDIT and vote.circle]
    n_accepted = sum(vote.answer == Answer.ACCEPT for vote in votes)
    reasons = Counter(vote.reason for vote in votes if vote.answer == Answer.REJECT)
    n_crater, n_rejected = n_accepted + len(edits), reasons.total()
    edited = len(edits) > 0 and len(edits) >= n_accepted
    answer, reason = Verdict.Answer.UNSURE, ""
    if 2 * n_crater > len(votes):
        answer = Verdict.Answer.CONFIRMED
    elif 2 * n_rejected > len(votes):
        answer = Verdict.Answer.REJECTED
        reason = min(reasons, key=lambda name: (-reasons[name], name))
    return Decision(
        answer=answer,
        reason=reason,
        rule=f"majority of reviewers: {n_crater} crater, {n_rejected} not, of {len(votes)} ({wanted} wanted)",
        evidence=tuple(vote.uid for vote in votes),
        circle=_mean(edits) if edited else proposed,
        edited=edited,
        share=n_crater / len(votes),
    )


def settle(subject: Subject, change: Change | None = None) -> Verdict | None:
    """Bring verdict, reviewed catalogue and retirement into line with the standing answers.

    The caller holds the subject's row lock. What has changed does not matter here.
    """
    feature = subject.feature
    votes = [
        Vote(str(c.uid), c.answer, c.reason, _circle_from(c.payload) if c.answer == Answer.EDIT else None)
        for c in subject.classifications.filter(round=0, as_reviewer=True).standing()
    ]
    decision = decide(
        votes,
        proposed=Circle(feature.lon, feature.lat, feature.diameter_m),
        wanted=wanted_of(subject.workflow),
    )
    standing = Verdict.objects.select_related("feature").filter(subject=subject).first()
    subject.n_answers = sum(vote.answer != Answer.SKIP for vote in votes)
    if decision is None:
        _unsettle(subject, standing)
        return None
    return _write(subject, standing, decision)


def recompute(workflow: Workflow) -> int:
    """Settle every subject anew from the log, as after a change of the rule; how many verdicts stand."""
    for pk in workflow.subjects.values_list("pk", flat=True):
        with transaction.atomic():
            settle(Subject.objects.select_for_update().get(pk=pk))
    return Verdict.objects.filter(subject__workflow=workflow).count()


def reviewed_catalogue(campaign: Campaign) -> Catalogue:
    """The campaign's one reviewed catalogue, made at first need."""
    known = campaign.catalogues.filter(origin=Catalogue.Origin.REVIEWED).first()
    if known is not None:
        return known
    # Two first verdicts at the same moment would otherwise make two.
    Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
    known = campaign.catalogues.filter(origin=Catalogue.Origin.REVIEWED).first()
    if known is not None:
        return known
    name = f"{campaign.name[:180]} reviewed"
    return Catalogue.objects.create(
        name=name,
        version=next_version(campaign.body, name),
        body=campaign.body,
        origin=Catalogue.Origin.REVIEWED,
        campaign=campaign,
        source=campaign.name,
        synthetic=campaign.synthetic,
        created_by=campaign.created_by,
    )


def _write(subject: Subject, standing: Verdict | None, decision: Decision) -> Verdict:
    confirmed = decision.answer == Verdict.Answer.CONFIRMED
    verdict = standing or Verdict(subject=subject)
    if (verdict.answer, verdict.evidence) != (decision.answer, list(decision.evidence)):
        verdict.settled_at = timezone.now()
    entry = verdict.feature
    if confirmed:
        entry = _entry(subject, verdict, decision)
    elif entry is not None:
        verdict.feature, removed = None, entry
        verdict.save()
        removed.delete()
        entry = None
    verdict.answer, verdict.reason, verdict.rule = decision.answer, decision.reason, decision.rule
    verdict.evidence, verdict.feature = list(decision.evidence), entry
    verdict.save()
    status = {
        Verdict.Answer.CONFIRMED: Feature.Status.CONFIRMED,
        Verdict.Answer.REJECTED: Feature.Status.REJECTED,
    }.get(decision.answer, Feature.Status.CANDIDATE)
    _mark_proposal(subject.feature, status, entry)
    if subject.retired_at is None:
        subject.retired_at, subject.retired_because = timezone.now(), SETTLED
    subject.save(update_fields=["n_answers", "retired_at", "retired_because"])
    return verdict


def _unsettle(subject: Subject, standing: Verdict | None) -> None:
    if standing is not None:
        entry = standing.feature
        standing.delete()
        _mark_proposal(subject.feature, Feature.Status.CANDIDATE, None)
        if entry is not None:
            entry.delete()
    if subject.retired_because == SETTLED:
        subject.retired_at, subject.retired_because = None, ""
    subject.save(update_fields=["n_answers", "retired_at", "retired_because"])


def _entry(subject: Subject, verdict: Verdict, decision: Decision) -> Feature:
    """The reviewed catalogue's crater, made or brought into line."""
    proposal, circle = subject.feature, decision.circle
    campaign = subject.workflow.campaign
    entry = verdict.feature or Feature(catalogue=reviewed_catalogue(campaign), kind=proposal.kind)
    entry.lon, entry.lat, entry.diameter_m = circle.lon, circle.lat, circle.diameter_m
    entry.geom = rim(circle.lon, circle.lat, circle.diameter_m, campaign.body)
    entry.status, entry.score = Feature.Status.CONFIRMED, decision.share
    entry.provenance = {
        "verdict": str(verdict.uid),
        "proposal": str(proposal.uid),
        "edited": decision.edited,
        **{key: proposal.provenance[key] for key in ("model_version", "run") if key in proposal.provenance},
    }
    entry.save()
    return entry


def _mark_proposal(proposal: Feature, status: str, entry: Feature | None) -> None:
    """Show on the proposal, and on later ones found to be the same, what became of it."""
    proposal.status, proposal.same_as = status, entry
    proposal.save(update_fields=["status", "same_as"])
    proposal.matched_by.update(status=status)


def _circle_from(payload: dict[str, object]) -> Circle:
    values = [payload.get(name) for name in ("lon", "lat", "diameter_m")]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and isfinite(v) for v in values):
        raise InvalidInput(
            _("A corrected rim needs numbers for lon, lat and diameter_m; draw it again."), code="rim"
        )
    return Circle(*(float(value) for value in values))


def _mean(circles: Sequence[Circle]) -> Circle:
    """The middle of rims that people drew: mean place on the sphere, mean diameter."""
    if len(circles) == 1:
        return circles[0]
    points = geodesy.unit_vectors([c.lon for c in circles], [c.lat for c in circles])
    x, y, z = points.sum(axis=0)
    lon, lat = np.degrees([np.arctan2(y, x), np.arctan2(z, np.hypot(x, y))])
    return Circle(float(lon), float(lat), sum(c.diameter_m for c in circles) / len(circles))
