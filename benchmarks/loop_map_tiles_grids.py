"""Map tiles on every kind of grid through our real view, beside titiler serving the same COGs.

A real hillshade is brought to each projection; a campaign on each shows it from its own pixels, and the
hillshade of another grid resampled onto it. titiler gets a tile matrix set of each grid, so that its tiles
show the same.
"""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from benchmarks import http_load
from benchmarks.map_tile_servers import (
    CLIENTS,
    FOLDER_OF_RUN,
    PEER_NAME,
    WORKERS,
    Server,
    database,
    difference,
    install_peer,
    measure,
    our_server,
    peer_server,
    refuse_without_peer,
    tiles_of,
)
from benchmarks.record import FOLDER, Result
from mlcore.errors import TektiteError

ID = "loop.map-tiles-grids"
CLAIM = "Serves map tiles on eight kinds of grid at least 3 times as fast as titiler, resampled ones as fast."
NEEDS_SERVERS = True
TARGET = "own pixels: at least 3 times titiler's tiles/s on every grid; resampled: at least once"

SEED = 2
ROUNDS, QUICK_ROUNDS, QUICK_TILES = 5, 2, 8
# So often a round goes through all tiles of own pixels: once is over before a busy machine has calmed down.
PASSES, QUICK_PASSES = 6, 2
SIZE_PX, PIXEL_M, RADIUS_M = 1280, 118.45, 1_737_400.0
# Region, its middle, and the first of 2,560² pixels to take of it.
FARSIDE = ("dem/gld100_farside_256ppd.tif", (-135.0, 15.0), (0, 0))
GASSENDI = ("dem/gld100_gassendi_large_256ppd.tif", (-50.0, -30.0), (1280, 1280))
SPHERE = f"+R={RADIUS_M:.0f} +no_defs"
# Projection, and how many of its units a pixel is at the region's middle.
GRIDS: dict[str, tuple[str, float]] = {
    "degrees -180 to 180": (f"+proj=longlat {SPHERE}", 1 / 256),
    "degrees 0 to 360": (f"+proj=longlat {SPHERE}", 1 / 256),
    "equirectangular": (f"+proj=eqc {SPHERE} +units=m", PIXEL_M),
    "Lambert conformal": (f"+proj=lcc +lat_1=5 +lat_2=25 +lat_0=15 +lon_0=-130 {SPHERE} +units=m", PIXEL_M),
    "Mercator": (f"+proj=merc +lon_0=180 {SPHERE} +units=m", PIXEL_M * 1.035),
    "polar stereographic north": (f"+proj=stere +lat_0=90 +lon_0=0 {SPHERE} +units=m", PIXEL_M * 1.59),
    "polar stereographic south": (f"+proj=stere +lat_0=-90 +lon_0=0 {SPHERE} +units=m", PIXEL_M * 1.33),
    "azimuthal equidistant": (f"+proj=aeqd +lat_0=10 +lon_0=-140 {SPHERE} +units=m", PIXEL_M),
}


@dataclass(frozen=True)
class Way:
    """One layer on one grid: its tiles at both servers."""

    grid: str
    is_resampled: bool
    ours: list[str]
    peer: list[str]


def setup() -> None:
    """Make the peer's environment."""
    install_peer()


