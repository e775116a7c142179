"""Scoring pictures: files in, probabilities out, and what becomes of files that are no pictures."""

import io
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mlcore import api
from mlcore.__main__ import main
from mlcore.artifact import WEIGHTS_FILE, ModelCard, write_artifact
from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog, request_cancel
from mlcore.foil_classifier import score_folder, score_verb, scoring
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines import Choice, choose
from mlcore.foil_classifier.engines.engine import FLOAT32
from mlcore.foil_classifier.model import FoilClassifier, load_weights
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.probability import probability
from mlcore.foil_classifier.scoring import score_files
from mlcore.formats.foil_scores import ScoreRow, read_scores
from mlcore.formats.pictures import Grey
from tests.mlcore.foil_classifier.networks import grey_noise, write_network

Made = tuple[Path, ModelCard]
CPU_ONLY = {"device": "cpu", "precision": FLOAT32}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return write_network(tmp_path_factory.mktemp("network"), calibration=(1.5, -0.5))


def write_picture(path: Path, pixels: Grey) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def expected_logit(network: Made, pixels: Grey) -> float:
    import torch

    artifact, card = network
    model = FoilClassifier(Config.from_json(card.config)).eval()
    load_weights(model, artifact / WEIGHTS_FILE)
    with torch.no_grad():
        return float(model(torch.from_numpy(normalise(pixels)[None, None]))[0])


def counting_engine(*, lanes: int = 3, batch: int = 1) -> SimpleNamespace:
    """Says of a picture its first pixel, and remembers how many came together."""
    given: list[int] = []

    def logits(pictures: Sequence[Grey]) -> NDArray[np.float64]:
        assert len({(picture.shape, picture.dtype) for picture in pictures}) == 1
        given.append(len(pictures))
        return np.array([float(picture[0, 0]) for picture in pictures])

    return SimpleNamespace(lanes=lanes, batch=batch, logits=logits, given=given)


# What works


def test_files_are_scored_in_their_order_as_the_network_sees_them(network: Made, tmp_path: Path):
    sizes = itertools.cycle([(40, 48), (33, 57), (64, 64)])
    pictures = [grey_noise(seed, next(sizes)) for seed in range(40)]
    paths = [write_picture(tmp_path / f"{n}.png", pixels) for n, pixels in enumerate(pictures)]
    engine = choose(*network, **CPU_ONLY, lanes=2).engine  # type: ignore[arg-type]
    found = list(score_files(paths, engine))
    assert [one.path for one in found] == paths
    np.testing.assert_allclose(
        [one.logit for one in found], [expected_logit(network, pixels) for pixels in pictures], atol=1e-3
    )


def test_a_job_reports_each_window_with_probabilities(network: Made, tmp_path: Path):
    pictures = {key: grey_noise(key) for key in range(1, 6)}
    paths = {key: str(write_picture(tmp_path / f"{key}.png", pixels)) for key, pixels in pictures.items()}
    windows = [
        api.PictureWindow(7, [[1, [paths[1]]], [2, [paths[2]]]]),
        api.PictureWindow(9, [[3, [paths[3]]], [4, [paths[4], paths[5]]]]),
    ]
    events, result = score(network, windows, tmp_path)
    said = {key: expected_logit(network, pixels) for key, pixels in pictures.items()}
    # Of several frames the highest counts.
    said[4] = max(said[4], said.pop(5))
    found = [event for event in events if event["kind"] == "window"]
    assert [event["index"] for event in found] == [7, 9]
    for one in itertools.chain(*(event["detections"] for event in found)):
        expected = float(probability(np.array(said.pop(one["picture"])), (1.5, -0.5)))
        assert one["score"] == pytest.approx(expected, abs=1e-3)
    assert not said
    assert (result["windows"], result["pictures"], result["unreadable"]) == (2, 4, 0)
    assert events[0]["kind"] == "log"
    assert "scores in float32 on" in events[0]["message"]


