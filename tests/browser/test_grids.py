"""Every kind of grid on the screen: what is drawn over the imagery lies on what the imagery shows."""

import re
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from django.urls import reverse
from numpy.typing import NDArray
from playwright.sync_api import Page, expect

from annotate.models import Basemap, Campaign, Catalogue, Mark, User
from annotate.services import basemaps, campaigns, conversions
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore import geodesy
from mlcore.raster.grid import Grid
from tests.browser.workbench import Workbench
from tests.data.grid_cases import grid_of
from tests.data.planes import MOON_M, PLANES, Plane
from tests.data.rasters import MAP, NORTH_POLE, hills, north_up, write
from tests.data.rasters import grid_of as rasters_grid

GROUND, RIM = 60, 250
# On each plane one crater that is easy to put in the wrong place.
CRATERS: dict[str, tuple[float, float]] = {
    "degrees −180…180": (-179.0, -20.0),
    "degrees 0…360": (-90.0, 60.0),
    "equirectangular metres": (179.6, -20.0),
    "Lambert conformal conic": (-179.9, 22.0),
    "Mercator": (-179.9, 35.0),
    "polar stereographic north": (180.0, 80.0),
    "polar stereographic south": (0.0, -89.5),
    "azimuthal equidistant": (179.9, -40.0),
}
SEEN_PX = 26.0


def paint(grid: Grid, lon: float, lat: float, diameter_m: float) -> NDArray[np.uint8]:
    """The crater's rim, a line of about two pixels, computed place by place."""
    lons, lats = grid.lonlat(*np.meshgrid(np.arange(grid.width_px) + 0.5, np.arange(grid.height_px) + 0.5))
    known = np.isfinite(lons)
    away_m = np.full(lons.shape, np.inf)
    away_m[known] = geodesy.distance_m(lon, lat, lons[known], lats[known], MOON_M)
    edge_m = np.sqrt(np.prod([float(edge) for edge in grid.edges_m(*grid.pixel(lon, lat))]))
    return np.where(np.abs(away_m - diameter_m / 2) < 1.1 * edge_m, RIM, GROUND).astype(np.uint8)


def diameter_of(plane: Plane, lon: float, lat: float) -> float:
    """About so many pixels of the plane at the crater."""
    grid = grid_of(plane)
    return float(2 * SEEN_PX * min(float(edge) for edge in grid.edges_m(*grid.pixel(lon, lat))))


def add(path: Path, lead: User, name: str) -> Basemap:
    added = basemaps.add_basemap(
        name=name, body="moon", path=path, kind="image", synthetic=True, added_by=participant_of(lead)
    )
    conversions.convert(added.pk)
    return Basemap.objects.get(pk=added.pk)


def begin(lead: User, *layers: Basemap, **fields: int) -> Campaign:
    """One tile for all of the first basemap, nearly, unless said otherwise."""
    fields = {"tile_size_px": 2048, "overlap": 0, **fields}
    return campaigns.create_campaign(
        name="Trial",
        body="moon",
        basemaps=layers,
        created_by=participant_of(lead),
        redundancy=1,
        **fields,
    )


def list_crater(lon: float, lat: float, diameter_m: float) -> None:
    catalogue = Catalogue.objects.create(name="Known", version=1, body="moon", origin="imported")
    add_features(catalogue, [{"lon": lon, "lat": lat, "diameter_m": diameter_m}])


# What is on the map's element, pixel by pixel: all map tiles as they lie there, or the rims drawn over them.
READ = """(selector) => {
  const map = document.querySelector("#map").getBoundingClientRect();
  const canvas = new OffscreenCanvas(Math.round(map.width), Math.round(map.height));
  const context = canvas.getContext("2d");
  for (const part of document.querySelectorAll(selector)) {
    const box = part.getBoundingClientRect();
    context.drawImage(part, box.x - map.x, box.y - map.y, box.width, box.height);
  }
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let text = "";
  for (let i = 0; i < data.length; i += 4) {
    text += String.fromCharCode((data[i + 1] * data[i + 3]) / 255);
  }
  return [canvas.width, canvas.height, btoa(text)];
}"""
# Every map tile of the newest layer has come and nothing moves.
AT_REST = """() => {
  const tiles = [...document.querySelectorAll("img.leaflet-tile")];
  return tiles.length && tiles.every((tile) => tile.matches(".leaflet-tile-loaded"))
    && !document.querySelector(".leaflet-zoom-anim");
}"""
# Two frames later everything asked for is painted.
PAINTED = "() => new Promise((on) => requestAnimationFrame(() => requestAnimationFrame(() => on(true))))"
# Pixels of the screen across the whole grid, padded to a square; nothing while it moves.
ACROSS = """() => {
  const tile = [...document.querySelectorAll("img.leaflet-tile-loaded")].at(-1);
  const moves = document.querySelector(".leaflet-zoom-anim");
  const zoom = Number(/\\/(\\d+)\\/-?\\d+\\/\\d+\\?/.exec(tile?.src)?.[1]);
  return tile && !moves ? tile.getBoundingClientRect().width * 2 ** zoom : 0;
}"""
TILES, RIMS = "img.leaflet-tile", ".leaflet-rings-pane canvas"


