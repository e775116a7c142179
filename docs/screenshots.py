"""Take the README's pictures of the label, triage and cutting pages anew, from the synthetic demonstration.

While bin/run runs, after bin/test has installed what tests need:

    .venv/bin/python -m docs.screenshots http://127.0.0.1:8000 var/sign-ins.txt

The annotator of the demonstration draws the true craters of a tile, and takes them back afterwards. A visitor
goes through the test before judging until a picture comes again whose crater they were told of. The lead goes
around the crater of a test shot, and abandons the outline.
"""

import argparse
import csv
import json
import re
import shutil
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from mlcore.raster.grid import Grid
from mlcore.simulate.foil_survey import SurveyParameters, take

LABEL, TRIAGE, CUTTING = (
    Path(__file__).parent / "img" / name for name in ("label.png", "triage.png", "cutting.png")
)
WHO, LEAD = "annotator1", "lead"
TRUTH = "Truth of the synthetic region"
# A crater that can be seen well, with the ring around it.
WIDE_PX = 60
VIEWPORT = {"width": 1440, "height": 900}
# As review/services/foils/network/shots.py has them made.
TEST_SHOTS = SurveyParameters(crater_share=1.0 - 1e-9, apart_share=0.0, series_share=0.0)
CORNERS = 10
# Besides the greys of the terrain; less apart than this the three channels make a grey.
COLOURS, HOW_GREY = 140, 6


def main() -> None:
    """Sign in, draw, take the picture, undo."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("address", help="where Tektite runs")
    parser.add_argument("sign_ins", type=Path, help="the file that bin/run has left")
    arguments = parser.parse_args()
    sign_ins = arguments.sign_ins.read_text()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("chromium-browser"),
            args=["--no-sandbox"],
        )
        page = browser.new_page(base_url=arguments.address, viewport=VIEWPORT)
        sign_in(page, WHO, sign_ins)
        save(picture_of_label_page(page), LABEL)
        visitor = browser.new_page(base_url=arguments.address, viewport=VIEWPORT)
        save(picture_of_triage_page(visitor), TRIAGE)
        expert = browser.new_page(base_url=arguments.address, viewport=VIEWPORT)
        sign_in(expert, LEAD, sign_ins)
        save(picture_of_cutting_page(expert), CUTTING)
        browser.close()


def sign_in(page: Page, who: str, sign_ins: str) -> None:
    """As one of the demonstration's people."""
    password = re.search(rf"^\s*{who}\s+(\S+)", sign_ins, re.MULTILINE)[1]
    page.goto("/accounts/login/")
    page.fill("[name=login]", who)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name=f"Hello, {who}")).to_be_visible()


def picture_of_label_page(page: Page) -> bytes:
    """The annotator's tile with its craters drawn."""
    craters = truth(page)
    page.goto("/campaigns/")
    page.get_by_role("link", name="Demonstration").first.click()
    page.get_by_role("link", name="Label", exact=True).click()
    expect(page.locator("img.leaflet-tile-loaded").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    config = json.loads(page.locator("#label-config").text_content())
    drawn = [circle for circle in on_grid(craters, config) if is_in_tile(circle, config)]
    for circle in drawn:
        draw(page, config, circle)
    page.mouse.move(*screen(page, config, *drawn[-1][:2]))
    picture = page.screenshot()
    for _ in drawn:
        page.keyboard.press("Control+z")
        wait_until_saved(page)
    return picture


def picture_of_triage_page(page: Page) -> bytes:
    """A known picture of the test, come round again, with its crater marked."""
    page.goto("/")
    page.get_by_role("link", name="Find craters").first.click()
    page.get_by_role("button", name="I agree, begin").click()
    page.get_by_role("button", name="Skip").click()
    told: dict[str, tuple[float, float]] = {}
    image = page.locator("#foil-sheet img").first
    while True:
        expect(page.locator('main[data-mode="asking"]')).to_be_visible()
        pixels = sha256(page.locator("#foil-sheet").screenshot()).hexdigest()
        if pixels in told:
            box = image.bounding_box()
            x, y = told[pixels]
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 80)
            expect(page.locator("#foil-marks .mine")).to_have_count(1)
            return page.screenshot()
        # Never right on a crater, so that the test goes on; what is told is kept.
        page.get_by_role("button", name="Cannot tell").click()
        expect(page.locator("#told")).to_be_visible()
        place = page.locator("#foil-marks .place").first
        if place.is_visible() and (ring := place.bounding_box()) and ring["width"] > WIDE_PX:
            box = image.bounding_box()
            told[pixels] = (
                (ring["x"] + ring["width"] / 2 - box["x"]) / box["width"],
                (ring["y"] + ring["height"] / 2 - box["y"]) / box["height"],
            )
        page.wait_for_timeout(500)
        page.keyboard.press("Enter")


