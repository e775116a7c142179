"""Map tiles of a hillshade through our real view, beside titiler serving the same COG."""

import os
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks import http_load
from benchmarks.map_tile_servers import (
    CLIENTS,
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

ID = "loop.map-tiles"
CLAIM = "Serves hillshade map tiles through the real view at least 3 times as fast as titiler."
NEEDS_SERVERS = True
TARGET = "at least 3 times titiler's tiles/s"

SEED = 2
ROUNDS, PASSES, QUICK_ROUNDS, QUICK_PASSES = 10, 6, 4, 1
ELEVATION = "dem/gld100_farside_256ppd.tif"


@dataclass(frozen=True)
class Place:
    """What both servers serve."""

    cog: Path
    grid: dict[str, object]
    our_path: str
    limits: tuple[float, float]
    data: str


def setup() -> None:
    """Make the peer's environment."""
    install_peer()


def run(quick: bool) -> Result:
    """Interleaved rounds of every tile of every zoom, from the same clients."""
    refuse_without_peer(ID)
    busy = os.getloadavg()[0]
    with ExitStack() as stack:
        stack.enter_context(database())
        place = _prepare()
        low, high = place.limits
        tiles = tiles_of(place.grid)
        ours = stack.enter_context(our_server())
        peer = stack.enter_context(peer_server({"basemap": place.grid}))
        paths = (
            [place.our_path.format(z=z, x=x, y=y) for z, x, y in tiles],
            [f"/tiles/basemap/{z}/{x}/{y}.jpg?url={place.cog}&rescale={low},{high}" for z, x, y in tiles],
        )
        apart = difference(ours, paths[0], peer, paths[1], limit=4.0)
        rounds = (QUICK_ROUNDS, QUICK_PASSES) if quick else (ROUNDS, PASSES)
        _measure((ours, peer), paths, *rounds)
        ratio = ours.tiles_per_s() / peer.tiles_per_s()
    return Result(
        ours={**ours.figures(), "times_the_peer": ratio},
        peer={"name": PEER_NAME, **peer.figures()},
        target=TARGET,
        met=ratio >= 3.0,
        seed=SEED,
        note=(
            f"{place.data}; {len(tiles)} tiles of all zooms, {len(ours.loads)} interleaved rounds of "
            f"{len(ours.loads[0].latencies_ms)}; gunicorn with {WORKERS} workers each, {CLIENTS} keep-alive "
            f"clients on the same cores; mean difference of the pictures {apart:.2f} of 255; "
            f"load of the machine before: {busy:.1f}"
        ),
    )


def _measure(
    servers: tuple[Server, Server], paths: tuple[list[str], list[str]], rounds: int, passes: int
) -> None:
    random = Random(SEED)
    both = list(zip(servers, paths, strict=True))
    # Every thread of every worker opens the file for itself: not in the measured rounds.
    for server, all_paths in both:
        http_load.run(server.port, all_paths, CLIENTS)
    for number in range(rounds):
        order = list(range(len(paths[0]))) * passes
        random.shuffle(order)
        # Ours first, then the peer first: neither always meets the machine after the other.
        for server, all_paths in both if number % 2 == 0 else both[::-1]:
            measure(server, [all_paths[i] for i in order])


def _prepare() -> Place:
    """A campaign on the elevation model, made by our own services."""
    import django
    from django.core.management import call_command
    from django.urls import reverse

    django.setup()
    call_command("migrate", verbosity=0)
    from annotate.models import Basemap, User
    from annotate.services import basemaps, campaigns, conversions, participants, signatures
    from mlcore.raster.map_tiles import Stretch

    path, data = _elevation()
    lead = participants.participant_of(User.objects.create_user("bench"))
    elevation = basemaps.add_basemap(
        name="Elevation", body="moon", path=path, kind="elevation", added_by=lead
    )
    conversions.convert(elevation.pk)
    elevation.refresh_from_db()
    campaign = campaigns.create_campaign(name="Bench", body="moon", basemaps=[elevation], created_by=lead)
    shade = Basemap.objects.get(derived_from=elevation, kind=Basemap.Kind.HILLSHADE)
    grid = basemaps.grid_from(shade)
    template = reverse("annotate:map_tile", args=[shade.uid, campaign.uid, 10, 20, 30])
    template = template.removesuffix("10/20/30") + "{z}/{x}/{y}"
    signature = signatures.sign_layer(shade.uid, campaign.uid)
    return Place(
        cog=basemaps.cog_file(shade),
        grid={**grid.to_json(), "max_zoom": grid.max_zoom},
        our_path=f"{template}?low=2&high=98&gamma=1&invert=0&s={signature}",
        limits=Stretch(2, 98).limits(shade.statistics),
        data=data,
    )


def _elevation() -> tuple[Path, str]:
    folder = Path(os.environ.get("TEKTITE_DATA", FOLDER.parent.parent / "shared" / "data"))
    path = folder / ELEVATION
    if not path.exists():
        raise TektiteError(
            f"'{path}' is not there; name the folder that holds {ELEVATION} with TEKTITE_DATA."
        )
    return path, f"hillshade of {path.name} (2,560 × 2,560 px, real)"
