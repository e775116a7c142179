"""How many pictures of foils a minute go from JPEG files to scores, on two cores and on an accelerator.

The files are simulated foils of 384 × 512 px and the network is of the default layout. How fast it is does
not hang on what it has learnt; in how few bits it may score does, and where foils.network has trained one,
that one answers.
"""

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from skimage.feature import match_template

from benchmarks import foils_network
from benchmarks.record import Result
from mlcore.artifact import WEIGHTS_FILE, ModelCard, read_card, write_artifact
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines import ENGINES, choose
from mlcore.foil_classifier.engines.choosing import load
from mlcore.foil_classifier.engines.engine import CPU, CUDA, FLOAT32, Engine, cores
from mlcore.foil_classifier.model import FoilClassifier, load_weights, save_weights
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.scoring import read_grey, score_files
from mlcore.formats.pictures import Grey
from mlcore.simulate.foil_survey import SurveyParameters, take

ID = "foils.speed"
CLAIM = "Scores 30,000 pictures of foils a minute on two cores, decoding included."
NEEDS_SERVERS = False
TARGET = "at least 30,000 JPEG images of 384 × 512 px a minute on two cores, decoding included"

WANTED_PER_MINUTE, CORES = 30_000, 2
# That of the site's own copies for people; the others tell what another would have cost.
QUALITY, OTHER_QUALITIES = 85, (75, 95)
SEED = 5
# As in the second step of the training.
PEER_BATCH = 8
TEMPLATE_PX = 41

Figures = dict[str, object]


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        images: Different files.
        seconds: Of the figure that decides.
        other_s: Of each other figure.
        searched: Images in which a template is sought.
    """

    images: int
    seconds: float
    other_s: float
    searched: int


FULL, QUICK = Size(120, 30.0, 8.0, 4), Size(12, 3.0, 1.0, 1)


def setup() -> None:
    """It needs nothing."""


def run(quick: bool) -> Result:
    """Ours with each engine and its parts apart, then eager torch, a template, and the accelerator."""
    size = QUICK if quick else FULL
    with TemporaryDirectory(prefix="tektite-speed-") as name:
        folder = Path(name)
        files = _files(folder, size.images)
        artifact, card, origin = _network(folder)
        paths, n_bytes = files[QUALITY], [path.stat().st_size for path in files[QUALITY]]
        with two_cores():
            load_before = os.getloadavg()[0]
            choice = choose(artifact, card, device=CPU)
            whole = _pipeline(choice.engine, paths, size.seconds)
            ours: Figures = {
                **whole,
                "engine": _told(choice.engine),
                "decoding_alone": {
                    f"at_quality_{quality}": _decoding(files[quality], choice.engine.lanes, size.other_s)
                    for quality in (QUALITY, *OTHER_QUALITIES)
                },
                "network_alone": _network_alone(choice.engine, paths[0], size.other_s),
                "other_engines": _others(artifact, card, choice.engine, paths, size.other_s),
                "float32_engines_differ_by": _difference(artifact, card, paths),
            }
            peer: Figures = {
                "eager_torch": _eager_torch(artifact, card, paths, size.other_s),
                "one_template": _template(paths[: size.searched]),
                "anchors": {"rtx_2060_images_per_minute": 10_000, "template_matching_min_per_image": 4},
            }
        ours["gpu"] = _gpu(artifact, card, paths, size.seconds)
    enough = whole["images_per_minute"] >= WANTED_PER_MINUTE
    return Result(
        ours=ours,
        peer=peer,
        target=TARGET,
        met=None if quick or cores() < CORES else enough,
        seed=SEED,
        note=" ".join(
            [
                f"{size.images} simulated foils (mlcore/simulate/foils) again and again, as JPEG of quality",
                f"{QUALITY}, {np.mean(n_bytes) / 1000:.0f} kB each, from the page cache, decoded by Pillow.",
                origin,
                choice.why,
                "The network alone normalises too.",
                f"Load of the machine before: {load_before:.1f}. cpu_ms_per_image is a core's work for one;",
                f"two free cores would score {CORES * 60_000 / whole['cpu_ms_per_image']:,.0f} a minute so.",
                f"Eager torch: the same network and files in batches of {PEER_BATCH}, on both cores.",
                f"One template of {TEMPLATE_PX} px by scikit-image; each size and shape takes as long again.",
                "Anchors are quoted (seeds/stardust-foils.txt), not measured.",
                "" if ours["gpu"] else "There is no accelerator here: its figure is missing.",
            ]
        ).strip(),
    )


@contextmanager
def two_cores() -> Iterator[None]:
    """Keep to two cores of a larger machine."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:CORES]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _files(folder: Path, n: int) -> dict[int, list[Path]]:
    """The same foils as JPEG files of each quality."""
    files: dict[int, list[Path]] = {quality: [] for quality in (QUALITY, *OTHER_QUALITIES)}
    for number in range(1, n + 1):
        image = Image.fromarray(take(SurveyParameters(series_share=0.0), SEED, number).frames[0])
        for quality, paths in files.items():
            paths.append(folder / f"{number}_at_{quality}.jpg")
            image.save(paths[-1], quality=quality)
    return files