def picture_of_cutting_page(page: Page) -> bytes:
    """The first test shot that is not cut yet, with an outline around its crater."""
    page.goto("/campaigns/")
    page.get_by_role("link", name="Foil demonstration").first.click()
    page.get_by_role("link", name="Cut-outs", exact=True).click()
    link = page.get_by_role("link", name="Cut out of simulated-").first
    _simulated, seed, number = link.get_by_role("img").get_attribute("alt").removesuffix(".png").split("-")
    (crater,) = take(TEST_SHOTS, int(seed), int(number)).place.craters
    link.click()
    expect(page.locator('#foil[aria-busy="false"]')).to_be_visible()
    box = page.locator("#foil-sheet img").first.bounding_box()
    scale = box["width"] / TEST_SHOTS.foil.width_px
    # Round it, a little outside of the rim.
    radius_px = 0.75 * crater.diameter_um / TEST_SHOTS.foil.um_per_px
    for angle in np.linspace(0.0, 2.0 * np.pi, CORNERS, endpoint=False):
        x_px, y_px = crater.x_px + radius_px * np.cos(angle), crater.y_px + radius_px * np.sin(angle)
        page.mouse.click(box["x"] + scale * x_px, box["y"] + scale * y_px)
    page.get_by_role("button", name="Close outline").click()
    expect(page.locator("#pasted")).to_be_visible()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] - 40)
    picture = page.screenshot()
    page.get_by_role("button", name="Abandon").click()
    return picture


def truth(page: Page) -> list[dict[str, str]]:
    """The rows of the demonstration's own list."""
    page.goto("/catalogues/")
    page.get_by_role("link", name=TRUTH).first.click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV", exact=True).click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def on_grid(craters: list[dict[str, str]], config: dict[str, Any]) -> list[tuple[float, float, float]]:
    """Centres and diameters in pixels of the campaign's grid."""
    grid = Grid.from_json({key: value for key, value in config["grid"].items() if key != "max_zoom"})
    found = []
    for row in craters:
        x, y = grid.pixel(float(row["lon"]), float(row["lat"]))
        found.append((float(x), float(y), 1000 * float(row["diam_km"]) / grid.resolution_m_per_px))
    return found


def is_in_tile(circle: tuple[float, float, float], config: dict[str, Any]) -> bool:
    """Whether it is the annotator's to draw."""
    tile = config["visit"]["tile"]
    x, y = circle[0] - tile["x_px"], circle[1] - tile["y_px"]
    return 0 <= x < tile["width_px"] and 0 <= y < tile["height_px"]


def draw(page: Page, config: dict[str, Any], circle: tuple[float, float, float]) -> None:
    """Press at the centre, drag to the rim."""
    x, y, diameter = circle
    page.keyboard.press("d")
    page.mouse.move(*screen(page, config, x, y))
    page.mouse.down()
    page.mouse.move(*screen(page, config, x + diameter / 2, y), steps=4)
    page.mouse.up()
    wait_until_saved(page)


def wait_until_saved(page: Page) -> None:
    """What the status line says once the server has it."""
    expect(page.locator("#save-state")).to_have_text(re.compile(r"^Saved \d\d:\d\d$"))


def screen(page: Page, config: dict[str, Any], x_px: float, y_px: float) -> tuple[float, float]:
    """Where a grid pixel is on the screen, by the map tile that lies there."""
    tile = page.locator("img.leaflet-tile-loaded").last
    zoom, column, row = map(int, re.search(r"/(\d+)/(\d+)/(\d+)\?", tile.get_attribute("src")).groups())
    box, scale = tile.bounding_box(), 256 * 2 ** (config["grid"]["max_zoom"] - zoom)
    return (
        box["x"] + (x_px / scale - column) * box["width"],
        box["y"] + (y_px / scale - row) * box["height"],
    )


def save(picture: bytes, target: Path) -> None:
    """In 256 colours: most of them the greys of the terrain, the rest chosen from what is coloured."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    pixels = np.asarray(image).reshape(-1, 3)
    coloured = pixels[np.ptp(pixels.astype(int), axis=1) > HOW_GREY]
    colours = Image.fromarray(coloured[None]).quantize(COLOURS).getpalette()[: 3 * COLOURS]
    greys = np.repeat(np.linspace(0, 255, 256 - COLOURS).round().astype(int), 3).tolist()
    palette = Image.new("P", (1, 1))
    palette.putpalette(greys + colours)
    target.parent.mkdir(exist_ok=True)
    image.quantize(palette=palette, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