class View(Workbench):
    """A label page with one catalogue laid over the map."""

    def show_catalogue(self) -> None:
        self.page.locator("#overlays input").check()
        expect(self.page.locator("#overlays .chip")).to_have_text("1")

    def read(self, what: str) -> NDArray[np.float64]:
        width, height, text = self.page.evaluate(READ, what)
        return np.frombuffer(b64decode(text), np.uint8).reshape(height, width).astype(float)

    def at(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel of the grid is on the map's element."""
        box = self.map.bounding_box()
        x, y = self.screen(x_px, y_px)
        return x - box["x"], y - box["y"]

    def rims_at(self, center: tuple[float, float], reach_px: float) -> tuple[list[float], list[float]]:
        """Where the rim painted in the imagery and the one drawn over it cross the axes through a place."""
        self.page.wait_for_function(AT_REST)
        self.page.wait_for_function(PAINTED)
        painted, drawn = (crossings(self.read(what), center, reach_px) for what in (TILES, RIMS))
        return painted, drawn


def crossings(image: NDArray[np.float64], center: tuple[float, float], reach_px: float) -> list[float]:
    """Pixels from a place to the bright line to the left, to the right, above and below."""
    x, y = center
    found = []
    for values, here, across in ((image, x, y), (image.T, y, x)):
        band = values[int(across) - 1 : int(across) + 2].mean(axis=0)
        for low, high in ((here - reach_px, here - 3), (here + 3, here + reach_px)):
            first, last = max(int(low), 0), int(high)
            line = np.clip(band[first:last] - band[first:last].max() / 2, 0.0, None)
            assert line.any(), "no line is there"
            found.append(first + float((np.arange(len(line)) * line).sum() / line.sum()) + 0.5 - here)
    return found


Painted = Callable[[str, tuple[float, float]], tuple[Basemap, float]]
Open = Callable[[Campaign], View]


@pytest.fixture
def painted(media: Path, tmp_path: Path, lead: User) -> Painted:
    """A basemap on a plane in which a crater's rim is painted, which a catalogue lists; and its diameter."""

    def make(name: str, crater: tuple[float, float]) -> tuple[Basemap, float]:
        plane = PLANES[name]
        diameter_m = diameter_of(plane, *crater)
        values = paint(grid_of(plane), *crater, diameter_m)
        place = north_up(*plane.origin, plane.pixel)
        basemap = add(write(tmp_path / "a.tif", values, crs=plane.crs, transform=place), lead, "Plane")
        list_crater(*crater, diameter_m)
        return basemap, diameter_m

    return make


@pytest.fixture
def open_view(open_page: Callable[..., Page], lead: User) -> Open:
    def open_view(campaign: Campaign) -> View:
        return View(open_page(lead, reverse("annotate:label", args=[campaign.uid])), campaign)

    return open_view


@pytest.mark.parametrize("name", PLANES)
def test_a_listed_crater_lies_on_its_rim_in_the_imagery(
    painted: Painted, open_view: Open, lead: User, name: str
):
    basemap, diameter_m = painted(name, CRATERS[name])
    view = open_view(begin(lead, basemap))
    place = PLANES[name].pixel_of(*CRATERS[name])
    view.show_catalogue()
    scales = []
    for step in ("opened", "zoomed and moved"):
        at = view.at(*place)
        scale = (view.at(place[0] + 1000, place[1])[0] - at[0]) / 1000
        rim_x, rim_y = view.grid.pixel(*geodesy.ring(*CRATERS[name], diameter_m, MOON_M).T)
        reach = 6 + scale * 1.1 * float(max(np.abs(rim_x - place[0]).max(), np.abs(rim_y - place[1]).max()))
        in_imagery, drawn = view.rims_at(at, reach)
        # To a pixel of the screen, or of the image where that is larger.
        assert drawn == pytest.approx(in_imagery, abs=max(1.0, scale)), (step, scale)
        scales.append(scale)
        if step == "opened":
            zoom_and_move(view, at)
    assert scales[1] == pytest.approx(4 * scales[0], rel=0.01)


def zoom_and_move(view: View, at: tuple[float, float]) -> None:
    """Four times nearer at a place, which then is drawn to the middle by the middle button."""
    box, mouse = view.map.bounding_box(), view.page.mouse
    mouse.move(box["x"] + at[0], box["y"] + at[1])
    across = view.page.evaluate(ACROSS)
    for factor in (2, 4):
        mouse.wheel(0, -90)
        view.page.wait_for_function(f"() => ({ACROSS})() > {0.95 * factor * across}")
        view.page.wait_for_function(AT_REST)
    mouse.down(button="middle")
    mouse.move(box["x"] + box["width"] / 2 - 37, box["y"] + box["height"] / 2 + 21, steps=3)
    mouse.up(button="middle")


@pytest.mark.parametrize(
    ("name", "crater", "size_px"),
    [("degrees 0…360", (-0.5, 31.0), 480), ("polar stereographic north", (180.0, 80.0), 1024)],
)
def test_a_circle_is_stored_where_the_imagery_shows_it(
    painted: Painted, open_view: Open, lead: User, name: str, crater: tuple[float, float], size_px: int
):
    """On the map from 0° to 360° it lies beyond the west edge of the first tile: the map goes on there."""
    basemap, diameter_m = painted(name, crater)
    view = open_view(begin(lead, basemap, tile_size_px=size_px, overlap=64))
    view.show_catalogue()
    x, y = PLANES[name].pixel_of(*crater)
    x -= view.grid.wrap_px or 0
    _, rim_y = view.grid.pixel(*geodesy.ring(*crater, diameter_m, MOON_M).T)
    in_imagery, drawn = view.rims_at(view.at(x, y), 60.0)
    assert drawn == pytest.approx(in_imagery, abs=1.5)
    view.page.keyboard.press("d")
    view.drag((x, y), (x, float(rim_y.max())))
    view.saved()
    mark = Mark.objects.get()
    edge_m = view.grid.resolution_m_per_px
    assert geodesy.distance_m(mark.lon, mark.lat, *crater, MOON_M) < 1.5 * edge_m
    assert mark.diameter_m == pytest.approx(diameter_m, abs=3 * edge_m)
    assert -180.0 <= mark.lon < 180.0
    expect(view.page.locator("#marks-count")).to_have_text("1")


def test_a_layer_of_another_grid_is_marked_and_lies_right(
    painted: Painted, open_view: Open, lead: User, tmp_path: Path
):
    name = "Lambert conformal conic"
    crater = CRATERS[name]
    basemap, diameter_m = painted(name, crater)
    degree_m = np.pi * MOON_M / 180
    west, top = (crater[0] - 9) * degree_m, (crater[1] + 9) * degree_m
    other = rasters_grid(MAP, west, top, 1_000.0, 546, 546)
    values = paint(other, *crater, diameter_m)
    place = north_up(west, top, 1_000.0)
    second = add(write(tmp_path / "b.tif", values, crs=MAP, transform=place), lead, "Equirectangular")
    view = open_view(begin(lead, basemap, second))
    layers = view.page.locator("#layers label")
    expect(layers).to_have_count(2)
    expect(layers.nth(0).locator(".chip")).to_have_count(0)
    expect(layers.nth(1).locator(".chip")).to_have_text("resampled")
    view.show_catalogue()
    with view.page.expect_response(lambda answer: str(second.uid) in answer.url and answer.ok):
        layers.nth(1).click()
    expect(view.page.locator("img.leaflet-tile-loaded").first).to_have_attribute(
        "src", re.compile(str(second.uid))
    )
    place = PLANES[name].pixel_of(*crater)
    zoom_and_move(view, view.at(*place))
    in_imagery, drawn = view.rims_at(view.at(*place), 80.0)
    assert drawn == pytest.approx(in_imagery, abs=2.0)


def test_the_sun_is_where_the_hillshade_is_lit_from(open_view: Open, media: Path, tmp_path: Path, lead: User):
    """Beside the pole north is not up, but the light of a hillshade comes from a side of its raster."""
    place = north_up(200_000.0, 300_000.0, 500.0)
    source = write(tmp_path / "dem.tif", hills(400, 400), crs=NORTH_POLE, transform=place, unit="m")
    dem = basemaps.add_basemap(
        name="Heights", body="moon", path=source, kind="elevation", added_by=participant_of(lead)
    )
    conversions.convert(dem.pk)
    view = open_view(begin(lead, Basemap.objects.get(pk=dem.pk)))
    expect(view.page.locator(".sun-arrow")).to_have_attribute("transform", "rotate(315 22 22)")
    lon, lat = (float(value) for value in view.grid.lonlat(200.0, 200.0))
    x, y = view.grid.pixel(lon, lat + 0.01)
    north_from_up = np.degrees(np.arctan2(x - 200.0, 200.0 - y))
    assert abs(north_from_up) > 30
    label = int(re.search(r"sun (\d+)°", view.page.locator(".sun-label").text_content())[1])
    assert abs((label - (315 - north_from_up) + 180) % 360 - 180) < 1.5
