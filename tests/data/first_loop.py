"""The database and the files of a site as the first loop left them: migrations annotate 0002 and review 0002.

The rows are written through the models as they were then, so what is here never changes. As a script it
fills the empty database of DATABASE_URL, and MEDIA_ROOT, for whoever wants to try an upgrade by hand:

    DJANGO_SETTINGS_MODULE=webapp.settings python -m tests.data.first_loop
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import django
from django.apps.registry import Apps
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.gis.geos import GEOSGeometry
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from annotate.services.shapes import stamped
from mlcore.geodesy import rim_polygon
from mlcore.raster import cog
from tests.data import rasters

MIGRATIONS = {"annotate": "0002_geography_indexes", "review": "0002_recording_and_requeueing"}
GRID_KEYS = {
    "body", "crs_wkt", "proj4", "origin_x", "origin_y", "pixel_size", "width_px", "height_px",
    "resolution_m_per_px",
}  # fmt: skip
SIDE = {"recall": 0.9, "precision": 0.9, "f1": 0.9, "n_truth": 10, "n_found": 10, "n_right": 9}
CARD = {
    "system": "crater_detector", "preset": "quick", "config": {"window_px": 1024, "overlap_px": 192},
    "normalisation": {"kind": "window"}, "classes": ["background", "crater"], "threshold": 0.5,
    "threshold_source": "validation", "calibration": [1.0, 0.0], "min_diameter_m": 5000.0,
    "metrics": {"validation": SIDE, "test": SIDE}, "dataset_sha256": "0" * 64, "code_version": "0.1.0",
    "seed": 1, "initial_weights": "scratch", "steps": 1000, "device": "cpu float32",
    "created_at": "2026-01-01T00:00:00+00:00", "notes": [],
}  # fmt: skip
PASSWORD = "correct horse battery"
DIAMETER_M = 5000.0
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def make(media: Path) -> None:
    """Bring an empty database to the first loop's tables, and fill them and MEDIA_ROOT."""
    for app, migration in MIGRATIONS.items():
        call_command("migrate", app, migration, verbosity=0)
    for app in ("admin", "account", "auth", "contenttypes", "sessions"):
        call_command("migrate", app, verbosity=0)
    loader = MigrationLoader(connection)
    Filling(loader.project_state(list(MIGRATIONS.items())).apps, media).fill()


def rim(lon: float, lat: float) -> GEOSGeometry:
    return stamped(rim_polygon(lon, lat, DIAMETER_M, rasters.MOON_M))