def test_what_a_job_asks_for_reaches_the_choice(
    network: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: dict[str, object] = {}

    def watched(artifact: Path, card: ModelCard, **wishes: object) -> Choice:
        asked.update(wishes)
        return Choice(choose(artifact, card, **CPU_ONLY).engine, "It was asked for.")  # type: ignore[arg-type]

    monkeypatch.setattr(score_verb, "choose", watched)
    job = api.ScoreJob(str(network[0]), [], str(tmp_path), "cuda", "bfloat16", "torch", 0.01)
    result = score_verb.score(api.job_from_json(api.job_to_json(job)), EventLog(tmp_path))  # type: ignore[arg-type]
    assert asked == {"device": "cuda", "precision": "bfloat16", "engine": "torch", "thresholds": (0.01,)}
    assert (result["windows"], result["pictures"]) == (0, 0)


def test_the_highest_page_of_a_stack_counts(network: Made, tmp_path: Path):
    pages = [grey_noise(seed) for seed in range(3)]
    first, *others = [Image.fromarray(page) for page in pages]
    first.save(tmp_path / "stack.tif", save_all=True, append_images=others)
    engine = choose(*network, **CPU_ONLY, lanes=1).engine  # type: ignore[arg-type]
    (found,) = score_files([tmp_path / "stack.tif"], engine)
    assert found.logit == pytest.approx(max(expected_logit(network, page) for page in pages), abs=1e-3)


def test_sixteen_bits_and_grey_in_colours_clothes_are_scored(network: Made, tmp_path: Path):
    pixels = grey_noise(1)
    deep = pixels.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "deep.tif")
    Image.fromarray(pixels).convert("RGB").save(tmp_path / "rgb.png")
    Image.fromarray(pixels).convert("P").save(tmp_path / "palette.png")
    engine = choose(*network, **CPU_ONLY, lanes=1).engine  # type: ignore[arg-type]
    paths = [tmp_path / name for name in ("deep.tif", "rgb.png", "palette.png")]
    for one in score_files(paths, engine):
        assert one.logit == pytest.approx(expected_logit(network, pixels), abs=1e-3), one.path


def test_pictures_of_a_size_go_together(tmp_path: Path):
    sizes = [(32, 40), (40, 32)] * 5
    paths = [write_picture(tmp_path / f"{n}.png", grey_noise(n, size)) for n, size in enumerate(sizes)]
    engine = counting_engine(lanes=1, batch=4)
    found = list(score_files(paths, engine))
    assert sorted(engine.given) == [1, 1, 4, 4]
    assert [one.logit for one in found] == [grey_noise(n, size)[0, 0] for n, size in enumerate(sizes)]


def test_large_pictures_do_not_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "MOST_WAITING_PIXELS", 3 * 40 * 48)
    paths = [write_picture(tmp_path / f"{n}.png", grey_noise(n)) for n in range(7)]
    engine = counting_engine(lanes=1, batch=64)
    assert all(one.logit is not None for one in score_files(paths, engine))
    assert engine.given == [3, 3, 1]


def test_of_endless_files_only_a_few_are_open(tmp_path: Path):
    path = write_picture(tmp_path / "one.png", grey_noise(1))
    taken = itertools.count()

    def endless() -> Iterator[Path]:
        while True:
            next(taken)
            yield path

    engine = counting_engine(lanes=2)
    found = score_files(endless(), engine)
    for _ in range(100):
        next(found)
    found.close()  # type: ignore[attr-defined]
    assert next(taken) <= 100 + (scoring.PIECES_PER_LANE * 2 + 1) * scoring.FILES_AT_A_TIME
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


# Files that are no pictures


def torn(path: Path) -> None:
    out = io.BytesIO()
    Image.fromarray(grey_noise(1, (200, 200))).save(out, "PNG")
    path.write_bytes(out.getvalue()[:4000])


def coloured(path: Path) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (40, 40, 3), np.uint8)).save(path)


