"""A little lunar world without files: campaigns with tiles, people at work on them."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from threading import Barrier, Thread
from uuid import uuid4

import numpy as np
from django.contrib.gis.geos import MultiPolygon, Polygon
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from annotate.models import (
    Campaign,
    CatalogueImport,
    Mark,
    Membership,
    Participant,
    Role,
    Tile,
    User,
    Visit,
)
from annotate.services import grids, imports, leases, marks
from annotate.services.participants import participant_of
from annotate.services.shapes import stamped
from mlcore import geodesy
from mlcore.bodies import BODIES, BODY_SPHERE_SRID
from mlcore.raster.grid import Grid

PIXEL_M = 100.0


def lunar_grid(width_px: int = 512, height_px: int = 512, lon: float = 10.0, lat: float = 5.0) -> Grid:
    """An equirectangular grid of 100 m pixels whose upper left corner is (lon, lat)."""
    proj4 = "+proj=eqc +lat_ts=0 +lat_0=0 +lon_0=0 +x_0=0 +y_0=0 +a=1737400 +b=1737400 +units=m +no_defs"
    metres_per_degree = np.pi * BODIES["moon"].radius_m / 180.0
    return Grid(
        body="moon",
        crs_wkt='PROJCRS["Moon",BASEGEOGCRS["Moon",DATUM["Moon",ELLIPSOID["Moon",1737400,0]]],'
        'CONVERSION["Equidistant Cylindrical",METHOD["Equidistant Cylindrical",ID["EPSG",1028]],'
        'PARAMETER["Latitude of 1st standard parallel",0,ANGLEUNIT["degree",0.0174532925199433]],'
        'PARAMETER["Longitude of natural origin",0,ANGLEUNIT["degree",0.0174532925199433]],'
        'PARAMETER["False easting",0,LENGTHUNIT["metre",1]],'
        'PARAMETER["False northing",0,LENGTHUNIT["metre",1]]],'
        'CS[Cartesian,2],AXIS["easting",east],AXIS["northing",north],LENGTHUNIT["metre",1]]',
        proj4=proj4,
        origin_x=lon * metres_per_degree,
        origin_y=lat * metres_per_degree,
        pixel_size=PIXEL_M,
        width_px=width_px,
        height_px=height_px,
        resolution_m_per_px=PIXEL_M,
    )


def make_campaign(
    *,
    lead: User | None = None,
    redundancy: int = 3,
    columns: int = 2,
    rows: int = 2,
    tile_px: int = 256,
    overlap_px: int = 32,
    grid: Grid | None = None,
    **fields: object,
) -> Campaign:
    """A campaign of columns × rows tiles, public unless said otherwise."""
    grid = grid or lunar_grid(columns * tile_px, rows * tile_px)
    whole = grids.Cell(0, 0, grid.width_px, grid.height_px)
    campaign = Campaign.objects.create(
        **{
            "name": "Trial",
            "body": "moon",
            "visibility": Campaign.Visibility.PUBLIC,
            "grid": grid.to_json(),
            "region": stamped(grids.outline(grid, whole)),
            "tile_size_px": tile_px,
            "tile_overlap_px": overlap_px,
            "redundancy": redundancy,
            **fields,
        }
    )
    for number, cell in enumerate(grids.lay_tiles(grid, tile_px, None), start=1):
        Tile.objects.create(
            campaign=campaign,
            number=number,
            x_px=cell.x_px,
            y_px=cell.y_px,
            width_px=cell.width_px,
            height_px=cell.height_px,
            outline=stamped(grids.outline(grid, cell)),
        )
    if lead is not None:
        join(campaign, lead, Role.LEAD)
    return campaign


def join(campaign: Campaign, user: User, role: str = Role.ANNOTATOR) -> Participant:
    """Give the user a role, and return the participant who will do the work."""
    Membership.objects.get_or_create(campaign=campaign, user=user, role=role)
    return participant_of(user)


def make_people(campaign: Campaign, n: int) -> list[Participant]:
    """So many new annotators of the campaign."""
    return [
        join(campaign, User.objects.create_user(f"person-{uuid4().hex[:8]}", password=None)) for _ in range(n)
    ]


def place(campaign: Campaign, x_px: float, y_px: float) -> tuple[float, float]:
    """Longitude and latitude of a place on the campaign's grid."""
    lon, lat = grids.grid_of(campaign).lonlat(x_px, y_px)
    return float(lon), float(lat)


def take(tile: Tile, participant: Participant) -> Visit:
    """Lease this very tile."""
    visit, _ = Visit.objects.get_or_create(
        tile=tile,
        participant=participant,
        defaults={"lease_expires_at": timezone.now() + timedelta(hours=1)},
    )
    return visit


def draw(visit: Visit, x_px: float, y_px: float, diameter_px: float = 20.0, **fields: object) -> Mark:
    """Draw a circle given in grid pixels."""
    lon, lat = place(visit.tile.campaign, x_px, y_px)
    return marks.draw(
        visit=visit,
        **{"uid": uuid4(), "lon": lon, "lat": lat, "diameter_m": diameter_px * PIXEL_M, **fields},
    )


def search(tile: Tile, participant: Participant, circles: Iterable[tuple[float, float, float]] = ()) -> Visit:
    """Draw these circles (x, y, diameter in grid pixels) on the tile and submit it."""
    visit = take(tile, participant)
    drawn = [draw(visit, *circle) for circle in circles]
    return leases.submit(visit, empty=not drawn)


def square(lon: float, lat: float, edge_deg: float) -> MultiPolygon:
    """A region round a place."""
    half = edge_deg / 2
    return MultiPolygon(
        Polygon.from_bbox((lon - half, lat - half, lon + half, lat + half)), srid=BODY_SPHERE_SRID
    )


def metres_between(first: Mark, lon: float, lat: float) -> float:
    """How far a mark's centre is from a place, on the Moon."""
    return float(geodesy.distance_m(first.lon, first.lat, lon, lat, BODIES["moon"].radius_m))


def at_once(tasks: Sequence[Callable[[], object]]) -> list[BaseException]:
    """Run the functions at the same time, each with its own database connection."""
    barrier = Barrier(len(tasks))
    errors: list[BaseException] = []

    def run(task: Callable[[], object]) -> None:
        barrier.wait()
        try:
            task()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[task]) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def wait_for_import(owner: Participant, text: str = "lon,lat,diam_km\n1,2,3\n1,95,3\n") -> CatalogueImport:
    """A crater list that its owner uploaded and that has been looked through."""
    waiting = imports.take_in(
        upload=SimpleUploadedFile("list.csv", text.encode()),
        name="A list",
        body="moon",
        campaign=None,
        owner=owner,
    )
    imports.look_through(waiting.pk)
    waiting.refresh_from_db()
    return waiting