def run(quick: bool) -> Result:
    """Interleaved rounds of the tiles of each grid, from the same clients."""
    refuse_without_peer(ID)
    busy = os.getloadavg()[0]
    with ExitStack() as stack:
        stack.enter_context(database())
        grids, ways = _prepare()
        if quick:
            ways = [_fewer(way) for way in ways]
        ours = stack.enter_context(our_server())
        peer = stack.enter_context(peer_server(grids))
        apart = [
            difference(ours, way.ours, peer, way.peer, limit=10.0 if way.is_resampled else 4.0)
            for way in ways
        ]
        rounds, passes = (QUICK_ROUNDS, QUICK_PASSES) if quick else (ROUNDS, PASSES)
        loads = [_measure(way, ours, peer, rounds, 1 if way.is_resampled else passes) for way in ways]
    own = {way.grid: load for way, load in zip(ways, loads, strict=True) if not way.is_resampled}
    other = {way.grid: load for way, load in zip(ways, loads, strict=True) if way.is_resampled}
    least_own, least_other = (min(mine / its for mine, its in some.values()) for some in (own, other))
    return Result(
        ours={
            "least_times_the_peer": least_own,
            "least_times_the_peer_resampled": least_other,
            **{
                name: {
                    "tiles_per_s": own[name][0],
                    "times_the_peer": own[name][0] / own[name][1],
                    "resampled_tiles_per_s": other[name][0],
                    "resampled_times_the_peer": other[name][0] / other[name][1],
                }
                for name in own
            },
        },
        peer={
            "name": PEER_NAME,
            **{name: {"tiles_per_s": own[name][1], "resampled_tiles_per_s": other[name][1]} for name in own},
        },
        target=TARGET,
        met=least_own >= 3.0 and least_other >= 1.0,
        seed=SEED,
        note=(
            "hillshade of real elevation models (farside; for the south Gassendi) brought to each grid, "
            f"{SIZE_PX}² px, {len(ways[0].ours)} tiles of all zooms; resampled: the equirectangular one (on "
            f"the equirectangular grid the one in degrees), bilinear in both; {rounds} interleaved "
            f"rounds, of {passes} passes each for own pixels; gunicorn with {WORKERS} workers each, "
            f"{CLIENTS} clients on the same cores; mean difference of the pictures at most "
            f"{max(apart):.2f} of 255; load of the machine before: {busy:.1f}; tried after a miss on one "
            "grid (2.77, beside eight other programs): longer rounds, since 39 tiles of own pixels take a "
            "fifth of a second"
        ),
    )


def _fewer(way: Way) -> Way:
    chosen = Random(SEED).sample(range(len(way.ours)), QUICK_TILES)
    return Way(way.grid, way.is_resampled, [way.ours[i] for i in chosen], [way.peer[i] for i in chosen])


def _measure(way: Way, ours: Server, peer: Server, rounds: int, passes: int) -> tuple[float, float]:
    """Tiles per second of both, each of the middle round."""
    random = Random(SEED)
    both = [(Server(ours.port, ours.group), way.ours), (Server(peer.port, peer.group), way.peer)]
    # Every thread of every worker opens the files for itself: not in the measured rounds.
    for server, paths in both:
        http_load.run(server.port, paths, CLIENTS)
    for number in range(rounds):
        order = list(range(len(way.ours))) * passes
        random.shuffle(order)
        for server, paths in both if number % 2 == 0 else both[::-1]:
            measure(server, [paths[i] for i in order])
    return both[0][0].tiles_per_s(), both[1][0].tiles_per_s()


