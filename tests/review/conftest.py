"""A campaign with proposals to judge, made without rasters, and one on a small piece of synthetic terrain."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from django.core.serializers import deserialize, serialize

from annotate.models import Basemap, Campaign, Catalogue, Membership, Participant, Role, User
from annotate.services import basemaps, conversions, liveness
from annotate.services.campaigns import create_campaign
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from annotate.services.shapes import stamped
from mlcore import api
from mlcore.artifact import write_artifact
from mlcore.geodesy import rim_polygon
from mlcore.raster.grid import Grid
from mlcore.simulate.placed import on_body, write_world
from mlcore.simulate.terrain import TerrainParameters, World, make_world
from review.models import Classification, ModelVersion, Subject, Workflow
from review.services import classifications, jobs, registry, runs
from review.services.policies import candidates

MOON_M = 1_737_400.0


@pytest.fixture(autouse=True)
def a_database_that_has_listened(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' server may have been started a moment ago; then the reaper would give nobody up."""
    monkeypatch.setattr(liveness, "database_has_listened", lambda: True)


@pytest.fixture
def campaign(lead: User) -> Campaign:
    """A public campaign on the Moon that `lead` leads; no tiles, no layers."""
    made = Campaign.objects.create(
        name="Mare Test",
        body="moon",
        visibility=Campaign.Visibility.PUBLIC,
        created_by=participant_of(lead),
        grid={"resolution_m_per_px": 100.0},
        region=stamped(rim_polygon(10.0, 5.0, 200_000.0, MOON_M)),
    )
    Membership.objects.create(campaign=made, user=lead, role=Role.LEAD)
    return made


@pytest.fixture
def workflow(campaign: Campaign) -> Workflow:
    return candidates.workflow_of(campaign)


@pytest.fixture
def person(db: None) -> Callable[[str], Participant]:
    """A participant without a sign-in: person("ada")."""

    def make(name: str) -> Participant:
        return Participant.objects.get_or_create(pseudonym=name)[0]

    return make


@pytest.fixture
def make_subjects(campaign: Campaign, workflow: Workflow) -> Callable[..., list[Subject]]:
    """Proposals in a row, the first of the highest priority: make_subjects(3)."""

    def make(n: int, *, wanted: int = 1) -> list[Subject]:
        catalogue = Catalogue.objects.create(
            name=f"predicted {uuid4()}",
            body="moon",
            campaign=campaign,
            origin=Catalogue.Origin.PREDICTED,
        )
        rows = [
            {"lon": 10.0 + 0.1 * i, "lat": 5.0, "diameter_m": 2000.0, "score": 0.6, "uncertainty": 0.3}
            for i in range(n)
        ]
        return [
            Subject.objects.create(
                workflow=workflow, feature=feature, priority=1 - i / n, wanted=wanted, why="uncertain"
            )
            for i, feature in enumerate(add_features(catalogue, rows))
        ]

    return make


Answer = Callable[..., Classification]


@pytest.fixture
def answer(workflow: Workflow) -> Answer:
    """Record an answer as a reviewer: answer(subject, participant, "accept")."""

    def give(subject: Subject, participant: Participant, what: str, **fields: object) -> Classification:
        fields = {"uid": uuid4(), "as_reviewer": True, "reason": "ridge" if what == "reject" else ""} | fields
        return classifications.record(
            workflow=workflow, subject=subject, participant=participant, answer=what, **fields
        )

    return give


@pytest.fixture(scope="session")
def world() -> World:
    """Synthetic terrain of 51 km with craters of 0.7 km and more; its truth is exact."""
    return make_world(TerrainParameters(size_px=512, craters_per_megapixel=260.0), seed=5)


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs the terrain leaves it converted, for those after it."""
    return tmp_path_factory.mktemp("converted")


@pytest.fixture
def terrain(world: World, converted: Path, media: Path, tmp_path: Path, lead: User) -> Basemap:
    """The world as a converted elevation model with its derived layers."""
    rows = converted / "rows.json"
    if not rows.exists():
        write_world(world, tmp_path / "world.tif", body="moon", lon=10.0, lat=0.0)
        added = basemaps.add_basemap(
            name="Synthetic terrain",
            body="moon",
            path=tmp_path / "world.tif",
            kind="elevation",
            synthetic=True,
        )
        conversions.convert(added.pk)
        rows.write_text(serialize("json", Basemap.objects.order_by("pk")))
        shutil.copytree(media, converted / "media")
    else:
        shutil.copytree(converted / "media", media, dirs_exist_ok=True)
        for row in deserialize("json", rows.read_text()):
            row.save()
    Basemap.objects.update(added_by=participant_of(lead))
    return Basemap.objects.get(kind=Basemap.Kind.ELEVATION)


@pytest.fixture
def region(terrain: Basemap, lead: User) -> Campaign:
    """A campaign on the synthetic terrain, nothing searched yet."""
    return create_campaign(
        name="Synthetic region",
        body="moon",
        basemaps=[terrain],
        created_by=participant_of(lead),
        tile_size_px=128,
        overlap=32,
        redundancy=1,
        min_diameter_m=1600.0,
        visibility=Campaign.Visibility.PUBLIC,
    )


@pytest.fixture
def truth(region: Campaign, world: World) -> Catalogue:
    """The world's craters that the campaign wants, as an imported catalogue of it."""
    grid = Grid.from_json(region.grid)
    catalogue = Catalogue.objects.create(
        name="Exact truth", body="moon", origin=Catalogue.Origin.IMPORTED, campaign=region, synthetic=True
    )
    rows = on_body(world.craters, grid)
    inside = (np.abs(rows[:, :2] - [10.0, 0.0]).max(axis=1) < 0.84) & (rows[:, 2] >= region.min_diameter_m)
    add_features(
        catalogue,
        [dict(zip(("lon", "lat", "diameter_m"), map(float, row), strict=True)) for row in rows[inside]],
    )
    return catalogue


Play = Callable[[str], None]
PROLOGUE = """
import json, os, signal, sys, time
from pathlib import Path
out = Path(sys.argv[1])
job = json.loads((out / 'job.json').read_text())
def tell(**event):
    with (out / 'events.jsonl').open('a') as lines:
        lines.write(json.dumps(event) + '\\n')
"""


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Play:
    """Put a Python script in the network's place; it has `out`, the job's folder, `job` and `tell`."""

    def play(body: str) -> None:
        file = tmp_path / "played.py"
        file.write_text(PROLOGUE + body)

        def start(job_path: Path, log_path: Path) -> subprocess.Popen[bytes]:
            with log_path.open("ab") as log:
                return subprocess.Popen(
                    [sys.executable, str(file), str(job_path.parent)],
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

        monkeypatch.setattr(api, "start", start)
        monkeypatch.setattr(jobs, "LOOK_S", 0.1)
        monkeypatch.setattr(jobs, "POLL_S", 0.05)

    return play


@pytest.fixture
def make_version(region: Campaign) -> Callable[..., ModelVersion]:
    """A version with a card and no weights: make_version(campaign, threshold=0.5)."""

    def make(campaign: Campaign | None = None, **facts: object) -> ModelVersion:
        campaign = campaign or region
        run = runs.create(campaign=campaign, system="crater_detector", verb="train", requested_by=None)
        run = runs.claim(run.pk, "earlier")
        folder = runs.folder_of(run) / "artifact"
        card = replace(api.ModelCard.example(), **facts)
        write_artifact(folder, card, lambda path: path.write_bytes(b""))
        return registry.adopt(run)

    return make
