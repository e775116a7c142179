"""The map workbench as a person at a screen sees it: where things are is read off the imagery itself."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from django.urls import reverse
from PIL import Image
from playwright.sync_api import Page, expect

from annotate.models import Basemap, Campaign, Role, User
from annotate.services import basemaps, campaigns, conversions, grids, members
from annotate.services.participants import participant_of
from tests.data.rasters import write

MINE = np.array([0x56, 0xB4, 0xE9])
TILE_ADDRESS = re.compile(r"/(\d+)/(-?\d+)/(\d+)\?")
SIZE_PX = 512


class Workbench:
    """One open label page."""

    def __init__(self, page: Page, campaign: Campaign) -> None:
        self.page = page
        self.campaign = campaign
        self.grid = grids.grid_of(campaign)
        self.map = page.locator("#map")
        self.wait_for_imagery()

    def wait_for_imagery(self) -> None:
        expect(self.page.locator("#save-state")).not_to_be_empty()
        expect(self.page.locator("img.leaflet-tile-loaded").first).to_be_visible()

    def screen(self, x_px: float, y_px: float) -> tuple[float, float]:
        """Where a pixel of the grid is on the screen, by the map tile that lies there."""
        tile = self.page.locator("img.leaflet-tile-loaded").last
        zoom, column, row = map(int, TILE_ADDRESS.search(tile.get_attribute("src")).groups())
        box = tile.bounding_box()
        scale = 256 * 2 ** (self.grid.max_zoom - zoom)
        return (
            box["x"] + (x_px / scale - column) * box["width"],
            box["y"] + (y_px / scale - row) * box["height"],
        )

    def drag(self, start: tuple[float, float], end: tuple[float, float], **options: Any) -> None:
        """Press on one grid pixel and let go on another."""
        mouse = self.page.mouse
        mouse.move(*self.screen(*start))
        mouse.down(**options)
        mouse.move(*self.screen(*end), steps=4)
        mouse.up(**options)

    def click(self, x_px: float, y_px: float) -> None:
        self.page.mouse.click(*self.screen(x_px, y_px))

    def draw(self, x_px: float, y_px: float, radius_px: float) -> None:
        """A circle with the `d` tool, and wait until it is stored."""
        self.page.keyboard.press("d")
        self.drag((x_px, y_px), (x_px + radius_px, y_px))
        self.saved()

    def saved(self) -> None:
        expect(self.page.locator("#save-state")).to_have_text(re.compile(r"^Saved \d\d:\d\d$"))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def blue_at(self, points_px: np.ndarray) -> np.ndarray:
        """For each grid position, whether a line of my colour passes within two pixels of the screen."""
        picture = np.asarray(Image.open(BytesIO(self.page.screenshot())).convert("RGB")).astype(int)
        found = []
        for x_px, y_px in points_px:
            x, y = (round(value) for value in self.screen(x_px, y_px))
            patch = picture[y - 2 : y + 3, x - 2 : x + 3]
            found.append(bool((np.abs(patch - MINE).sum(axis=-1) < 60).any()))
        return np.array(found)


def make_basemap(path: Path, *, crs: str, transform: Any, kind: str = "image", **options: Any) -> Basemap:
    """A small synthetic picture of one body place, ready to be shown."""
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX]
    values = (100 + 60 * np.sin(x / 23) * np.cos(y / 31) + 20 * np.sin((x + y) / 7)).astype("uint8")
    if kind == "elevation":
        values = values.astype("float32") * 10
    write(path, values, crs=crs, transform=transform)
    basemap = basemaps.add_basemap(
        name="Synthetic", body="moon", path=path, kind=kind, synthetic=True, **options
    )
    conversions.convert(basemap.pk)
    basemap.refresh_from_db()
    assert basemap.state == Basemap.State.READY, basemap.error
    return basemap


def make_campaign(basemap: Basemap, lead: User, annotator: User, **fields: Any) -> Campaign:
    """One or more tiles of it, one visit each, the annotator a member."""
    fields = {"tile_size_px": SIZE_PX, "overlap": 32, "redundancy": 1, "visibility": "public", **fields}
    campaign = campaigns.create_campaign(
        name="Trial", body="moon", basemaps=[basemap], created_by=participant_of(lead), **fields
    )
    members.add_member(campaign=campaign, who=annotator.get_username(), role=Role.ANNOTATOR)
    return campaign


def open_workbench(
    open_page: Callable[..., Page], user: User, campaign: Campaign, **options: Any
) -> Workbench:
    return Workbench(open_page(user, reverse("annotate:label", args=[campaign.uid]), **options), campaign)