def real_numbers(path: Path) -> None:
    Image.fromarray(np.ones((40, 40), np.float32)).save(path)


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "torn.png": (torn, "damaged and cannot be read to its end"),
    "coloured.png": (coloured, "is in colour"),
    "float.tif": (real_numbers, "not read here (F)"),
    "text.png": (lambda path: path.write_text("no picture"), "not an image of a kind read here"),
    "empty.jpg": (lambda path: path.touch(), "not an image of a kind read here"),
    "small.png": (lambda path: write_picture(path, grey_noise(1, (31, 64))), "at least 32 px a side"),
    "gone.png": (lambda path: None, "gone.png is not there any more"),
    "folder.png": (Path.mkdir, "folder.png is not there any more"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_read_costs_nothing_but_its_own_score(name: str, tmp_path: Path):
    make, words = BAD[name]
    make(tmp_path / name)
    good = [write_picture(tmp_path / f"good{n}.png", grey_noise(n)) for n in range(2)]
    first, bad, last = score_files([good[0], tmp_path / name, good[1]], counting_engine())
    assert (first.logit, last.logit) != (None, None)
    assert bad.logit is None
    assert name in bad.why
    assert words in bad.why


def test_a_picture_that_the_machine_cannot_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scoring, "MOST_PIXELS", 1000)
    (found,) = score_files([write_picture(tmp_path / "big.png", grey_noise(1))], counting_engine())
    assert "big.png is 48 × 40 px and is too large: at most 50,000 px a side and 1,000 px in all" in found.why


def test_the_log_names_what_could_not_be_read(network: Made, tmp_path: Path):
    torn(tmp_path / "torn.png")
    good = str(write_picture(tmp_path / "good.png", grey_noise(1)))
    window = api.PictureWindow(
        0,
        [
            [1, [str(tmp_path / "torn.png")]],
            # What can be read of a series counts.
            [2, [str(tmp_path / "torn.png"), good]],
            [3, []],
        ],
    )
    events, result = score(network, [window], tmp_path)
    (found,) = [event for event in events if event["kind"] == "window"]
    assert [one["picture"] for one in found["detections"]] == [2]
    lines = [event["message"] for event in events if event["kind"] == "log"][1:]
    assert [line.partition(" is damaged")[0] for line in lines] == [
        "Picture 1: torn.png", "Picture 2: torn.png", "Picture 3: It has no file.",
    ]  # fmt: skip
    assert (result["pictures"], result["unreadable"]) == (3, 2)


def test_a_log_of_a_million_bad_files_stays_short(
    network: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(score_verb, "MOST_NAMED", 3)
    window = api.PictureWindow(0, [[n, [str(tmp_path / f"{n}.png")]] for n in range(10)])
    events, result = score(network, [window], tmp_path)
    lines = [event["message"] for event in events if event["kind"] == "log"][1:]
    assert len(lines) == 4
    assert lines[-1] == "7 more files could not be read."
    assert result["unreadable"] == 10


# Ends


def score(
    network: Made, windows: list[api.PictureWindow], folder: Path
) -> tuple[list[dict[str, object]], dict[str, object]]:
    """Events and result of a job."""
    events = EventLog(folder / "run")
    job = api.ScoreJob(str(network[0]), windows, str(events.folder), **CPU_ONLY)
    result = score_verb.score(job, events)
    return api.read_events(events.folder)[0], result


def test_a_wish_to_stop_is_heard_within_a_window(network: Made, tmp_path: Path):
    path = str(write_picture(tmp_path / "one.png", grey_noise(1)))
    windows = [api.PictureWindow(0, [[n, [path]] for n in range(100)])]
    request_cancel(tmp_path / "run")
    with pytest.raises(Cancelled):
        score(network, windows, tmp_path)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lane")]


def test_an_error_of_the_engine_ends_the_scoring(tmp_path: Path):
    engine = counting_engine()
    engine.logits = lambda pictures: 1 / 0
    with pytest.raises(ZeroDivisionError):
        list(score_files([write_picture(tmp_path / "one.png", grey_noise(1))], engine))


def test_the_command_line_writes_a_table_that_the_site_reads(network: Made, tmp_path: Path):
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    write_picture(images / "below" / 'a, "b".PNG', grey_noise(1))
    write_picture(images / "c.jpg", grey_noise(2))
    write_picture(images / ".hidden.png", grey_noise(3))
    (images / "notes.txt").write_text("not a picture")
    torn(images / "torn.png")
    command = [sys.executable, "-m", "mlcore", *arguments(network, images, tmp_path / "scores.csv")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "scores.csv").open("rb") as file:
        rows = [row for row in read_scores(file) if isinstance(row, ScoreRow)]
    assert [row.name for row in rows] == ['below/a, "b".PNG', "c.jpg"]
    expected = float(probability(np.array(expected_logit(network, grey_noise(1))), (1.5, -0.5)))
    assert rows[0].score == pytest.approx(expected, abs=1e-3)
    assert "scores in float32 on" in done.stderr
    assert "torn.png is damaged" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"images", "scores.csv"}


