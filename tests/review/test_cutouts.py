"""What a judge is shown."""

from io import BytesIO
from uuid import uuid4

import numpy as np
import pytest
from PIL import Image

from annotate.models import Campaign, Catalogue
from annotate.services.features import add_features
from mlcore.errors import NotFound
from mlcore.simulate.terrain import World
from review.models import Subject
from review.services import cutouts
from review.services.policies import candidates

pytestmark = pytest.mark.django_db


@pytest.fixture
def subject(region: Campaign, truth: Catalogue) -> Subject:
    """A proposal on a fresh crater of the synthetic terrain, a little beside the truth."""
    crater = truth.features.filter(diameter_m__range=(2000, 4000)).order_by("pk").last()
    catalogue = Catalogue.objects.create(
        name="predicted", body="moon", campaign=region, origin=Catalogue.Origin.PREDICTED
    )
    [feature] = add_features(
        catalogue,
        [{"lon": crater.lon + 0.003, "lat": crater.lat, "diameter_m": crater.diameter_m, "score": 0.6}],
    )
    return Subject.objects.create(workflow=candidates.workflow_of(region), feature=feature)


def test_it_works_the_ring_is_round_its_middle(subject: Subject):
    shown = cutouts.describe(subject)
    ring = np.array(shown["ring"])
    assert shown["width_m"] == pytest.approx(2.5 * subject.feature.diameter_m)
    assert ring[0].tolist() == ring[-1].tolist()
    assert np.hypot(*(ring - shown["size_px"] / 2).T) == pytest.approx(shown["size_px"] / 5, rel=0.01)


def test_light_and_shade_come_first(subject: Subject):
    assert [layer["kind"] for layer in cutouts.describe(subject)["layers"]] == [
        "hillshade",
        "elevation",
        "slope",
        "curvature",
    ]


def test_every_layer_is_a_picture_of_its_size(subject: Subject):
    for layer in cutouts.describe(subject)["layers"]:
        picture = cutouts.image(subject, layer=layer["uid"])
        opened = Image.open(BytesIO(picture.content))
        assert opened.size == (600, 600)
        assert picture.content_type == "image/jpeg"
        assert np.asarray(opened).std() > 10


def test_beyond_the_edge_it_is_clear(subject: Subject, region: Campaign):
    feature = subject.feature
    feature.lon = 10.84
    feature.save()
    picture = Image.open(BytesIO(cutouts.image(subject).content))
    alpha = np.asarray(picture.convert("LA"))[:, :, 1]
    assert picture.format == "PNG"
    assert alpha[:, 0].min() == 255
    assert alpha[:, -1].max() == 0


def test_an_unknown_layer_is_refused(subject: Subject):
    with pytest.raises(NotFound, match="no such layer"):
        cutouts.image(subject, layer=str(uuid4()))


def test_the_profile_falls_into_the_crater(subject: Subject, world: World):
    profile = cutouts.profile(subject)
    distance, heights = np.array(profile["distance_m"]), np.array(profile["elevation_m"], float)
    radius = subject.feature.diameter_m / 2
    assert distance[0] == -distance[-1]
    inside, rim = np.abs(distance) < 0.5 * radius, np.abs(np.abs(distance) - radius) < 0.15 * radius
    assert heights[inside].mean() < heights[rim].mean() - 20


def test_without_elevation_there_is_no_profile(subject: Subject, region: Campaign):
    region.layers.filter(basemap__kind="elevation").delete()
    assert cutouts.profile(subject) is None


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ({"origin": "imported"}, "Exact truth"),
        ({"origin": "imported", "source": "Head 2010"}, "Head 2010"),
        ({"origin": "consensus"}, "settled from marks"),
        ({"origin": "reviewed"}, "reviewed"),
    ],
    ids=str,
)
def test_the_nearest_known_crater_is_named(subject: Subject, listed: dict[str, str], name: str):
    Catalogue.objects.filter(name="Exact truth").update(synthetic=False, **listed)
    nearest = cutouts.nearest_known(subject)
    assert nearest["name"] == name
    assert nearest["distance_m"] == pytest.approx(0.003 * 30_323, rel=0.02)


def test_the_truth_of_made_up_terrain_is_not_given_away(subject: Subject):
    assert cutouts.nearest_known(subject) is None