def _network(folder: Path) -> tuple[Path, ModelCard, str]:
    """A trained network where there is one, else one with seeded weights; what it is."""
    trained = foils_network.folder_of_ours()
    if trained.is_dir():
        card = read_card(trained)
        return trained, card, f"A network trained on dataset {card.dataset_sha256[:12]}."
    config = Config()
    torch.manual_seed(SEED)
    model = FoilClassifier(config)
    card = replace(ModelCard.example(), system="foil_classifier", config=config.to_json(), threshold=0.999)
    write_artifact(folder / "artifact", card, lambda path: save_weights(model, path))
    return folder / "artifact", card, "Nobody has trained the network: seeded weights."


def _timed(step: Callable[[], int], seconds: float) -> dict[str, float]:
    """Images a minute, and milliseconds of processor for one; step says how many it did."""
    done, began, worked = 0, time.perf_counter(), time.process_time()
    while (took_s := time.perf_counter() - began) < seconds or not done:
        done += step()
    cpu_s = time.process_time() - worked
    return {
        "images_per_minute": round(done / took_s * 60.0),
        "cpu_ms_per_image": round(cpu_s / done * 1000.0, 3),
    }


def _pipeline(engine: Engine, paths: list[Path], seconds: float) -> dict[str, float]:
    """Files to scores, after a first round."""
    scored = score_files(itertools.cycle(paths), engine)
    some = max(64, 4 * engine.batch)

    def step() -> int:
        return sum(one.logit is not None for one in itertools.islice(scored, some))

    _timed(step, 1.0)
    figures = _timed(step, seconds)
    scored.close()  # type: ignore[attr-defined]
    return figures


def _side_by_side(lanes: int, work: Callable[[int], object], seconds: float) -> dict[str, float]:
    """Images a minute of so many threads that each do the same."""
    with ThreadPoolExecutor(lanes) as pool:

        def step() -> int:
            return len(list(pool.map(work, range(32 * lanes))))

        _timed(step, 0.5)
        return _timed(step, seconds)


def _decoding(paths: list[Path], lanes: int, seconds: float) -> dict[str, float]:
    return _side_by_side(lanes, lambda n: _grey(paths[n % len(paths)]), seconds)


def _network_alone(engine: Engine, path: Path, seconds: float) -> dict[str, float]:
    picture = _grey(path)
    return _side_by_side(engine.lanes, lambda n: engine.logits([picture]), seconds)


def _others(
    artifact: Path, card: ModelCard, chosen: Engine, paths: list[Path], seconds: float
) -> dict[str, dict[str, float]]:
    """The whole with each other engine and precision that is here."""
    found = {}
    for name in ENGINES:
        module = load(name)
        for precision in module.precisions(CPU) if module else ():
            config = Config.from_json(card.config)
            engine = module.make(artifact, config, device=CPU, precision=precision, lanes=cores())
            if (engine.name, engine.precision) != (chosen.name, chosen.precision):
                found[f"{name}_{precision}"] = _pipeline(engine, paths, seconds)
    return found


def _difference(artifact: Path, card: ModelCard, paths: list[Path]) -> float:
    """The most by which logits of two engines in float32 differ."""
    pictures = [_grey(path) for path in paths]
    said = [
        [float(choose(artifact, card, device=CPU, engine=name, precision=FLOAT32).engine.logits([picture])[0])
         for picture in pictures]
        for name in ENGINES if load(name)
    ]  # fmt: skip
    return float(np.ptp(np.array(said), axis=0).max())


def _eager_torch(artifact: Path, card: ModelCard, paths: list[Path], seconds: float) -> dict[str, float]:
    """The network as anybody would run it: Pillow, normalisation, a batch, no gradients."""
    model = FoilClassifier(Config.from_json(card.config)).eval()
    load_weights(model, artifact / WEIGHTS_FILE)
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    endless = itertools.cycle(paths)
    torch.set_num_threads(cores())

    def step() -> int:
        batch = np.stack([normalise(_grey(path))[None] for path in itertools.islice(endless, PEER_BATCH)])
        with torch.no_grad():
            return len(model(torch.from_numpy(batch)))

    _timed(step, 1.0)
    return _timed(step, seconds)


def _template(paths: list[Path]) -> Figures:
    """Seconds of one core for one template in one image."""
    y, x = np.mgrid[:TEMPLATE_PX, :TEMPLATE_PX] - TEMPLATE_PX // 2
    # A bright rim around a dark floor; what is on it does not change how long it takes.
    ring = np.exp(-(((np.hypot(x, y) - TEMPLATE_PX / 3) / 3.0) ** 2))
    began = time.process_time()
    for path in paths:
        match_template(_grey(path).astype(float), ring, pad_input=True)
    seconds = (time.process_time() - began) / len(paths)
    return {"core_s_per_image": round(seconds, 3), "templates_in_4_min": round(240.0 / seconds)}


def _gpu(artifact: Path, card: ModelCard, paths: list[Path], seconds: float) -> Figures | None:
    """The whole on an accelerator, decoded by all cores; None where there is none."""
    if not any(module.precisions(CUDA) for module in map(load, ENGINES) if module):
        return None
    engine = choose(artifact, card, device=CUDA).engine
    alone = [_grey(paths[0])] * engine.batch
    return {
        "engine": _told(engine),
        "cores": cores(),
        **_pipeline(engine, paths, seconds),
        "network_alone_per_minute": engine.batch
        * _side_by_side(1, lambda n: engine.logits(alone), seconds)["images_per_minute"],
    }


def _grey(path: Path) -> Grey:
    return next(read_grey(path))


def _told(engine: Engine) -> str:
    return f"{engine.name}, {engine.precision}, {engine.device}"