def arguments(network: Made, images: Path, table: Path) -> list[str]:
    where = ["--artifact", str(network[0]), "--images", str(images), "--out", str(table)]
    return ["score", *where, "--device", "cpu", "--precision", "float32", "--engine", "torch"]


@pytest.mark.parametrize(
    ("images", "table", "words"),
    [
        ("nothing", "scores.csv", "There is no folder"),
        (".", "scores.csv", "There is no picture in"),
        (".", "nowhere/scores.csv", "cannot be written"),
    ],
)
def test_the_command_line_refuses_before_it_begins(
    images: str,
    table: str,
    words: str,
    network: Made,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(sys, "argv", ["mlcore", *arguments(network, tmp_path / images, tmp_path / table)])
    assert main() == 2
    assert words in capsys.readouterr().err


def test_a_model_of_another_system_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    write_artifact(tmp_path / "artifact", ModelCard.example(), lambda path: path.write_bytes(b"w") and None)
    write_picture(tmp_path / "one.png", grey_noise(1))
    given = arguments((tmp_path / "artifact", ModelCard.example()), tmp_path, tmp_path / "scores.csv")
    monkeypatch.setattr(sys, "argv", ["mlcore", *given])
    # Asked for in this process, a job would keep listening to SIGTERM.
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert main() == api.EXIT_FAILED
    assert "A model of crater_detector cannot score" in capsys.readouterr().err
    assert not (tmp_path / "scores.csv").exists()


def test_a_raster_is_not_searched_by_this_network(network: Made):
    with pytest.raises(InvalidInput, match="foil_classifier searches no rasters"):
        api.plan_windows(api.PredictJob.example().grid, network[1])


def test_a_job_that_is_killed_leaves_whole_windows_and_no_half_file(network: Made, tmp_path: Path):
    path = str(write_picture(tmp_path / "one.png", grey_noise(1)))
    windows = [api.PictureWindow(n, [[k, [path]] for k in range(40)]) for n in range(2000)]
    job = api.ScoreJob(str(network[0]), windows, str(tmp_path / "run"), **CPU_ONLY, engine="torch")
    api.write_job(job, tmp_path / "job.json")
    process = api.start(tmp_path / "job.json", tmp_path / "log.txt")
    events, offset = list[dict[str, object]](), 0
    while sum(event["kind"] == "window" for event in events) < 3:
        assert process.poll() is None, (tmp_path / "log.txt").read_text()
        time.sleep(0.05)
        fresh, offset = api.read_events(tmp_path / "run", offset)
        events += fresh
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = [event for event in api.read_events(tmp_path / "run")[0] if event["kind"] == "window"]
    assert [event["index"] for event in found] == list(range(len(found)))
    assert all(len(event["detections"]) == 40 for event in found)  # type: ignore[arg-type]
    assert len(found) < 2000
    assert {path.name for path in network[0].iterdir()} == {"card.json", "fixed_images.npz", WEIGHTS_FILE}


def test_a_table_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def breaks(*_: object) -> None:
        raise OSError("disk full")

    events = [{"kind": "window", "index": 0, "detections": [{"picture": "a.png", "score": 0.25}]}]
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", breaks)
        with pytest.raises(InvalidInput, match=r"scores\.csv cannot be written"):
            score_folder.write_table(events, tmp_path / "scores.csv")
    assert not (tmp_path / "scores.csv").exists()
    score_folder.write_table(events, tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == "name,score\na.png,0.25\n"