class Filling:
    """Rows of every model, a few of each, and the files that they name."""

    def __init__(self, apps: Apps, media: Path) -> None:
        self.media = media
        self.of = SimpleNamespace(
            **{
                model.__name__: model.objects
                for app in MIGRATIONS
                for model in apps.get_app_config(app).get_models()
            }
        )

    def fill(self) -> None:
        self.people()
        self.ground()
        self.drawing()
        self.learning()
        self.judging()

    def people(self) -> None:
        password = make_password(PASSWORD)
        self.users = [
            self.of.User.create(
                username=name,
                password=password,
                email=f"{name}@example.org",
                is_staff=name == "staff",
                is_superuser=name == "staff",
            )
            for name in ("lead", "annotator", "reviewer", "staff")
        ]
        self.lead, self.annotator, self.reviewer, _staff = [
            self.of.Participant.create(user=user, pseudonym=f"p-{user.username}") for user in self.users
        ]
        self.stranger = self.of.Participant.create(pseudonym="an anonymous visitor")

    def ground(self) -> None:
        elevation = self.basemap("elevation", None)
        self.shade = self.basemap("hillshade", elevation)
        self.elevation = elevation
        info = cog.inspect(self.media / elevation.cog_path, "moon")
        grid = cog.grid_of(info, "moon").to_json()
        self.campaign = self.of.Campaign.create(
            name="The first campaign",
            body="moon",
            visibility="public",
            created_by=self.lead,
            grid={key: grid[key] for key in GRID_KEYS},
            region=elevation.footprint,
            tile_size_px=128,
            tile_overlap_px=16,
            redundancy=2,
        )
        for position, basemap in enumerate((elevation, self.shade)):
            self.of.CampaignBasemap.create(campaign=self.campaign, basemap=basemap, position=position)
        for user, role in zip(self.users, ("lead", "annotator", "reviewer"), strict=False):
            self.of.Membership.create(campaign=self.campaign, user=user, role=role)
        self.of.ViewPreference.create(
            campaign=self.campaign,
            participant=self.annotator,
            settings={"layer": str(self.shade.uid), "low_percent": 2.0, "high_percent": 98.0, "gamma": 1.0},
        )
        self.of.Skill.create(participant=self.annotator, campaign=self.campaign, n_found=3, n_missed=1)

    def basemap(self, kind: str, derived_from: object) -> object:
        uid = uuid4()
        folder = self.media / "basemaps" / str(uid)
        folder.mkdir(parents=True)
        source = rasters.write(folder / "source.tif", rasters.hills(256, 256))
        cog.convert_to_cog(source, folder / "basemap.tif")
        info = cog.inspect(folder / "basemap.tif", "moon")
        return self.of.Basemap.create(
            uid=uid,
            name=f"Synthetic {kind}",
            body="moon",
            kind=kind,
            derived_from=derived_from,
            added_by=self.lead,
            state="ready",
            progress=1.0,
            source_path=f"basemaps/{uid}/source.tif",
            cog_path=f"basemaps/{uid}/basemap.tif",
            crs_wkt=info.crs_wkt,
            transform=list(info.transform),
            width_px=info.width_px,
            height_px=info.height_px,
            resolution_m_per_px=info.resolution_m_per_px,
            dtype=info.dtype,
            statistics=cog.statistics(folder / "basemap.tif"),
            bounds=list(info.bounds),
            footprint=stamped(cog.footprint(info, "moon")),
            synthetic=True,
        )

    def drawing(self) -> None:
        west, south, east, north = self.elevation.bounds
        # The middle of the first of four tiles.
        self.place = west + (east - west) / 4, north - (north - south) / 4
        for number, (x_px, y_px) in enumerate(((0, 0), (128, 0), (0, 128), (128, 128)), start=1):
            self.of.Tile.create(
                campaign=self.campaign,
                number=number,
                x_px=x_px,
                y_px=y_px,
                width_px=128,
                height_px=128,
                outline=self.elevation.footprint,
                settled_at=BEGAN if number == 1 else None,
            )
        tiles = list(self.of.Tile.order_by("number"))
        states = [
            (tiles[0], self.annotator, "submitted"),
            (tiles[0], self.stranger, "submitted"),
            (tiles[1], self.annotator, "leased"),
            (tiles[2], self.annotator, "returned"),
        ]
        for tile, participant, state in states:
            visit = self.of.Visit.create(
                tile=tile,
                participant=participant,
                state=state,
                lease_expires_at=BEGAN + timedelta(hours=1),
                submitted_at=BEGAN if state == "submitted" else None,
                return_reason="no time" if state == "returned" else "",
            )
            self.mark(visit, deleted=False)
            self.mark(visit, deleted=True)
        self.consensus = self.catalogue("consensus")
        settled = self.feature(self.consensus, tile=tiles[0], status="confirmed", score=0.9)
        settled.marks.set(self.of.Mark.filter(visit__tile=tiles[0], deleted_at=None))
        imported = self.feature(self.catalogue("imported", source="somebody, 2020"), name="Copernicus")
        imported.same_as = settled
        imported.save()

    def mark(self, visit: object, *, deleted: bool) -> None:
        lon, lat = self.place
        mark = self.of.Mark.create(
            uid=uuid4(),
            visit=visit,
            lon=lon,
            lat=lat,
            diameter_m=DIAMETER_M,
            rim_points=[[lon, lat], [lon, lat + 0.1], [lon + 0.1, lat]],
            geom=rim(lon, lat),
            basemap=self.shade,
            view={"zoom": 2},
            version=2 if deleted else 1,
            deleted_at=BEGAN if deleted else None,
        )
        state = {"lon": lon, "lat": lat, "diameter_m": DIAMETER_M}
        for version, action in enumerate(("create", "delete")[: mark.version], start=1):
            self.of.MarkRevision.create(
                mark=mark, version=version, action=action, state=state, by=visit.participant
            )

    def catalogue(self, origin: str, **fields: object) -> object:
        return self.of.Catalogue.create(
            name=f"The {origin} catalogue",
            body="moon",
            origin=origin,
            campaign=self.campaign,
            created_by=self.lead,
            **fields,
        )

    def feature(self, catalogue: object, **fields: object) -> object:
        lon, lat = self.place
        return self.of.Feature.create(
            catalogue=catalogue, lon=lon, lat=lat, diameter_m=DIAMETER_M, geom=rim(lon, lat), **fields
        )

    def learning(self) -> None:
        dataset = uuid4()
        folder = self.media / "datasets" / str(dataset)
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        self.dataset = self.of.Dataset.create(
            uid=dataset,
            campaign=self.campaign,
            system="crater_detector",
            sha256="0" * 64,
            path=f"datasets/{dataset}",
            counts={what: {"train": 3, "validation": 1, "test": 1} for what in ("craters", "negatives")},
        )
        training = self.run(1, "train", "finished", dataset=self.dataset)
        self.of.RunEvent.create(run=training, attempt=1, kind="log", payload={"message": "Learning."})
        self.of.RunEvent.create(
            run=training, attempt=1, kind="metric", payload={"name": "loss", "step": 1, "value": 0.5}
        )
        artifact = f"runs/{training.uid}/1/artifact"
        (self.media / artifact).mkdir(parents=True)
        (self.media / artifact / "card.json").write_text(json.dumps(CARD))
        (self.media / artifact / "weights.safetensors").write_bytes(b"weights")
        self.version = self.of.ModelVersion.create(
            campaign=self.campaign,
            system="crater_detector",
            number=1,
            run=training,
            path=artifact,
            card=CARD,
            is_current=True,
            promoted_by=self.lead,
            promoted_at=BEGAN,
        )
        self.predicted = self.catalogue("predicted")
        self.campaign.proposals = self.predicted
        self.campaign.save()
        predicting = self.run(
            2,
            "predict",
            "running",
            model_version=self.version,
            basemap=self.elevation,
            catalogue=self.predicted,
            heartbeat_at=BEGAN,
        )
        lon, lat = self.place
        found = [{"lon": lon, "lat": lat, "diameter_m": DIAMETER_M, "score": 0.7, "uncertainty": 0.1}]
        for index, state in enumerate(("done", "claimed", "pending")):
            self.of.RunWindow.create(
                run=predicting,
                index=index,
                window={"factor": 1, "x_px": 0, "y_px": 0, "width_px": 256, "height_px": 256},
                state=state,
                claimed_by="" if state == "pending" else "host:1",
                claimed_at=None if state == "pending" else BEGAN,
                done_at=BEGAN if state == "done" else None,
                detections=found if state == "done" else None,
            )

    def run(self, number: int, verb: str, state: str, **fields: object) -> object:
        return self.of.Run.create(
            campaign=self.campaign,
            number=number,
            system="crater_detector",
            verb=verb,
            state=state,
            attempt=1,
            worker="host:1",
            config={"preset": "quick", "overrides": {}, "seed": 1},
            requested_by=self.lead,
            started_at=BEGAN,
            finished_at=BEGAN if state == "finished" else None,
            **fields,
        )

    def judging(self) -> None:
        workflow = self.of.Workflow.create(
            campaign=self.campaign, policy="candidates", question="Is this a crater?", settings={}
        )
        for stratum in ("instructive", "random"):
            proposal = self.feature(self.predicted, score=0.7, uncertainty=0.2)
            subject = self.of.Subject.create(
                workflow=workflow, feature=proposal, stratum=stratum, priority=0.5, why="uncertain"
            )
        judged = self.of.Classification.create(
            uid=uuid4(),
            workflow=workflow,
            subject=subject,
            participant=self.reviewer,
            answer="accept",
            as_reviewer=True,
        )
        subject.n_answers, subject.retired_at, subject.retired_because = 1, BEGAN, "settled"
        subject.save()
        self.of.Verdict.create(
            subject=subject,
            answer="confirmed",
            rule="one reviewer",
            evidence=[str(judged.uid)],
            feature=self.feature(self.catalogue("reviewed"), status="confirmed"),
        )


if __name__ == "__main__":
    django.setup()
    make(Path(settings.MEDIA_ROOT))
