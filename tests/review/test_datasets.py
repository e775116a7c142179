"""Freezing: what counts as known, and that the same labels are the same dataset."""

import json
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.utils import timezone

from annotate.models import Campaign, Catalogue, Participant, User, Visit
from annotate.services import consensus
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore.dataset import Dataset as Folder
from mlcore.errors import Cancelled, InvalidInput
from mlcore.split import TRAIN, split_codes
from review.models import Dataset, Subject
from review.services import classifications, datasets, labels
from review.services.labels import REGION
from review.services.policies import candidates

pytestmark = pytest.mark.django_db

Propose = Callable[..., Subject]


def freeze(region: Campaign, **wishes: object) -> Dataset:
    return datasets.freeze(campaign=region, created_by=None, **wishes)


def settle(region: Campaign, who: Participant, craters: list[tuple[float, float, float]]) -> None:
    """Every tile searched once by this person, and these craters settled from it."""
    for tile in region.tiles.all():
        Visit.objects.create(tile=tile, participant=who, state="submitted", lease_expires_at=timezone.now())
    region.tiles.update(settled_at=timezone.now())
    add_features(
        consensus.consensus_of(region),
        [
            {"lon": lon, "lat": lat, "diameter_m": diameter_m, "score": 0.9, "tile": region.tiles.first()}
            for lon, lat, diameter_m in craters
        ],
    )


@pytest.fixture
def propose(region: Campaign, lead: User) -> Propose:
    """A proposal at a place, judged at once where an answer is given."""
    workflow = candidates.workflow_of(region)
    catalogue = Catalogue.objects.create(
        name="predicted", body="moon", campaign=region, origin=Catalogue.Origin.PREDICTED
    )

    def make(
        lon: float, lat: float, diameter_m: float, answer: str | None = None, stratum: str = "instructive"
    ) -> Subject:
        [feature] = add_features(
            catalogue, [{"lon": lon, "lat": lat, "diameter_m": diameter_m, "score": 0.7}]
        )
        subject = Subject.objects.create(workflow=workflow, feature=feature, stratum=stratum)
        if answer:
            classifications.record(
                workflow=workflow,
                subject=subject,
                participant=participant_of(lead),
                uid=uuid4(),
                answer=answer,
                reason="ridge" if answer == "reject" else "",
                as_reviewer=True,
            )
        return subject

    return make


def test_it_works_with_a_catalogue_that_is_complete_in_the_region(
    region: Campaign, truth: Catalogue, media: Path
):
    dataset = freeze(region, label_catalogues=[truth], searched=REGION)
    folder = Folder(media / dataset.path)
    folder.verify()
    assert dataset.sha256 == folder.manifest.sha256
    assert dataset.counts["craters"]["train"] > 30
    assert dataset.counts["negatives"]["train"] == 0
    assert folder.manifest.min_diameter_m == region.min_diameter_m


def test_the_same_labels_are_the_same_dataset(region: Campaign, truth: Catalogue, media: Path):
    first = freeze(region, label_catalogues=[truth], searched=REGION)
    again = freeze(region, label_catalogues=[truth], searched=REGION)
    assert again.pk == first.pk
    assert [path.name for path in (media / "datasets").iterdir()] == [str(first.uid)]


def test_a_verdict_makes_another_dataset_and_taking_it_back_the_first_one_again(
    region: Campaign, truth: Catalogue, propose: Propose, lead: User
):
    def now() -> Dataset:
        return freeze(region, label_catalogues=[truth], searched=REGION)

    before = now()
    subject = propose(10.1, 0.2, 3000.0, "reject")
    after = now()
    assert after.sha256 != before.sha256
    assert sum(after.counts["negatives"].values()) > 0
    classifications.take_back(workflow=subject.workflow, participant=participant_of(lead))
    # Undecided now: neither crater nor negative; once it is out of the queue all is as before.
    Subject.objects.update(retired_at=timezone.now())
    assert now().pk == before.pk


def test_settled_tiles_are_searched_and_existence_is_the_weight(region: Campaign, lead: User):
    settle(region, participant_of(lead), [(10.0, 0.0, 3000.0)])
    [source] = labels.gather(region)
    assert len(source.tiles) == 16
    assert [(c.lon, c.lat, c.diameter_m, c.weight) for c in source.craters] == [(10.0, 0.0, 3000.0, 0.9)]


def test_an_empty_campaign_is_refused_with_the_remedy(region: Campaign, media: Path):
    with pytest.raises(InvalidInput, match="no tile of “Synthetic region” is settled"):
        freeze(region)
    assert not Dataset.objects.exists()
    assert not (media / "datasets").exists()


def test_searched_tiles_without_one_crater_are_refused(region: Campaign, lead: User):
    settle(region, participant_of(lead), [])
    with pytest.raises(InvalidInput, match="not one crater to learn from"):
        freeze(region)


def test_a_catalogue_of_another_body_is_refused(region: Campaign):
    other = Catalogue.objects.create(name="Mercury list", body="mercury", origin=Catalogue.Origin.IMPORTED)
    with pytest.raises(InvalidInput, match="lists craters of mercury"):
        freeze(region, label_catalogues=[other], searched=REGION)


def test_what_a_model_proposed_is_no_label(region: Campaign):
    proposed = Catalogue.objects.create(name="guess", body="moon", origin=Catalogue.Origin.PREDICTED)
    with pytest.raises(InvalidInput, match="labels come from people"):
        freeze(region, label_catalogues=[proposed], searched=REGION)


