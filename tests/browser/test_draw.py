"""Drawing craters in a real browser: what is on the screen, and what is in the database."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from playwright.sync_api import Page, expect

from annotate.models import Campaign, Mark, User
from mlcore import geodesy
from mlcore.bodies import BODIES
from tests.browser.workbench import SIZE_PX, Workbench, make_basemap, make_campaign, open_workbench
from tests.data.rasters import DEGREES, MAP, SOUTH_POLE, north_up

MOON_M = BODIES["moon"].radius_m
DEGREE_M = np.pi * MOON_M / 180.0
POLE_80_M = 2 * MOON_M * np.tan(np.radians(10.0) / 2)
AROUND_180 = f"+proj=eqc +lon_0=180 +R={MOON_M} +units=m +no_defs"

PLACES: dict[str, tuple[str, Affine]] = {
    "equator": (MAP, north_up(30 * DEGREE_M, 25_600.0, 100.0)),
    "60° north": (MAP, north_up(30 * DEGREE_M, 60 * DEGREE_M + 25_600.0, 100.0)),
    "80° south, polar": (SOUTH_POLE, north_up(-25_600.0, POLE_80_M + 25_600.0, 100.0)),
    "the south pole itself": (SOUTH_POLE, north_up(-25_600.0, 25_600.0, 100.0)),
    "across 180°, lon_0 = 180": (AROUND_180, north_up(-25_600.0, 25_600.0, 100.0)),
    "across 180°, in degrees": (DEGREES, north_up(179.5, 0.5, 1 / SIZE_PX)),
}


@pytest.fixture
def campaign(media: Path, tmp_path: Path, lead: User, annotator: User) -> Campaign:
    """Two tiles side by side near the equator; craters below 1 km are not wanted."""
    basemap = make_basemap(tmp_path / "world.tif", crs=MAP, transform=PLACES["equator"][1])
    return make_campaign(basemap, lead, annotator, tile_size_px=256, min_diameter_m=1000.0)


@pytest.fixture
def workbench(open_page: Callable[..., Page], annotator: User, campaign: Campaign) -> Workbench:
    return open_workbench(open_page, annotator, campaign)


def only_mark() -> Mark:
    return Mark.objects.get()


def apart_px(workbench: Workbench, mark: Mark, x_px: float, y_px: float) -> float:
    x, y = workbench.grid.pixel(mark.lon, mark.lat)
    return float(np.hypot(x - x_px, y - y_px))


def test_it_works(workbench: Workbench):
    workbench.draw(100, 120, 20)
    mark = only_mark()
    assert apart_px(workbench, mark, 100, 120) < 1
    assert mark.diameter_m == pytest.approx(4000, abs=100)
    assert mark.basemap is not None and mark.view["gamma"] == 1
    expect(workbench.page.locator("#marks-count")).to_have_text("1")
    expect(workbench.page.locator(".mark")).to_contain_text("km")


@pytest.mark.parametrize("place", PLACES, ids=PLACES.keys())
def test_a_circle_is_where_it_was_drawn(
    place: str,
    open_page: Callable[..., Page],
    media: Path,
    tmp_path: Path,
    lead: User,
    annotator: User,
):
    crs, transform = PLACES[place]
    basemap = make_basemap(tmp_path / "world.tif", crs=crs, transform=transform)
    workbench = open_workbench(open_page, annotator, make_campaign(basemap, lead, annotator))
    center, rim = (256.0, 256.0), (306.0, 286.0)
    workbench.page.keyboard.press("d")
    workbench.drag(center, rim)
    workbench.saved()
    mark = only_mark()
    assert apart_px(workbench, mark, *center) < 1
    ends = [workbench.grid.lonlat(*point) for point in (center, rim)]
    wanted_m = 2 * geodesy.distance_m(*ends[0], *ends[1], MOON_M)
    assert mark.diameter_m == pytest.approx(wanted_m, abs=2 * workbench.grid.resolution_m_per_px)
    # The ring on the screen is the geodesic one, all round.
    corners = geodesy.ring(mark.lon, mark.lat, mark.diameter_m, MOON_M, n=16)[:-1]
    x_px, y_px = workbench.grid.pixel(*corners.T)
    turn_px = 360 / workbench.grid.pixel_size if "degrees" in place else None
    if turn_px:
        x_px = (np.asarray(x_px) - 256 + turn_px / 2) % turn_px - turn_px / 2 + 256
    assert workbench.blue_at(np.column_stack([x_px, y_px])).all()
