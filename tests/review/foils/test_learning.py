"""What teaches the foil network: whose word counts, on which side, what keeps a training from beginning."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotate.models import Campaign, Membership, Role, User
from annotate.services.participants import participant_of
from annotate.services.storage import file_of
from mlcore import api
from mlcore.errors import Cancelled, InvalidInput, NoRoom
from mlcore.foil_classifier.checks import LEAST_CRATERS
from mlcore.foil_classifier.dataset import BLANK, CRATER, CUT_OUT, LOOK_ALIKE, FoilDataset
from review.models import (
    AuditStratum,
    Confirmation,
    CutOut,
    Dataset,
    Gold,
    Judge,
    ModelVersion,
    Picture,
    Retirement,
    Run,
    Subject,
    Workflow,
)
from review.services import frozen, registry, runs, training
from review.services.foils import pictures
from review.services.foils.gold import gold
from review.services.foils.network import dealing, freezing, inspecting, learning, material
from review.services.foils.results.confirmation import confirm
from review.services.foils.spots import Spot
from tests.review.conftest import Play
from tests.review.test_training import FAKE

pytestmark = pytest.mark.django_db

CORNERS = [[20.0, 14.0], [40.0, 14.0], [40.0, 34.0], [20.0, 34.0]]
SYSTEM = learning.SYSTEM

Make = Callable[..., Picture]


@pytest.fixture
def make(make_picture: Make) -> Make:
    """A picture of a purpose and a side: make(side="train", purpose="blank")."""

    def one(*, side: str = "train", purpose: str = "survey", **fields: object) -> Picture:
        picture = make_picture(**{k: fields.pop(k) for k in ("n_frames", "nm_per_px") if k in fields})
        Picture.objects.filter(pk=picture.pk).update(side=side, purpose=purpose, **fields)
        picture.refresh_from_db()
        return picture

    return one


@pytest.fixture
def cut(make: Make, lead: User) -> Callable[..., CutOut]:
    """A standing cut-out of a reference picture of its own: cut(side="test")."""

    def one(*, side: str = "train", picture: Picture | None = None, **fields: object) -> CutOut:
        return CutOut.objects.create(
            picture=picture or make(side=side, purpose="reference"),
            **{"polygon": CORNERS, "diameter_px": 22.6, "by": participant_of(lead)} | fields,
        )

    return one


@pytest.fixture
def enough(make: Make, cut: Callable[..., CutOut]) -> None:
    """The least that a training asks for, and something to measure on."""
    for side in ("train", "validation", "test"):
        make(side=side, purpose="blank")
        cut(side=side)
    cut(side="train")


@pytest.fixture
def reject(triage: Workflow, make: Make, make_judge: Callable[..., Judge], say: Callable) -> Callable:
    """A survey picture that volunteers reject: reject(score=0.4, side="train")."""
    judges = [make_judge(name, blanks=50, passes=49, craters=50, hits=49) for name in ("ada", "bob", "cy")]

    def one(
        *, score: float | None, side: str = "train", stratum: str = "queue", first: str = "nothing"
    ) -> Subject:
        picture = make(side=side, score_raw=score)
        subject = Subject.objects.create(workflow=triage, picture=picture, stratum=stratum)
        for judge in judges:
            say(judge, subject, first if judge is judges[0] else "nothing")
        subject.refresh_from_db()
        return subject

    version = triage.rules.get()
    version.settings = {"reject": 0.1, "min_votes": 3, "practised_people": 2, "practised_after": 10}
    version.save()
    return one


def found_by(expert: User, picture: Picture, result: str, workflow: Workflow) -> Confirmation:
    subject, _ = Subject.objects.get_or_create(workflow=workflow, picture=picture)
    spots = [Spot(12.0, 30.0, 0.4)] if result in ("crater", "look_alike") else []
    return confirm(
        uid=uuid4(), subject=subject, by=participant_of(expert), method="sem", result=result, spots=spots
    )


def kinds(campaign: Campaign) -> dict[int, str]:
    return {item.picture.pk: item.kind for item in material.gather(campaign).items}


class TestWhoseWordCounts:
    def test_it_works(self, foils: Campaign, triage: Workflow, make: Make, cut: Callable, reject: Callable):
        brought, suspected, doubted = make(purpose="blank"), reject(score=0.4), reject(score=0.001)
        cut()
        cut(withdrawn_at=triage.created_at)
        found = material.gather(foils)
        assert kinds(foils) == {
            brought.pk: BLANK,
            suspected.picture_id: LOOK_ALIKE,
            doubted.picture_id: BLANK,
        }
        assert found.counts()[CUT_OUT] == {"train": 1, "validation": 0, "test": 0}
        assert found.counts()[LOOK_ALIKE] == {"train": 1, "validation": 0, "test": 0}

    def test_what_was_a_look_alike_stays_one_when_a_better_network_has_scored_it(
        self, foils: Campaign, reject: Callable
    ):
        subject = reject(score=0.4)
        Picture.objects.filter(pk=subject.picture_id).update(score_raw=0.0001)
        assert kinds(foils) == {subject.picture_id: LOOK_ALIKE}

    def test_without_a_score_at_that_time_it_was_no_look_alike(self, foils: Campaign, reject: Callable):
        subject = reject(score=None)
        Picture.objects.filter(pk=subject.picture_id).update(score_raw=0.4)
        assert kinds(foils) == {subject.picture_id: BLANK}

    def test_retirements_of_before_are_told_by_todays_score(self, foils: Campaign, reject: Callable):
        subject = reject(score=0.4)
        Retirement.objects.update(tally={"votes": 3})
        assert kinds(foils) == {subject.picture_id: LOOK_ALIKE}
        Picture.objects.filter(pk=subject.picture_id).update(score_raw=0.001)
        assert kinds(foils) == {subject.picture_id: BLANK}

    def test_an_expert_overrules_people(
        self, foils: Campaign, triage: Workflow, reject: Callable, lead: User
    ):
        rejected = {result: reject(score=0.001) for result in ("crater", "nothing", "unclear")}
        for result, subject in rejected.items():
            found_by(lead, subject.picture, result, triage)
        assert kinds(foils) == {
            rejected["crater"].picture_id: CRATER,
            rejected["nothing"].picture_id: LOOK_ALIKE,
        }

    def test_the_latest_word_of_an_expert_counts(
        self, foils: Campaign, triage: Workflow, make: Make, lead: User
    ):
        picture = make()
        found_by(lead, picture, "crater", triage)
        found_by(lead, picture, "look_alike", triage)
        assert kinds(foils) == {picture.pk: LOOK_ALIKE}

    def test_a_leads_word_teaches_with_the_picture_itself_and_its_side(
        self, foils: Campaign, triage: Workflow, reject: Callable, lead: User
    ):
        seen = reject(score=0.001, side="test")
        known = gold.by_hand(
            workflow=triage,
            picture=seen.picture,
            kind="look_alike",
            places=[{"x_px": 9.0, "y_px": 7.0, "diameter_um": None}],
            by=participant_of(lead),
        )
        assert known.subject.picture_id != seen.picture_id, "people have seen it, so a copy is the known one"
        [item] = material.gather(foils).items
        assert (item.picture.pk, item.side, item.kind) == (seen.picture_id, "test", LOOK_ALIKE)
        assert (item.place["x_px"], item.place["y_px"]) == (9.0, 7.0)
        assert item.by == participant_of(lead).pseudonym

    def test_what_tektite_has_made_of_a_picture_teaches_nothing(self, foils: Campaign, make_gold: Callable):
        make_gold(1, is_crater=False, origin=Gold.Origin.SYNTHETIC)
        make_gold(1, is_crater=False, origin=Gold.Origin.LOOK_ALIKE, made_by={"how": "pasted"})
        make_gold(1, is_crater=True, origin=Gold.Origin.EXPERT)
        assert kinds(foils) == {}

    def test_pictures_of_the_audit_never_teach(
        self, foils: Campaign, triage: Workflow, make: Make, reject: Callable, lead: User
    ):
        stratum = AuditStratum.objects.create(
            workflow=triage, number=0, low=0.0, high=0.01, n_pictures=9, n_drawn=3, seed=1
        )
        reject(score=0.001, stratum="audit")
        drawn = reject(score=0.001)
        Subject.objects.filter(pk=drawn.pk).update(audit=stratum)
        for side in ("train", "test"):
            picture = make(side=side)
            found_by(lead, picture, "crater", triage)
            Subject.objects.filter(picture=picture).update(audit=stratum)
        [item] = material.gather(foils).items
        assert (item.kind, item.side) == (CRATER, "test"), "there it only measures"

    def test_a_picture_with_a_cut_out_is_no_blank(
        self, foils: Campaign, make: Make, cut: Callable, reject: Callable
    ):
        cut(picture=reject(score=0.4).picture)
        assert kinds(foils) == {}

    def test_what_is_new_since_a_moment(self, foils: Campaign, make: Make, reject: Callable, cut: Callable):
        make(purpose="blank")
        cut()
        moment = reject(score=0.4).retired_at
        reject(score=0.5)
        assert material.gather(foils).since(moment) == {BLANK: 0, LOOK_ALIKE: 1, CRATER: 0, CUT_OUT: 0}


class TestDealing:
    def test_the_side_is_the_pictures(self, foils: Campaign, cut: Callable):
        for side in ("train", "validation", "test", "test"):
            cut(side=side)
        assert material.gather(foils).counts()[CUT_OUT] == {"train": 1, "validation": 1, "test": 2}

    @given(st.sets(st.uuids(), max_size=40), st.integers(0, 3))
    def test_an_empty_side_is_given_some_and_training_keeps_what_it_needs(self, uids: set[UUID], n_test: int):
        sides = {uid: "test" if number < n_test else "train" for number, uid in enumerate(uids)}
        n_train = sum(side == "train" for side in sides.values())
        found = dealing.dealt(sides)
        counts = {
            side: sum(one == side for one in found.values()) for side in ("train", "validation", "test")
        }
        assert counts["train"] >= min(LEAST_CRATERS, n_train)
        assert all(found[uid] == "test" for uid in uids if sides[uid] == "test")
        if n_train >= LEAST_CRATERS + 2:
            assert min(counts.values()) >= 1
        if n_train > LEAST_CRATERS:
            assert counts["test"] >= 1, "what is not measured says nothing of itself"
        if n_test:
            assert counts["test"] == min(n_test, len(uids)), "a side that has its own is given none"

    @given(st.lists(st.uuids(), min_size=8, max_size=20, unique=True), st.data())
    def test_nothing_that_was_trained_on_is_ever_measured_on(self, uids: list[UUID], data: st.DataObject):
        """Whatever is cut later, on whichever side its picture lies."""
        first = dealing.dealt(dict.fromkeys(uids, "train"))
        later = data.draw(st.dictionaries(st.uuids(), st.sampled_from(["train", "validation", "test"])))
        second = dealing.dealt({**later, **dict.fromkeys(uids, "train")})
        trained = {uid for uid in uids if first[uid] == "train"}
        assert not [uid for uid in trained if second[uid] == "test"]


class TestFreezing:
    @pytest.fixture
    def freeze(self, foils: Campaign, lead: User) -> Callable[..., Dataset]:
        def one(progress: Callable[[], None] = lambda: None, **overrides: object) -> Dataset:
            run = Run(
                campaign=foils,
                system=SYSTEM,
                verb="train",
                number=foils.runs.count() + 1,
                requested_by=participant_of(lead),
                state="finished",
                config={"preset": "quick", "overrides": overrides},
            )
            run.save()
            return freezing.freeze(run, progress)

        return one

    def test_it_works(
        self, freeze: Callable, triage: Workflow, make: Make, enough: None, reject: Callable, lead: User
    ):
        called = reject(score=0.4, first="crater")
        found_by(lead, make(side="test", nm_per_px=50.0), "crater", triage)
        dataset = freeze()
        folder = FoilDataset(frozen.folder_of(dataset))
        folder.verify()
        assert dataset.counts == {
            BLANK: {"train": 1, "validation": 1, "test": 1},
            LOOK_ALIKE: {"train": 1, "validation": 0, "test": 0},
            CRATER: {"train": 0, "validation": 0, "test": 1},
            CUT_OUT: {"train": 2, "validation": 1, "test": 1},
            "samples": 9,
        }
        [look_alike] = folder.of(LOOK_ALIKE, "train")
        assert (look_alike.x_px, look_alike.y_px) == (30.0, 20.0), "where somebody called it a crater"
        assert look_alike.origin == "rejected by people, synthetic"
        as_it_came = gold.frames_of(called.picture)[0]
        assert np.array_equal(folder.pixels(look_alike), as_it_came)
        [crater] = folder.of(CRATER, "test")
        assert (crater.x_px, crater.y_px, crater.diameter_px) == (12.0, 30.0, 8.0)
        cut_out = folder.of(CUT_OUT, "test")[0]
        assert folder.alpha(cut_out).max() == 255
        assert cut_out.diameter_px == pytest.approx(22.568, abs=1e-3)

    def test_the_manifest_says_where_it_is_from_under_pseudonyms(
        self, freeze: Callable, enough: None, reject: Callable, lead: User
    ):
        reject(score=0.4)
        provenance = FoilDataset(frozen.folder_of(freeze())).manifest.provenance
        assert provenance["cut"] == [participant_of(lead).pseudonym]
        assert len(provenance["judged"]) == 3
        assert provenance["synthetic"] == {"samples": 8, "of": 8}
        text = json.dumps(provenance)
        for user in User.objects.all():
            assert user.username not in text

    def test_the_same_material_is_the_same_dataset(self, freeze: Callable, enough: None, make: Make):
        first, again = freeze(), freeze()
        assert first == again
        assert len(list(frozen.folder_of(first).parent.iterdir())) == 1
        make(purpose="blank")
        assert freeze().sha256 != first.sha256

    def test_what_the_dataset_before_holds_takes_no_second_room(
        self, freeze: Callable, enough: None, make: Make
    ):
        first = frozen.folder_of(freeze())
        spoilt = min((first / "arrays").iterdir())
        spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"\xee")
        make(purpose="blank")
        second = frozen.folder_of(freeze())
        FoilDataset(second).verify()
        links = {file.name: file.stat().st_nlink for file in (second / "arrays").iterdir()}
        assert links.pop(spoilt.name) == 1
        assert sorted(links.values()) == [1] + [2] * (len(links) - 1), "all but the new blank"

    def test_what_settles_while_it_is_written_is_new_afterwards(
        self, foils: Campaign, freeze: Callable, enough: None, reject: Callable
    ):
        meanwhile = []

        def progress() -> None:
            if not meanwhile:
                meanwhile.append(reject(score=0.4))

        dataset = freeze(progress)
        dataset.refresh_from_db()
        assert dataset.counts[LOOK_ALIKE]["train"] == 0
        assert material.gather(foils).since(dataset.created_at)[LOOK_ALIKE] == 1

    def test_so_many_blanks_and_no_more_are_taken_and_always_the_same(
        self, freeze: Callable, enough: None, make: Make
    ):
        for _ in range(6):
            make(purpose="blank")
        dataset = freeze(max_blanks=4)
        assert sum(dataset.counts[BLANK].values()) == 4
        provenance = FoilDataset(frozen.folder_of(dataset)).manifest.provenance
        assert provenance["at_most"]["left_out"] == 5
        assert freeze(max_blanks=4) == dataset

    def test_of_a_focus_series_the_sharpest_image_is_taken(
        self, freeze: Callable, foils: Campaign, enough: None
    ):
        random = np.random.default_rng(3)
        sharp = np.kron(random.integers(40, 210, (12, 16), np.uint8), np.ones((4, 4), np.uint8))
        dull = np.full_like(sharp, 120) + random.integers(0, 9, sharp.shape, np.uint8)
        picture, _ = pictures.add_picture(
            campaign=foils,
            name="series.tif",
            frames=[dull, sharp, dull[::-1]],
            where=pictures.Where(),
            purpose=Picture.Purpose.BLANK,
        )
        folder = FoilDataset(frozen.folder_of(freeze()))
        [entry] = [entry for entry in folder.entries if entry.picture_sha256 == picture.sha256]
        assert np.array_equal(folder.pixels(entry), sharp)

    def test_nothing_half_done_is_left_where_it_is_stopped(self, freeze: Callable, enough: None, media: Path):
        def stop() -> None:
            if list((media / "datasets").glob("*")):
                raise Cancelled("Stop.")

        with pytest.raises(Cancelled):
            freeze(stop)
        assert not list((media / "datasets").iterdir())
        assert not Dataset.objects.exists()

    def test_a_disk_without_room_refuses_before_anything_is_written(
        self, freeze: Callable, enough: None, media: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("annotate.services.disk.Disk.room_bytes", 1000)
        with pytest.raises(NoRoom, match="Freezing the pictures needs about"):
            freeze()
        assert not (media / "datasets").exists()

    def test_a_picture_whose_file_is_gone_is_named(self, freeze: Callable, enough: None, make: Make):
        lost = make(purpose="blank")
        file_of(lost.frames.get().path).unlink()
        with pytest.raises(InvalidInput, match=f"“{lost.name}” are no longer on the disk"):
            freeze()


class TestWhatKeepsItFromBeginning:
    def obstacle(self, foils: Campaign) -> str:
        return training.obstacle(campaign=foils, system=SYSTEM)

    def test_nothing_keeps_it(self, foils: Campaign, enough: None):
        assert self.obstacle(foils) == ""

    def test_no_blank_foil(self, foils: Campaign, cut: Callable):
        cut(), cut()
        assert "no blank foil" in self.obstacle(foils)

    def test_one_crater(self, foils: Campaign, make: Make, cut: Callable):
        make(purpose="blank")
        cut()
        assert "one crater" in self.obstacle(foils)

    def test_craters_that_all_lie_on_the_other_sides(self, foils: Campaign, make: Make, cut: Callable):
        make(purpose="blank")
        cut(side="test"), cut(side="validation")
        assert "no crater on the training side" in self.obstacle(foils)
        assert "2 more are in pictures of the validation and test sides" in self.obstacle(foils)

    def test_a_cut_out_larger_than_the_blanks(self, foils: Campaign, enough: None, cut: Callable):
        large = cut(polygon=[[0, 0], [90, 0], [90, 60], [0, 60]])
        sentence = self.obstacle(foils)
        assert large.picture.name in sentence and "92 × 62 px" in sentence and "64 × 48 px" in sentence

    def test_cut_outs_are_compared_by_their_size_on_the_ground(
        self, foils: Campaign, enough: None, cut: Callable
    ):
        large = cut(polygon=[[0, 0], [90, 0], [90, 60], [0, 60]])
        Picture.objects.filter(campaign=foils).update(nm_per_px=50.0)
        Picture.objects.filter(pk=large.picture_id).update(nm_per_px=25.0)
        # Half as many of the blanks' pixels.
        assert "larger than" not in self.obstacle(foils)

    def test_weights_of_another_layout(
        self, foils: Campaign, enough: None, script: Play, client_of: Callable, lead: User
    ):
        version = make_version(foils, script, channels=[4, 8], pool_after=[1])
        with pytest.raises(InvalidInput, match="of another layout"):
            training.request_training(campaign=foils, system=SYSTEM, requested_by=None, start_from=version)
        assert not Run.objects.active().exists()
        text = client_of(lead).get(reverse("review:foil_network", args=[foils.uid])).content.decode()
        assert f'<option value="{version.uid}" disabled title="The weights to continue from' in text

    def test_burnt_in_scale_bars_are_seen_before_the_first_step_and_remembered(
        self, foils: Campaign, enough: None, script: Play
    ):
        random = np.random.default_rng(5)
        for number in range(8):
            grey = random.integers(60, 200, (200, 260), np.uint8)
            grey[170:] = 0
            grey[180:184, 20:90] = 255
            pictures.add_picture(
                campaign=foils,
                name=f"bar-{number}.tif",
                frames=[grey],
                where=pictures.Where(),
                purpose=Picture.Purpose.BLANK,
            )
        script(FAKE)
        assert self.obstacle(foils) == ""
        run = training.request_training(campaign=foils, system=SYSTEM, requested_by=None)
        training.execute(run.pk, "w")
        run.refresh_from_db()
        assert run.state == "failed"
        assert "a scale bar or label burnt in" in run.error
        assert not Dataset.objects.exists() and not ModelVersion.objects.exists()
        assert self.obstacle(foils) == run.error
        Picture.objects.filter(name__startswith="bar-").delete()
        assert self.obstacle(foils) == ""

    def test_ranges_of_16_bits_that_clip(self, foils: Campaign, enough: None, lead: User):
        random = np.random.default_rng(6)
        for number in range(8):
            grey = np.clip(random.normal(60_000, 9_000, (64, 64)), 0, 65_535).astype(np.uint16)
            pictures.add_picture(
                campaign=foils,
                name=f"clip-{number}.tif",
                frames=[grey],
                where=pictures.Where(),
                purpose="blank",
            )
        with pytest.raises(InvalidInput, match="of its 16-bit pixels are at an end of the range"):
            inspecting.inspect(material.gather(foils))
        assert "16-bit" in self.obstacle(foils)

    def test_what_was_fine_is_not_looked_at_again(
        self, foils: Campaign, enough: None, monkeypatch: pytest.MonkeyPatch
    ):
        inspecting.inspect(material.gather(foils))
        monkeypatch.setattr(inspecting, "_look", lambda *_: pytest.fail("it was looked at again"))
        inspecting.inspect(material.gather(foils))

    def test_a_system_that_finds_nothing_here(self, foils: Campaign, enough: None):
        with pytest.raises(InvalidInput, match="train the foil network here"):
            training.request_training(campaign=foils, system="crater_detector", requested_by=None)


def make_version(campaign: Campaign, script: Play, **layout: object) -> ModelVersion:
    """What a training of the foil network leaves, without one: its card, and no weights."""
    config = learning.Config.from_json(layout).to_json()
    card = api.ModelCard.example().to_json() | {"system": SYSTEM, "config": config}
    script(FAKE.replace(repr(json.dumps(api.ModelCard.example().to_json())), repr(json.dumps(card))))
    run = training.request_training(campaign=campaign, system=SYSTEM, requested_by=None)
    assert training.execute(run.pk, "w") == []
    return ModelVersion.objects.get(run=run)


class TestTraining:
    def test_it_works_and_the_next_one_continues_and_stands_beside_it(
        self, foils: Campaign, enough: None, script: Play, reject: Callable, lead: User
    ):
        first = make_version(foils, script)
        registry.promote(version=first, by=participant_of(lead))
        subject = reject(score=0.4)
        run = training.request_training(
            campaign=foils, system=SYSTEM, requested_by=participant_of(lead), start_from=first
        )
        training.execute(run.pk, "w")
        second = ModelVersion.objects.get(number=2)
        job = json.loads((runs.folder_of(second.run) / "job.json").read_text())
        assert job["system"] == SYSTEM
        assert job["initial_weights"].endswith(first.path)
        folder = FoilDataset(frozen.folder_of(second.run.dataset))
        assert [entry.picture_sha256 for entry in folder.of(LOOK_ALIKE, "train")] == [subject.picture.sha256]
        assert second.card["compared_with"]["number"] == 1
        log = "\n".join(e.payload["message"] for e in run.events.filter(kind="log").order_by("pk"))
        assert "to train + to validate + to test: cut-outs 2 + 1 + 1; confirmed craters 0 + 0 + 0" in log
        assert "look-alikes 1 + 0 + 0" in log
        assert "are synthetic" in log

    def test_a_new_version_scores_the_pictures_as_soon_as_it_is_current(
        self, foils: Campaign, enough: None, script: Play, make: Make, lead: User
    ):
        first, second = make_version(foils, script), make_version(foils, script)
        assert registry.promote(version=first, by=participant_of(lead)) is None, "no survey picture yet"
        make()
        scoring = registry.promote(version=second, by=participant_of(lead))
        assert (scoring.verb, scoring.system, scoring.model_version) == ("predict", SYSTEM, second)
        assert scoring.state == "queued" and scoring.windows.count() == 1

    def test_a_process_that_is_killed_goes_on_from_its_checkpoint_with_the_same_dataset(
        self, foils: Campaign, enough: None, script: Play, make: Make
    ):
        script(
            "box = out / 'checkpoint'; box.mkdir(exist_ok=True)\n"
            "seen = box / 'seen'; seen.write_text((seen.read_text() if seen.exists() else '') + 'x')\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        run = training.request_training(campaign=foils, system=SYSTEM, requested_by=None)
        assert training.execute(run.pk, "w") == [run]
        make(purpose="blank")
        assert training.execute(run.pk, "w") == [run]
        run.refresh_from_db()
        assert (runs.folder_of(run) / "checkpoint" / "seen").read_text() == "xx"
        assert Dataset.objects.get() == run.dataset
        assert run.dataset.counts[BLANK]["train"] == 1


class TestApi:
    def start(self, client: Client, campaign: Campaign, **wish: object) -> tuple[int, dict]:
        answer = client.post(
            reverse("review:api_runs", args=[campaign.uid]), wish, content_type="application/json"
        )
        return answer.status_code, answer.json()

    def test_a_lead_trains_without_naming_the_system(
        self, foils: Campaign, enough: None, client_of: Callable, lead: User
    ):
        status, run = self.start(client_of(lead), foils, verb="train", preset="full")
        assert (status, run["system"], run["verb"]) == (201, SYSTEM, "train")
        assert Run.objects.get().config["preset"] == "full"

    def test_and_scores_with_the_current_version(
        self, foils: Campaign, enough: None, script: Play, make: Make, client_of: Callable, lead: User
    ):
        registry.promote(version=make_version(foils, script), by=None)
        make()
        status, run = self.start(client_of(lead), foils, verb="predict", only_new=False)
        assert (status, run["system"], run["verb"]) == (201, SYSTEM, "predict")

    def test_what_cannot_be_is_refused_in_a_sentence(self, foils: Campaign, client_of: Callable, lead: User):
        client = client_of(lead)
        assert "no blank foil" in self.start(client, foils, verb="train")[1]["message"]
        assert "No version of the foil network" in self.start(client, foils, verb="predict")[1]["message"]
        assert not Run.objects.exists()

    def test_only_leads(self, foils: Campaign, enough: None, client_of: Callable, reviewer: User):
        Membership.objects.create(campaign=foils, user=reviewer, role=Role.REVIEWER)
        assert self.start(client_of(reviewer), foils, verb="train")[0] == 403


FIGURES = {
    "sensitivity": 0.964,
    "sensitivity_interval": [0.92, 0.987],
    "specificity": 0.998,
    "specificity_interval": [0.985, 0.9999],
    "n_craters": 500,
    "n_found": 482,
    "n_blanks": 500,
    "n_removed": 499,
    "auc": 0.99,
    "confirmed": {"sensitivity": 18 / 27, "sensitivity_interval": [0.46, 0.83], "n": 27, "n_right": 18},
    "look_alikes": {"specificity": None, "specificity_interval": None, "n": 0, "n_right": 0},
    "curve": [
        {"threshold": t, "n_lost": lost, "n_craters": 500, "lost": lost / 500,
         "n_removed": gone, "n_blanks": 500, "removed": gone / 500}
        for t, lost, gone in ((0.0001, 0, 310), (0.01, 7, 480), (0.5, 18, 499))
    ],
}  # fmt: skip


class TestPages:
    @pytest.fixture
    def version(self, foils: Campaign, enough: None, script: Play) -> ModelVersion:
        made = make_version(foils, script)
        made.card |= {
            "metrics": {"validation": FIGURES, "test": FIGURES},
            "compared_with": {
                "number": 7,
                "metrics": FIGURES | {"sensitivity": 0.5, "sensitivity_interval": [0.45, 0.55]},
            },
            "notes": ["Synthetic: of 8 pictures and cut-outs 8 were made by Tektite."],
        }
        made.is_current = True
        made.save()
        return made

    def page(self, client: Client, name: str, uid: UUID) -> str:
        answer = client.get(reverse(f"review:{name}", args=[uid]))
        assert answer.status_code == 200
        return answer.content.decode()

    def test_a_lead_reads_what_there_is_and_what_is_new_and_may_press(
        self, foils: Campaign, version: ModelVersion, reject: Callable, client_of: Callable, lead: User
    ):
        reject(score=0.4), reject(score=0.5)
        text = self.page(client_of(lead), "foil_network", foils.uid)
        assert "<b>2 look-alikes</b> rejected since version 1: train again to teach them." in text
        assert "96.4 %" in text and "66.7 %" in text and "99.8 %" in text
        assert "[46.0, 83.0]" in text
        assert f'data-start="{reverse("review:api_runs", args=[foils.uid])}"' in text
        assert 'data-verb="train"' in text and 'data-verb="predict"' in text
        assert f'<option value="{version.uid}" selected>' in text
        assert "9 of these 9 were made by Tektite" in text
        assert 'id="obstacle"' not in text

    def test_an_obstacle_stands_beside_the_button(self, foils: Campaign, client_of: Callable, lead: User):
        text = self.page(client_of(lead), "foil_network", foils.uid)
        assert "There is no blank foil on the training side" in text
        assert "The first training leaves version 1" in text
        assert "There is no current version to score with" in text

    def test_members_read_and_press_nothing(
        self, foils: Campaign, version: ModelVersion, client_of: Callable, annotator: User, stranger: User
    ):
        Membership.objects.create(campaign=foils, user=annotator, role=Role.ANNOTATOR)
        text = self.page(client_of(annotator), "foil_network", foils.uid)
        assert "96.4 %" in text and "data-start" not in text
        assert client_of(stranger).get(reverse("review:foil_network", args=[foils.uid])).status_code == 403

    def test_the_page_of_a_training(self, version: ModelVersion, client_of: Callable, lead: User):
        text = self.page(client_of(lead), "run", version.run.uid)
        assert "Training 1 · foil network" in text
        assert "Pasted craters found, of 500" in text and "Confirmed craters found, of 27" in text
        assert "Blank pictures removed, of 500" in text
        assert "Look-alikes removed" not in text, "there are none to measure on"
        assert "Beside version 7, same test side" in text and "50.0 %" in text
        assert "What other thresholds would do" in text
        assert "Synthetic: of 8 pictures" in text
        assert reverse("review:foil_network", args=[version.campaign.uid]) in text
        assert reverse("review:models", args=[version.campaign.uid]) not in text
        assert 'data-count="look_alike train"' in text

    def test_the_page_of_a_scoring(self, version: ModelVersion, make: Make, client_of: Callable, lead: User):
        make()
        version.is_current = False
        version.save()
        run = registry.promote(version=version, by=None)
        text = self.page(client_of(lead), "run", run.uid)
        assert "Scoring 2 · foil network" in text and "all of the survey" in text

    def test_pages_of_maps_stay_closed(self, foils: Campaign, client_of: Callable, lead: User):
        assert client_of(lead).get(reverse("review:models", args=[foils.uid])).status_code == 404