def _prepare() -> tuple[dict[str, dict[str, object]], list[Way]]:
    """Our campaigns, one on each grid, and the tiles of each of their two layers."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from annotate.models import Basemap, User
    from annotate.services import basemaps, campaigns, conversions, participants

    lead = participants.participant_of(User.objects.create_user("bench"))

    def add(path: Path) -> Basemap:
        added = basemaps.add_basemap(name=path.stem, body="moon", path=path, kind="image", added_by=lead)
        conversions.convert(added.pk)
        return Basemap.objects.get(pk=added.pk)

    shades = {place[0]: _hillshade(place, FOLDER_OF_RUN) for place in (FARSIDE, GASSENDI)}
    layers = {name: add(_on_grid(name, shades, FOLDER_OF_RUN)) for name in GRIDS}
    whole = {path: add(file) for path, file in shades.items()}
    grids, ways = {}, []
    for number, (name, layer) in enumerate(layers.items()):
        others = {"equirectangular": layers["degrees -180 to 180"]}
        other = others.get(name, whole[_region_of(name)[0]])
        campaign = campaigns.create_campaign(name=name, body="moon", basemaps=[layer, other], created_by=lead)
        grid = basemaps.grid_from(layer)
        key = f"grid{number}"
        grids[key] = {**grid.to_json(), "max_zoom": grid.max_zoom}
        for shown in (layer, other):
            if campaign.layers.get(basemap=shown).resampled is not (shown is other):
                raise TektiteError(f"'{shown.name}' is not served on '{name}' as this benchmark means it.")
            ways.append(_way(name, key, grids[key], shown, campaign, is_resampled=shown is other))
    return grids, ways


def _way(
    name: str, key: str, grid: dict[str, object], layer: object, campaign: object, *, is_resampled: bool
) -> Way:
    from django.urls import reverse

    from annotate.services import basemaps, signatures
    from mlcore.raster.map_tiles import Stretch

    template = reverse("annotate:map_tile", args=[layer.uid, campaign.uid, 10, 20, 30])
    template = template.removesuffix("10/20/30")
    query = f"low=2&high=98&gamma=1&invert=0&s={signatures.sign_layer(layer.uid, campaign.uid)}"
    low, high = Stretch(2, 98).limits(layer.statistics)
    asked = f"url={basemaps.cog_file(layer)}&rescale={low},{high}&resampling=bilinear&reproject=bilinear"
    tiles = tiles_of(grid)
    return Way(
        name,
        is_resampled,
        [f"{template}{z}/{x}/{y}?{query}" for z, x, y in tiles],
        [f"/tiles/{key}/{z}/{x}/{y}.jpg?{asked}" for z, x, y in tiles],
    )


def _region_of(name: str) -> tuple[str, tuple[float, float], tuple[int, int]]:
    return GASSENDI if name.endswith("south") else FARSIDE


def _hillshade(place: tuple[str, tuple[float, float], tuple[int, int]], folder: Path) -> Path:
    """10° × 10° of a real elevation model as light and shade."""
    import rasterio
    from rasterio.windows import Window

    from mlcore.raster import terrain

    name, _, corner = place
    source = Path(os.environ.get("TEKTITE_DATA", FOLDER.parent.parent / "shared" / "data")) / name
    if not source.exists():
        raise TektiteError(f"'{source}' is not there; name the folder that holds {name} with TEKTITE_DATA.")
    window = Window(*corner, 2560, 2560)
    with rasterio.open(source) as dataset:
        heights = dataset.read(1, window=window).astype(np.float32)
        profile = {"crs": dataset.crs, "transform": dataset.window_transform(window)}
    shade = terrain.hillshade(heights, PIXEL_M, 315.0, 45.0)
    target = folder / f"{source.stem}.tif"
    return _write(target, np.where(np.isnan(shade), 1, 1 + 254 * shade).astype(np.uint8), profile)


def _on_grid(name: str, shades: dict[str, Path], folder: Path) -> Path:
    """The hillshade on a grid round the region's middle, without gaps."""
    import rasterio
    from pyproj import CRS, Transformer
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    words, pixel = GRIDS[name]
    region, middle, _ = _region_of(name)
    crs = CRS.from_user_input(words)
    x, y = Transformer.from_crs(crs.geodetic_crs, crs, always_xy=True).transform(*middle)
    west, north = x - pixel * SIZE_PX / 2, y + pixel * SIZE_PX / 2
    place = rasterio.Affine(pixel, 0.0, west, 0.0, -pixel, north)
    values = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    with rasterio.open(shades[region]) as dataset:
        reproject(
            rasterio.band(dataset, 1),
            values,
            dst_transform=place,
            dst_crs=words,
            resampling=Resampling.bilinear,
        )
    if not values.all():
        raise TektiteError(f"'{name}' reaches beyond {region}.")
    if name == "degrees 0 to 360":
        place = rasterio.Affine(pixel, 0.0, west + 360.0, 0.0, -pixel, north)
    return _write(folder / f"{name.replace(' ', '-')}.tif", values, {"crs": words, "transform": place})


def _write(path: Path, values: np.ndarray, georeference: dict[str, object]) -> Path:
    import rasterio

    height, width = values.shape
    with rasterio.open(
        path, "w", driver="GTiff", width=width, height=height, count=1, dtype="uint8", **georeference
    ) as dataset:
        dataset.write(values, 1)
    return path
