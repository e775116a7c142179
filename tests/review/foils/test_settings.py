"""What leads set of a triage: defaults, changes, refusals."""

from typing import Any

import pytest

from mlcore.errors import InvalidInput
from review.models import Workflow
from review.services.foils import settings
from review.services.foils.settings import TriageSettings

pytestmark = pytest.mark.django_db


def test_it_works_without_a_word(triage: Workflow):
    found = settings.of(triage)
    assert found == TriageSettings()
    assert "pseudonym" in found.text


def test_a_change_is_kept_and_leaves_the_rest(triage: Workflow):
    triage.settings = {"mine": 1, "audit_share": 0.3}
    triage.save()
    settings.change(workflow=triage, threshold=None, practice_last=4, practice_right=3)
    again = settings.of(Workflow.objects.get(pk=triage.pk))
    assert (again.threshold, again.audit_share, again.practice_last, again.practice_right) == (
        None,
        0.3,
        4,
        3,
    )
    assert Workflow.objects.get(pk=triage.pk).settings["mine"] == 1


def test_another_text_is_another_edition(triage: Workflow):
    assert settings.change(workflow=triage, feedback_share=0.2).consent_edition == "1"
    assert settings.change(workflow=triage, consent_text="Yes?").consent_edition == "2"
    assert settings.change(workflow=triage, consent_text="Yes?").consent_edition == "2"
    assert settings.of(triage).text == "Yes?"


@pytest.mark.parametrize(
    "changes",
    [
        {"audit_share": 1.5},
        {"audit_share": True},
        {"feedback_share": "half"},
        {"threshold": 0},
        {"base_rate": 1.0},
        {"base_rate": None},
        {"consent_text": "x" * 5001},
        {"practice_last": 51},
        {"practice_last": 4, "practice_right": 5},
    ],
)
def test_what_is_out_of_range_is_refused_by_name(triage: Workflow, changes: dict[str, Any]):
    with pytest.raises(InvalidInput, match=list(changes)[-1]):
        settings.change(workflow=triage, **changes)
    assert settings.of(Workflow.objects.get(pk=triage.pk)) == TriageSettings()


@pytest.mark.parametrize("name", ["colour", "consent_edition"])
def test_there_is_no_other_setting(triage: Workflow, name: str):
    with pytest.raises(InvalidInput, match=name):
        settings.change(workflow=triage, **{name: 1})


@pytest.mark.parametrize("stored", [[], {"practice": 3}, {"audit_share": -1}])
def test_what_somebody_wrote_by_hand_is_named(triage: Workflow, stored: Any):
    triage.settings = stored
    with pytest.raises(InvalidInput, match="should be"):
        settings.of(triage)