def test_a_region_is_searched_only_by_a_list(region: Campaign):
    with pytest.raises(InvalidInput, match="only where a catalogue lists its craters"):
        freeze(region, searched=REGION)


def test_without_a_smallest_diameter_a_list_is_complete_from_its_smallest(region: Campaign, truth: Catalogue):
    region.min_diameter_m = 0.0
    truth.features.filter(diameter_m__lt=1900).delete()
    [by_list] = labels.gather(region, label_catalogues=[truth], searched=REGION)
    assert by_list.min_diameter_m >= 1900
    [by_people] = labels.gather(region, label_catalogues=[truth])
    assert by_people.min_diameter_m == pytest.approx(1000.0, rel=1e-3)


def test_a_campaign_without_elevation_is_refused(region: Campaign, truth: Catalogue):
    region.layers.filter(basemap__kind="elevation").delete()
    with pytest.raises(InvalidInput, match="no elevation model"):
        freeze(region, label_catalogues=[truth], searched=REGION)


def test_each_crater_is_taken_once_from_who_knows_it_best(region: Campaign, propose: Propose, lead: User):
    settle(region, participant_of(lead), [(10.0, 0.0, 3000.0), (10.3, 0.3, 2000.0)])
    listed = Catalogue.objects.create(
        name="list", body="moon", campaign=region, origin=Catalogue.Origin.IMPORTED
    )
    add_features(
        listed,
        [
            {"lon": 10.001, "lat": 0.0, "diameter_m": 3100.0},
            {"lon": 9.7, "lat": -0.3, "diameter_m": 2500.0},
        ],
    )
    propose(10.0, 0.001, 2900.0, "accept")
    [source] = labels.gather(region, label_catalogues=[listed])
    assert [(c.lon, c.diameter_m, c.weight) for c in source.craters] == [
        (9.7, 2500.0, 1.0),
        (10.0, 2900.0, 1.0),
        (10.3, 2000.0, 0.9),
    ]


def test_what_a_reviewer_rejected_is_no_crater_even_if_a_list_has_it(
    region: Campaign, truth: Catalogue, propose: Propose
):
    listed = truth.features.filter(diameter_m__gt=2500).first()
    propose(listed.lon, listed.lat, listed.diameter_m, "reject")
    [source] = labels.gather(region, label_catalogues=[truth], searched=REGION)
    assert [c.lon for c in source.negatives] == [listed.lon]
    assert listed.lon not in [c.lon for c in source.craters]


def test_what_nobody_has_decided_teaches_nothing(region: Campaign, propose: Propose, lead: User):
    settle(region, participant_of(lead), [(10.0, 0.0, 3000.0)])
    propose(10.3, 0.3, 2000.0, "unsure")
    propose(9.7, -0.3, 2000.0)  # waits on searched ground, where the searchers have said no
    [source] = labels.gather(region)
    assert [(c.lon, c.weight) for c in source.craters] == [(10.0, 0.9), (10.3, 0.0)]
    assert source.negatives == []


def test_around_a_verdict_what_the_judge_saw_is_known_on_the_training_side_only(
    region: Campaign, propose: Propose
):
    places = [(lon, lat) for lon in np.arange(9.3, 10.7, 0.2) for lat in np.arange(-0.7, 0.7, 0.2)]
    for lon, lat in places:
        propose(float(lon), float(lat), 1600.0, "reject")
    [source] = labels.gather(region)
    assert 10 < len(source.shown) < len(places)
    for box in source.shown:
        assert labels._sides_of(box, datasets.rasters.grid_of(source.basemap), region.split_block_deg) == {
            TRAIN
        }


def test_random_ones_measure_too_within_the_circle_judged(region: Campaign, propose: Propose):
    lon, lat = next(
        (float(lon), float(lat))
        for lon in np.arange(9.3, 10.7, 0.02)
        for lat in np.arange(-0.7, 0.7, 0.02)
        if split_codes("moon", lon, lat, region.split_block_deg) != TRAIN
    )
    propose(lon, lat, 2000.0, "accept", stratum="random")
    [source] = labels.gather(region)
    [box] = source.shown
    assert box.width_px == pytest.approx(20.0, rel=0.01)
    propose(lon, lat, 2000.0, "accept", stratum="instructive")
    assert len(labels.gather(region)[0].shown) == 1


def test_people_stand_in_it_under_pseudonyms_only(
    region: Campaign, propose: Propose, lead: User, media: Path
):
    lead.username = "unmistakable-name"
    lead.save()
    settle(region, participant_of(lead), [(10.0, 0.0, 3000.0)])
    propose(10.3, 0.3, 2000.0, "reject")
    folder = media / freeze(region).path
    text = (folder / "manifest.json").read_text() + (folder / "samples.jsonl").read_text()
    assert "unmistakable-name" not in text
    provenance = json.loads((folder / "manifest.json").read_text())["provenance"]
    assert provenance["drew"] == provenance["judged"] == [participant_of(lead).pseudonym]
    assert provenance["synthetic"] is True


def test_a_freezing_that_is_stopped_leaves_nothing(region: Campaign, truth: Catalogue, media: Path):
    def stop() -> None:
        raise Cancelled("Stop.")

    with pytest.raises(Cancelled):
        freeze(region, label_catalogues=[truth], searched=REGION, progress=stop)
    assert list((media / "datasets").iterdir()) == []
