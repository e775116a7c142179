"""Policies: how a workflow checks an answer and what the answers to a subject come to.

The recording engine (classifications, queue) is the same for all of them; a new workflow is a module
here with the same two verbs, and a line in POLICIES.
"""

from typing import Protocol

from review.models import Subject, Verdict, Workflow
from review.services.policies import candidates, triage
from review.services.policies.change import Change


class Policy(Protocol):
    def check(
        self, subject: Subject, *, answer: str, reason: str, payload: dict[str, object]
    ) -> dict[str, object]:
        """Refuse what cannot be an answer here; return the payload to keep."""

    def settle(self, subject: Subject, change: Change | None = None) -> Verdict | None:
        """Bring the result into line with the standing answers; the caller holds the subject's lock.

        The change is what has just been appended; None where all is taken anew.
        """


POLICIES: dict[str, Policy] = {
    Workflow.Policy.CANDIDATES: candidates,
    Workflow.Policy.TRIAGE: triage,
}


__all__ = ["POLICIES", "Change", "Policy", "policy_of"]


def policy_of(workflow: Workflow) -> Policy:
    """The module that knows the workflow's rules."""
    return POLICIES[workflow.policy]
