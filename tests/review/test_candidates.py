"""Verdicts: a function of the standing answers, and nothing else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Campaign, Catalogue, Feature, Participant
from mlcore.errors import InvalidInput
from review.models import Classification, Subject, Verdict, Workflow
from review.services import classifications
from review.services.policies import candidates
from review.services.policies.candidates import Circle, Vote
from tests.review.conftest import Answer

Subjects = Callable[..., list[Subject]]
Person = Callable[[str], Participant]
RIM = {"lon": 10.02, "lat": 5.01, "diameter_m": 1800.0}
PROPOSED = Circle(10.0, 5.0, 2000.0)


@pytest.mark.django_db
def test_it_works_an_accepted_proposal_enters_the_reviewed_catalogue(
    campaign: Campaign, make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    stored = answer(subject, person("ada"), "accept")
    verdict = Verdict.objects.get()
    assert (verdict.answer, verdict.evidence) == ("confirmed", [str(stored.uid)])
    assert "1 crater, 0 not, of 1" in verdict.rule
    entry = campaign.catalogues.get(origin=Catalogue.Origin.REVIEWED).features.get()
    assert (entry.lon, entry.lat, entry.diameter_m, entry.score) == (10.0, 5.0, 2000.0, 1.0)
    subject.refresh_from_db()
    assert subject.retired_because == "settled"
    assert (subject.feature.status, subject.feature.same_as) == ("confirmed", entry)


@pytest.mark.django_db
def test_a_corrected_rim_is_what_is_kept(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "edit", payload=RIM)
    entry = Verdict.objects.get().feature
    assert {name: getattr(entry, name) for name in RIM} == RIM
    assert entry.provenance["edited"] is True
    assert entry.geom.srid == 900001


@pytest.mark.django_db
def test_a_rejection_is_a_negative_with_its_reason(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "reject", reason="shadow")
    verdict = Verdict.objects.get()
    assert (verdict.answer, verdict.reason, verdict.feature) == ("rejected", "shadow", None)
    assert Feature.objects.get(pk=subject.feature_id).status == "rejected"


@pytest.mark.django_db
def test_taking_back_restores_everything(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "accept")
    classifications.take_back(workflow=workflow, participant=person("ada"))
    subject = Subject.objects.select_related("feature").get()
    assert not Verdict.objects.exists()
    assert not Feature.objects.filter(catalogue__origin=Catalogue.Origin.REVIEWED).exists()
    assert (subject.retired_at, subject.retired_because, subject.n_answers) == (None, "", 0)
    assert (subject.feature.status, subject.feature.same_as) == ("candidate", None)


@pytest.mark.django_db
def test_a_changed_mind_turns_the_verdict(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "accept")
    answer(subject, person("ada"), "reject")
    assert Verdict.objects.get().answer == "rejected"
    assert not Feature.objects.filter(catalogue__origin=Catalogue.Origin.REVIEWED).exists()


@pytest.mark.django_db
def test_what_annotators_say_is_kept_but_does_not_decide(
    make_subjects: Subjects, person: Person, answer: Answer
):
    [subject] = make_subjects(1)
    for name in ("ada", "bob", "cyd"):
        answer(subject, person(name), "reject", as_reviewer=False)
    assert not Verdict.objects.exists()
    answer(subject, person("dan"), "accept")
    assert Verdict.objects.get().answer == "confirmed"


@pytest.mark.django_db
def test_a_skip_decides_nothing(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    answer(subject, person("ada"), "skip")
    assert not Verdict.objects.exists()
    assert Subject.objects.get().n_answers == 0


@pytest.mark.django_db
def test_two_wanted_and_divided_is_unsure(make_subjects: Subjects, person: Person, answer: Answer):
    [subject] = make_subjects(1)
    subject.workflow.settings = {"wanted": 2}
    subject.workflow.save()
    answer(subject, person("ada"), "accept")
    assert not Verdict.objects.exists()
    answer(subject, person("bob"), "reject")
    assert Verdict.objects.get().answer == "unsure"
    assert Feature.objects.get(pk=subject.feature_id).status == "candidate"


@pytest.mark.django_db
def test_recomputing_from_the_log_gives_the_same(
    workflow: Workflow, make_subjects: Subjects, person: Person, answer: Answer
):
    subjects = make_subjects(4)
    for subject, what in zip(subjects, ("accept", "reject", "unsure", "skip"), strict=True):
        answer(subject, person("ada"), what)
    before = list(
        Verdict.objects.order_by("subject").values("subject", "answer", "rule", "evidence", "feature")
    )
    assert candidates.recompute(workflow) == 3
    after = list(
        Verdict.objects.order_by("subject").values("subject", "answer", "rule", "evidence", "feature")
    )
    assert after == before
    Verdict.objects.all().delete()
    assert candidates.recompute(workflow) == 3
    assert [v["answer"] for v in before] == list(
        Verdict.objects.order_by("subject").values_list("answer", flat=True)
    )


@pytest.mark.django_db
@pytest.mark.parametrize("reason", ["", "because"])
def test_a_rejection_needs_a_known_reason(
    make_subjects: Subjects, person: Person, answer: Answer, reason: str
):
    [subject] = make_subjects(1)
    with pytest.raises(InvalidInput, match="ridge, overlap, depression, secondary_chain, seam, shadow"):
        answer(subject, person("ada"), "reject", reason=reason)
    assert not Classification.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "rim",
    [
        {},
        RIM | {"lat": 95.0},
        RIM | {"diameter_m": -1.0},
        RIM | {"diameter_m": 9e9},
        RIM | {"lon": float("nan")},
        RIM | {"lon": "10"},
        RIM | {"lon": True},
    ],
)
def test_a_rim_that_cannot_be_is_refused(
    make_subjects: Subjects, person: Person, answer: Answer, rim: dict[str, object]
):
    [subject] = make_subjects(1)
    with pytest.raises(InvalidInput):
        answer(subject, person("ada"), "edit", payload=rim)
    assert not Classification.objects.exists()


votes = st.lists(
    st.one_of(
        st.sampled_from(["accept", "unsure", "skip"]).map(lambda what: (what, "", None)),
        st.sampled_from(["ridge", "shadow", "seam"]).map(lambda reason: ("reject", reason, None)),
        st.tuples(st.floats(9, 11), st.floats(4, 6), st.floats(100, 5000)).map(
            lambda rim: ("edit", "", Circle(*rim))
        ),
    ),
    max_size=8,
).map(lambda given: [Vote(f"uid-{i}", *vote) for i, vote in enumerate(given)])


@given(votes=votes, order=st.randoms(use_true_random=False), wanted=st.integers(1, 3))
def test_the_order_of_the_log_changes_no_verdict(votes: list[Vote], order: object, wanted: int):
    mixed = list(votes)
    order.shuffle(mixed)
    assert candidates.decide(mixed, proposed=PROPOSED, wanted=wanted) == candidates.decide(
        votes, proposed=PROPOSED, wanted=wanted
    )


@given(votes=votes)
def test_a_verdict_rests_on_every_answer_but_the_skipped(votes: list[Vote]):
    decision = candidates.decide(votes, proposed=PROPOSED, wanted=1)
    given = {vote.uid for vote in votes if vote.answer != "skip"}
    assert (set(decision.evidence) if decision else set()) == given


def test_rims_on_both_sides_of_180_degrees_have_their_middle_there():
    votes = [
        Vote("a", "edit", "", Circle(179.9, 0.0, 1000.0)),
        Vote("b", "edit", "", Circle(-179.9, 0.0, 3000.0)),
    ]
    circle = candidates.decide(votes, proposed=PROPOSED, wanted=1).circle
    assert abs(abs(circle.lon) - 180.0) < 1e-9
    assert circle.diameter_m == 2000.0
