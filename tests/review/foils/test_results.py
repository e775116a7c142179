"""What scientists get: candidates in their order, as page and table, statistics, figures and the audit."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, Membership, Participant, Role, User
from annotate.services.participants import participant_of
from mlcore.consensus.answers.stopping import Outcome
from mlcore.errors import InvalidInput
from review.models import (
    AuditStratum,
    Classification,
    Confirmation,
    Errand,
    Estimate,
    Judge,
    ModelVersion,
    Picture,
    Reckoning,
    ScoreImport,
    Subject,
    Workflow,
)
from review.services import runs
from review.services.foils.results import audited, candidates, figures, reckoning
from review.services.foils.results.candidates import Wish

pytestmark = pytest.mark.django_db

FINDINGS = {
    "rule": 1,
    "set_aside": [],
    "population": {"sensitivity": 0.9, "specificity": 0.95},
    "unknown_weight": 0.3,
    "calibration": {"intercept": 0.1, "slope": 0.8},
    "completeness": [
        {
            "origin": "synthetic", "is_whole": True, "low_um": None, "high_um": None, "n_known": 30, "n": 27,
            "found": 18, "candidates": 15, "interval": [0.4604, 0.8348],
        },
        {
            "origin": "synthetic", "is_whole": False, "low_um": 0.5, "high_um": 1.0, "n_known": 30, "n": 27,
            "found": 18, "candidates": 15, "interval": [0.4604, 0.8348],
        },
    ],
    "specificity": [
        {"origin": "look_alike", "n_known": 10, "n": 10, "let_go": 9, "interval": [0.555, 0.9975]}
    ],
    "reliability": {
        "n": 40, "n_craters": 20, "error": 0.0312,
        "bins": [{"foretold": 0.05, "found": 0.0, "n": 20, "interval": [0.0, 0.168]},
                 {"foretold": 0.94, "found": 1.0, "n": 20, "interval": [0.832, 1.0]}],
    },
    "skills": {"n_people": 3, "sensitivity": [0] * 9 + [3], "specificity": [0] * 8 + [1, 2]},
}  # fmt: skip


@pytest.fixture
def publish(triage: Workflow) -> Callable[..., Reckoning]:
    """A reckoning with these probabilities: publish({subject: 0.9})."""

    def make(probabilities: dict[Subject, float], **findings: object) -> Reckoning:
        made = Reckoning.objects.create(
            workflow=triage, last_classification=0, n_answers=9, n_people=3, n_subjects=2, sha256="ab" * 32,
            findings={**FINDINGS, **findings}, seconds=0.1,
        )  # fmt: skip
        Estimate.objects.bulk_create(
            Estimate(reckoning=made, subject=subject, probability=p, low=p / 2, high=(1 + p) / 2, n_votes=7)
            for subject, p in probabilities.items()
        )
        return made

    return make


@pytest.fixture
def candidates_of_three(make_foil_subjects: Callable, publish: Callable) -> list[Subject]:
    """Three pictures that go to reviewers, the last one undecided; the second is the most probable."""
    subjects = make_foil_subjects(3)
    for subject, outcome in zip(subjects, ("candidate", "candidate", "undecided"), strict=True):
        Subject.objects.filter(pk=subject.pk).update(outcome=outcome)
        subject.outcome = outcome
    publish(dict(zip(subjects, (0.7, 0.99, 0.2), strict=True)))
    return subjects


def call(subject: Subject, judge: Judge, x_px: float = 30, y_px: float = 20, answer: str = "crater") -> None:
    Classification.objects.create(
        uid=uuid4(), workflow=subject.workflow, subject=subject, participant=judge.participant, answer=answer,
        payload={"marks": [{"x_px": x_px, "y_px": y_px}]} if answer == "crater" else {},
    )  # fmt: skip


def settle(subject: Subject, by: User, result: str, **fields: object) -> Confirmation:
    places = [{"x_px": 30, "y_px": 20, "diameter_um": 0.8}] if result == "crater" else []
    return Confirmation.objects.create(
        subject=subject, by=participant_of(by), method="sem", result=result, places=places, **fields
    )


def listed(workflow: Workflow, which: str = "to_look_at", foil: str = "") -> list[Subject]:
    page = candidates.page(reckoning.newest(workflow), Wish(which, foil))
    return [row.subject for row in page.rows]


def page_of(client: Client, campaign: Campaign, name: str = "foil_results", query: str = "") -> str:
    response = client.get(reverse(f"review:{name}", args=[campaign.uid]) + query)
    assert response.status_code == 200
    return response.content.decode()


# -- The list -----------------------------------------------------------------------------------


def test_the_most_probable_come_first(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User
):
    one, two, three = candidates_of_three
    assert listed(one.workflow) == [two, one, three]
    shown = page_of(client_of(lead), foils)
    assert shown.index(str(two.uid)) < shown.index(str(one.uid)) < shown.index(str(three.uid))
    assert "0.99" in shown and "[0.49, 0.9950]" in shown


def test_it_tells_votes_foil_place_and_who_found_it(
    foils: Campaign, candidates_of_three: list[Subject], make_judge: Callable, client_of: Callable, lead: User
):
    _one, two, _ = candidates_of_three
    Picture.objects.filter(pk=two.picture_id).update(foil="C2044", x_um=1250.5, y_um=80.2)
    ada, bob = make_judge("ada"), make_judge("bob")
    call(two, bob)
    call(two, ada)
    shown = page_of(client_of(lead), foils)
    for words in (
        "C2044",
        "x 1250.5, y 80.2",
        "7 answers",
        f"found by {bob.participant.pseudonym} and one more",
    ):
        assert words in shown.replace("\n", " ")
    assert "nobody called it a crater" in shown


def test_discoverers_are_pseudonyms_of_who_called_it_first_and_counts(
    triage: Workflow, candidates_of_three: list[Subject], make_judge: Callable
):
    one = candidates_of_three[0]
    bot, ada, nay = make_judge("bot", quarantined_at=triage.created_at), make_judge("ada"), make_judge("nay")
    visitor = Participant.objects.create(pseudonym="p-earlier", merged_into=ada.participant)
    call(one, bot)
    call(one, Judge(workflow=triage, participant=visitor))
    call(one, nay, answer="nothing")
    call(one, ada, 31, 21)
    row = candidates.found_in(one)
    assert row.discoverers == [ada.participant.pseudonym]
    assert [place.n_people for place in row.places] == [1]


def test_the_consensus_place_is_in_the_middle_of_the_clicks(
    triage: Workflow, candidates_of_three: list[Subject], make_judge: Callable
):
    one = candidates_of_three[0]
    for name, x_px in (("ada", 28), ("bob", 30), ("eve", 34)):
        call(one, make_judge(name), x_px)
    (place,) = candidates.found_in(one).places
    assert place.n_people == 3 and 28 < place.x_px < 34


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ("to_look_at", [1, 2]),
        ("candidates", [1, 0]),
        ("undecided", [2]),
        ("confirmed", [0]),
        ("refuted", []),
        ("all", [1, 0, 2]),
    ],
)
def test_the_list_can_be_limited(
    candidates_of_three: list[Subject], lead: User, which: str, expected: list[int]
):
    settle(candidates_of_three[0], lead, "look_alike")
    settle(candidates_of_three[0], lead, "crater")
    settle(candidates_of_three[2], lead, "unclear")
    found = listed(candidates_of_three[0].workflow, which)
    assert found == [candidates_of_three[at] for at in expected]


def test_one_foil_at_a_time(triage: Workflow, candidates_of_three: list[Subject]):
    Picture.objects.filter(pk=candidates_of_three[2].picture_id).update(foil="C9")
    assert candidates.foils(triage) == ["C9"]
    assert listed(triage, foil="C9") == [candidates_of_three[2]]


def test_the_audit_is_a_list_of_its_own(triage: Workflow, make_foil_subjects: Callable, publish: Callable):
    (audited_,) = make_foil_subjects(1, stratum=Subject.Stratum.AUDIT)
    (other,) = make_foil_subjects(1)
    publish({audited_: 0.1, other: 0.2})
    assert listed(triage, "audit") == [audited_]


def test_known_pictures_are_not_among_them_but_for_former_candidates(
    triage: Workflow, make_gold: Callable, publish: Callable, lead: User
):
    hidden, confirmed = make_gold(2)
    publish({hidden.subject: 0.9, confirmed.subject: 0.8})
    settle(confirmed.subject, lead, "crater")
    assert listed(triage, "all") == [confirmed.subject]


def test_pages_go_on_where_the_last_one_ended(
    triage: Workflow, make_foil_subjects: Callable, publish: Callable, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(candidates, "PER_PAGE", 2)
    subjects = make_foil_subjects(5)
    # Some are as probable as others.
    publish(dict(zip(subjects, (0.1, 0.3, 0.3, 0.3, 1 / 3), strict=True)))
    newest, after, seen = reckoning.newest(triage), "", []
    while True:
        page = candidates.page(newest, Wish("all"), after=after)
        seen += [row.subject for row in page.rows]
        after = page.after
        if not after:
            break
    assert seen == [subjects[4], subjects[1], subjects[2], subjects[3], subjects[0]]


def test_what_is_new_since_the_reckoning_is_told(
    foils: Campaign,
    candidates_of_three: list[Subject],
    make_foil_subjects: Callable,
    client_of: Callable,
    lead: User,
):
    (new,) = make_foil_subjects(1)
    Subject.objects.filter(pk=new.pk).update(outcome=Outcome.CANDIDATE)
    assert "One picture has become a candidate since" in page_of(client_of(lead), foils)


def test_uncalibrated_numbers_say_so(
    foils: Campaign, make_foil_subjects: Callable, publish: Callable, client_of: Callable, lead: User
):
    publish({make_foil_subjects(1)[0]: 0.5}, calibration=None)
    assert "These probabilities are not calibrated" in page_of(client_of(lead), foils)


@pytest.mark.parametrize("query", ["?which=odd", "?after=nonsense", "?after=0x1p-1_x"])
def test_an_address_that_cannot_be_is_a_sentence(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User, query: str
):
    response = client_of(lead).get(reverse("review:foil_results", args=[foils.uid]) + query)
    assert response.status_code == 400


def test_there_is_no_list_of_another_name():
    with pytest.raises(InvalidInput, match="no list “odd”"):
        Wish("odd")


def test_before_the_first_night_it_says_what_is_needed(foils: Campaign, client_of: Callable, lead: User):
    assert "Nothing has been reckoned yet" in page_of(client_of(lead), foils)
    shown = page_of(client_of(lead), foils, "foil_statistics")
    for words in ("needs known craters", "No pictures are held back", "at least five known craters"):
        assert words in shown


# -- Who may see it -----------------------------------------------------------------------------


def test_who_watches_sees_it_and_who_judges_does_not(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, make_user: Callable
):
    watcher, both = make_user("watcher"), make_user("both")
    for user, role in ((watcher, Role.READER), (both, Role.READER), (both, Role.ANNOTATOR)):
        Membership.objects.create(campaign=foils, user=user, role=role)
    urls = [
        reverse(f"review:{name}", args=[foils.uid])
        for name in ("foil_results", "foil_results_csv", "foil_statistics")
    ]
    urls.append(reverse("review:foil_candidate", args=[candidates_of_three[0].uid]))
    for url in urls:
        assert client_of(watcher).get(url).status_code == 200
        refused = client_of(both).get(url)
        assert refused.status_code == 403
        assert "stays hidden from you" in refused.content.decode()


# -- Tables -------------------------------------------------------------------------------------


def rows_of(client: Client, campaign: Campaign, name: str, query: str = "") -> list[dict[str, str]]:
    response = client.get(reverse(f"review:{name}", args=[campaign.uid]) + query)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert ".csv" in response["Content-Disposition"]
    return list(csv.DictReader(io.StringIO(b"".join(response).decode())))


def test_the_table_holds_the_numbers_and_where_they_come_from(
    foils: Campaign, candidates_of_three: list[Subject], make_judge: Callable, client_of: Callable, lead: User
):
    _, two, _ = candidates_of_three
    Picture.objects.filter(pk=two.picture_id).update(
        foil="=C2044", x_um=1250.5, y_um=80.25, nm_per_px=50, name="a,b.tif"
    )
    call(two, make_judge("ada"))
    settle(two, lead, "crater")
    rows = rows_of(client_of(lead), foils, "foil_results_csv", "?which=all")
    assert [row["rank"] for row in rows] == ["1", "2", "3"]
    first, newest = rows[0], Reckoning.objects.get()
    assert float(first["probability"]) == 0.99 and float(first["probability_low_90"]) == 0.495
    assert (first["foil"], first["picture"]) == ("'=C2044", "a,b.tif")
    assert (first["x_um"], first["y_um"], first["nm_per_px"]) == ("1250.5", "80.25", "50.0")
    assert (first["click_x_px"], first["click_y_px"], first["click_people"]) == ("30.0", "20.0", "1")
    assert (first["expert_result"], first["expert_method"], first["crater_diameter_um"]) == (
        "crater",
        "sem",
        "0.8",
    )
    assert first["discoverers"].startswith("p-")
    assert (first["synthetic"], first["reckoning_rule"]) == ("true", "1")
    assert (first["reckoning_uid"], first["reckoning_sha256"]) == (str(newest.uid), newest.sha256)
    assert rows[1]["expert_result"] == rows[1]["click_x_px"] == ""


def test_scores_stand_with_the_version_that_gave_them(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User
):
    one, two, _ = candidates_of_three
    Picture.objects.filter(pk=two.picture_id).update(score_raw=0.625, score=0.25)
    trained = runs.create(campaign=foils, system="foil_classifier", verb="train", requested_by=None)
    version = ModelVersion.objects.create(
        campaign=foils, system="foil_classifier", number=7, run=trained, path="runs/none"
    )
    scored = runs.create(
        campaign=foils, system="foil_classifier", verb="predict", requested_by=None, model_version=version
    )
    ScoreImport.objects.create(campaign=foils, run=scored, state=ScoreImport.State.DONE)
    rows = {row["subject_uid"]: row for row in rows_of(client_of(lead), foils, "foil_results_csv")}
    told = [rows[str(two.uid)][name] for name in ("score", "score_raw", "score_source")]
    assert told == ["0.25", "0.625", "version 7 of the foil network"]
    assert rows[str(one.uid)]["score_source"] == rows[str(one.uid)]["score_raw"] == ""
    page = client_of(lead).get(reverse("review:foil_candidate", args=[two.uid])).content.decode()
    assert "0.62" in page and "calibrated 0.25" in page
    assert f"version 7 of the foil network, run {scored.number}" in page


def test_the_table_is_as_the_list_and_whole(
    foils: Campaign,
    candidates_of_three: list[Subject],
    client_of: Callable,
    lead: User,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(candidates, "_CHUNK", 1)
    assert len(rows_of(client_of(lead), foils, "foil_results_csv")) == 3
    assert len(rows_of(client_of(lead), foils, "foil_results_csv", "?which=undecided")) == 1


def test_before_the_first_night_the_table_has_its_head_only(foils: Campaign, client_of: Callable, lead: User):
    assert rows_of(client_of(lead), foils, "foil_results_csv") == []


# -- Statistics and figures ---------------------------------------------------------------------


def test_the_numbers_stand_with_their_intervals(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User
):
    shown = page_of(client_of(lead), foils, "foil_statistics")
    for words in (
        "0.67",
        "[0.46, 0.83]",
        "(30 known)",
        "0.5–1 µm",
        "0.90",
        "0.031",
        "3 people have answered",
    ):
        assert words in shown


def test_figures_are_vectors_that_come_out_alike_again(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User
):
    Reckoning.objects.update(findings={**FINDINGS, "completeness": [], "skills": None})
    newest, client = Reckoning.objects.get(), client_of(lead)
    url = reverse("review:foil_figure", args=[foils.uid, "reliability", "svg"])
    early = client.get(url)
    assert early.status_code == 409 and "drawn with the next reckoning" in early.content.decode()
    figures.draw(newest)
    first = b"".join(client.get(url))
    assert first.startswith(b"<?xml") and b"<path" in first
    figures.draw(newest)
    assert b"".join(client.get(url)) == first
    pdf = client.get(reverse("review:foil_figure", args=[foils.uid, "reliability", "pdf"]))
    assert pdf["Content-Type"] == "application/pdf" and b"".join(pdf).startswith(b"%PDF")
    assert "reliability.svg" in page_of(client, foils, "foil_statistics")
    assert client.get(reverse("review:foil_figure", args=[foils.uid, "odd", "svg"])).status_code == 404


def test_figures_without_numbers_are_not_drawn_and_old_ones_go(
    publish: Callable, make_foil_subjects: Callable, media: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delitem(figures.KINDS, "pdf")
    subjects = make_foil_subjects(1)
    for _ in range(3):
        figures.draw(publish({subjects[0]: 0.5}, reliability=None, skills=None))
    kept = sorted((media / "foils").glob("*/figures/*"))
    assert len(kept) == 2
    assert {file.name for file in kept[0].iterdir()} == {"completeness.svg"}


# -- The audit ----------------------------------------------------------------------------------


def audit_of(triage: Workflow, subjects: list[Subject], n_pictures: int) -> None:
    stratum = AuditStratum.objects.create(
        workflow=triage, number=0, low=0.001, high=0.01, n_pictures=n_pictures, n_drawn=len(subjects), seed=1
    )
    Subject.objects.filter(pk__in=[subject.pk for subject in subjects]).update(audit=stratum, stratum="audit")


def test_the_audit_bounds_what_is_missed_in_a_sentence(
    foils: Campaign, triage: Workflow, make_foil_subjects: Callable, client_of: Callable, lead: User
):
    subjects = make_foil_subjects(12)
    audit_of(triage, subjects, 1000)
    Subject.objects.filter(pk__in=[subject.pk for subject in subjects[:10]]).update(outcome=Outcome.NOTHING)
    found = audited.of(triage)
    # None of ten: with 95 % confidence at most 25.9 % of the other 990.
    assert (found.n_judged, found.n_found, found.upper, found.missed) == (10, 0, 256, 256)
    shown = page_of(client_of(lead), foils, "foil_statistics")
    assert "At most 256 craters missed (95 %)" in shown


def test_an_expert_decides_what_the_audit_has_found(
    triage: Workflow, make_foil_subjects: Callable, lead: User
):
    subjects = make_foil_subjects(5)
    audit_of(triage, subjects, 100)
    outcomes = (Outcome.CANDIDATE, Outcome.CANDIDATE, Outcome.UNDECIDED, Outcome.NOTHING, Outcome.BAD_IMAGE)
    for subject, outcome in zip(subjects, outcomes, strict=True):
        Subject.objects.filter(pk=subject.pk).update(outcome=outcome)
    assert (audited.of(triage).n_judged, audited.of(triage).n_found) == (4, 3)
    settle(subjects[0], lead, "look_alike")
    settle(subjects[1], lead, "unclear")
    settle(subjects[3], lead, "crater")
    assert (audited.of(triage).n_judged, audited.of(triage).n_found) == (4, 3)
    settle(subjects[4], lead, "nothing")
    assert (audited.of(triage).n_judged, audited.of(triage).n_found) == (5, 3)


def test_an_audit_that_nobody_has_judged_says_so(
    foils: Campaign, triage: Workflow, make_foil_subjects: Callable, client_of: Callable, lead: User
):
    audit_of(triage, make_foil_subjects(2), 50)
    assert audited.of(triage).upper == 50
    assert "so nothing can be said of the 50" in page_of(client_of(lead), foils, "foil_statistics")


# -- Reckon now ---------------------------------------------------------------------------------


def test_a_lead_reckons_now_and_once_at_a_time(
    foils: Campaign, candidates_of_three: list[Subject], client_of: Callable, lead: User, make_judge: Callable
):
    call(candidates_of_three[0], make_judge("ada"))
    client, url = client_of(lead), reverse("review:foil_reckon", args=[foils.uid])
    assert client.post(url, {"back": "statistics"}).url == reverse("review:foil_statistics", args=[foils.uid])
    client.post(url)
    (asked,) = Errand.objects.filter(kind=Errand.Kind.RECKON)
    assert "All answers are reckoned together" in page_of(client, foils)
    made = reckoning.work(asked, lambda n_done, n_all: None)
    assert made["reckoning"] == str(reckoning.newest(asked.workflow).uid)
    assert reckoning.newest(asked.workflow).n_answers == 1


def test_each_night_all_triages_with_answers_are_reckoned(
    triage: Workflow, candidates_of_three: list[Subject], make_judge: Callable
):
    assert reckoning.ask_nightly() == []
    call(candidates_of_three[0], make_judge("ada"))
    (asked,) = reckoning.ask_nightly()
    assert (asked.workflow, asked.kind, asked.asked_by) == (triage, Errand.Kind.RECKON, None)
    assert reckoning.ask_nightly() == []
    before = Reckoning.objects.count()
    reckoning.work(asked, lambda n_done, n_all: None)
    assert Reckoning.objects.count() == before + 1
    # Nothing new: what stands stays.
    reckoning.work(asked, lambda n_done, n_all: None)
    assert Reckoning.objects.count() == before + 1
