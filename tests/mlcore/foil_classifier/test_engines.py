"""Engines: all say the same, and which of them is chosen."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlcore.artifact import WEIGHTS_FILE, ModelCard
from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import Config, make_config
from mlcore.foil_classifier.engines import ENGINES, choose, choosing, fixed_images, processor, with_torch
from mlcore.foil_classifier.engines.agreement import agreement
from mlcore.foil_classifier.engines.engine import BFLOAT16, CPU, CUDA, FLOAT32, INT8, Engine
from mlcore.foil_classifier.engines.graph import blocked_kernel
from mlcore.foil_classifier.engines.kept import KEPT_FILE
from mlcore.foil_classifier.model import FoilClassifier, load_weights, save_weights
from mlcore.foil_classifier.normalise import normalise
from mlcore.foil_classifier.probability import logit_of, probability
from mlcore.formats.pictures import Grey
from tests.mlcore.foil_classifier.conftest import make_foil
from tests.mlcore.foil_classifier.networks import SMALL, grey_noise, write_network

INSTALLED = [name for name in ENGINES if choosing.load(name)]
# The last is of SCIENCE's layout, whose first convolution takes no blocks of several columns.
LAYOUTS = {
    "default": Config(),
    "small": SMALL,
    "one step": make_config("quick", {"channels": [6, 8], "first_stride": 1, "pool_after": [0]}),
    "wide": make_config(
        "quick", {"channels": [24, 32], "first_kernel_px": 5, "pool_after": [], "dense": [8, 1]}
    ),
}
# Whole blocks of pixels and others, even and odd.
SIZES = [
    (1, 384, 512, np.uint8),
    (2, 64, 96, np.uint8),
    (1, 33, 44, np.uint16),
    (1, 47, 61, np.uint8),
    (2, 32, 33, np.uint16),
]


def engine_of(name: str, artifact: Path, card: ModelCard, precision: str = FLOAT32) -> Engine:
    return choose(artifact, card, device=CPU, engine=name, precision=precision, lanes=2).engine


def torch_says(artifact: Path, card: ModelCard, pictures: Sequence[Grey]) -> NDArray[np.float64]:
    model = FoilClassifier(Config.from_json(card.config)).eval()
    load_weights(model, artifact / WEIGHTS_FILE)
    images = np.stack([normalise(picture) for picture in pictures])[:, None]
    with torch.no_grad():
        return model(torch.from_numpy(images)).double().numpy()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", INSTALLED)
def test_in_float32_every_engine_says_what_the_trained_network_says(name: str, layout: str, tmp_path: Path):
    artifact, card = write_network(tmp_path, config=LAYOUTS[layout])
    engine = engine_of(name, artifact, card)
    for n, height, width, depth in SIZES:
        pictures = [
            grey_noise(seed, (height, width)).astype(depth) * (1 if depth == np.uint8 else 250)
            for seed in range(n)
        ]
        said, expected = engine.logits(pictures), torch_says(artifact, card, pictures)
        assert (said.shape, said.dtype) == ((n,), np.float64)
        np.testing.assert_allclose(said, expected, atol=1e-3)
        np.testing.assert_allclose(
            probability(said, card.calibration), probability(expected, card.calibration), atol=1e-3
        )


def test_engines_agree_on_pictures_of_foil(tmp_path: Path):
    artifact, card = write_network(tmp_path, config=Config())
    pictures = [make_foil(seed)[0] for seed in range(6)]
    said = [engine_of(name, artifact, card).logits(pictures) for name in INSTALLED]
    for one in said[1:]:
        np.testing.assert_allclose(one, said[0], atol=1e-3)


@pytest.mark.parametrize("name", INSTALLED)
def test_a_size_that_comes_often_is_scored_as_when_it_came_first(name: str, tmp_path: Path):
    artifact, card = write_network(tmp_path, config=Config())
    engine = engine_of(name, artifact, card)
    picture, _ = make_foil(1)
    said = [float(engine.logits([picture])[0]) for _ in range(40)]
    np.testing.assert_allclose(said, said[0], atol=1e-5)


@given(st.integers(1, 4), st.integers(1, 5), st.sampled_from([3, 5, 7]), st.integers(0, 2**32 - 1))
def test_a_kernel_over_blocks_is_the_same_kernel(stride: int, columns: int, edge: int, seed: int):
    random = np.random.default_rng(seed)
    kernel = random.normal(size=(3, 1, edge, edge)).astype(np.float32)
    block = stride * columns
    image = random.normal(size=(edge, 4 * block)).astype(np.float32)
    blocked, before, after = blocked_kernel(kernel, stride, columns)
    rows = torch.from_numpy(image.reshape(edge, 4, block).transpose(2, 0, 1).copy())[None]
    rows = torch.nn.functional.pad(rows, (before, after))
    mine = torch.nn.functional.conv2d(rows, torch.from_numpy(blocked))[0, :, 0]
    # (columns · maps, blocks) to (maps, blocks · columns).
    mine = mine.reshape(columns, 3, 4).permute(1, 2, 0).reshape(3, -1)
    whole = torch.nn.functional.conv2d(
        torch.from_numpy(image)[None, None], torch.from_numpy(kernel), stride=stride, padding=(0, edge // 2)
    )
    np.testing.assert_allclose(mine, whole[0, :, 0], atol=1e-4)


# Which engine is chosen


class Imaginary:
    """A library that is not here: knows the devices and precisions that it is given."""

    def __init__(self, name: str, shift: float = 0.0, **precisions: tuple[str, ...]) -> None:
        self._name, self._shift, self._precisions = name, shift, precisions

    def precisions(self, device: str) -> tuple[str, ...]:
        return self._precisions.get(device, ())

    def make(
        self, artifact: Path, config: Config, *, device: str, precision: str, lanes: int
    ) -> SimpleNamespace:
        # Half the bits, twice the shift.
        shift = self._shift * {FLOAT32: 0.0, BFLOAT16: 1.0, INT8: 2.0}[precision]
        return SimpleNamespace(
            name=self._name,
            precision=precision,
            device=device,
            lanes=lanes,
            batch=1,
            logits=lambda pictures: np.full(len(pictures), shift),
        )


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Imaginary]:
    """What is installed on this machine: fill it."""
    modules: dict[str, Imaginary] = {}
    monkeypatch.setattr(choosing, "load", modules.get)
    return modules


def test_an_accelerator_goes_before_the_processor_and_fewer_bits_before_more(
    installed: dict[str, Imaginary], tmp_path: Path
):
    installed["torch"] = Imaginary("torch", cpu=(FLOAT32,), cuda=(BFLOAT16, FLOAT32))
    installed["openvino"] = Imaginary("OpenVINO", cpu=(INT8, BFLOAT16, FLOAT32))
    artifact, card = write_network(tmp_path, threshold=0.9)
    for asked, expected in (
        ({}, ("torch", BFLOAT16, CUDA)),
        ({"device": CPU}, ("OpenVINO", INT8, CPU)),
        ({"precision": FLOAT32}, ("torch", FLOAT32, CUDA)),
        ({"precision": INT8}, ("OpenVINO", INT8, CPU)),
        ({"precision": BFLOAT16, "device": CPU}, ("OpenVINO", BFLOAT16, CPU)),
        ({"engine": "torch", "device": CPU}, ("torch", FLOAT32, CPU)),
        ({"engine": "openvino"}, ("OpenVINO", INT8, CPU)),
    ):
        choice = choose(artifact, card, **asked)  # type: ignore[arg-type]
        assert (choice.engine.name, choice.engine.precision, choice.engine.device) == expected
        assert choice.why.startswith(f"{expected[0]} scores in {expected[1]} on {expected[2]}")


def test_cuda_of_onnx_runtime_is_taken_where_torch_has_none(installed: dict[str, Imaginary], tmp_path: Path):
    installed["torch"] = Imaginary("torch", cpu=(FLOAT32,))
    installed["onnx_runtime"] = Imaginary("ONNX Runtime", cpu=(FLOAT32,), cuda=(FLOAT32,))
    artifact, card = write_network(tmp_path)
    engine = choose(artifact, card).engine
    assert (engine.name, engine.device) == ("ONNX Runtime", CUDA)


def test_torch_alone_scores(installed: dict[str, Imaginary], tmp_path: Path):
    installed["torch"] = Imaginary("torch", cpu=(FLOAT32,))
    artifact, card = write_network(tmp_path)
    assert choose(artifact, card).why == "torch scores in float32 on cpu."


def test_a_missing_library_is_passed_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for library, module in (("openvino", "with_openvino"), ("onnxruntime", "with_onnx_runtime")):
        monkeypatch.delitem(sys.modules, f"mlcore.foil_classifier.engines.{module}", raising=False)
        monkeypatch.setitem(sys.modules, library, None)
    artifact, card = write_network(tmp_path)
    assert choose(artifact, card, device=CPU).engine.name.startswith("torch")


def test_bfloat16_is_taken_only_where_no_fixed_image_crosses_the_threshold(
    installed: dict[str, Imaginary], tmp_path: Path
):
    # In float32 the logit is 0, the probability a half.
    installed["openvino"] = Imaginary("OpenVINO", shift=0.1, cpu=(BFLOAT16, FLOAT32))
    above = write_network(tmp_path / "above", threshold=0.6)
    near = write_network(tmp_path / "near", threshold=0.51)
    assert choose(*above).engine.precision == BFLOAT16
    assert "none of 8 fixed images (validation side)" in choose(*above).why
    choice = choose(*near)
    assert choice.engine.precision == FLOAT32
    assert "In bfloat16 8 of 8 fixed images (validation side) would change sides" in choice.why
    with pytest.raises(InvalidInput, match=r"would change sides of the threshold\. Score in float32"):
        choose(*near, precision=BFLOAT16)
    # A lead's own threshold counts beside the card's.
    assert choose(*above, thresholds=(0.51,)).engine.precision == FLOAT32


def test_the_shortest_precision_in_which_none_crosses_is_taken(
    installed: dict[str, Imaginary], tmp_path: Path
):
    # Probabilities of 0.5, 0.525 and 0.55.
    installed["openvino"] = Imaginary("OpenVINO", shift=0.1, cpu=(INT8, BFLOAT16, FLOAT32))
    for threshold, precision, passed_over in (
        (0.6, INT8, []),
        (0.54, BFLOAT16, ["In int8 8 of 8"]),
        (0.51, FLOAT32, ["In int8 8 of 8", "In bfloat16 8 of 8"]),
    ):
        choice = choose(*write_network(tmp_path, threshold=threshold))
        assert choice.engine.precision == precision
        assert all(sentence in choice.why for sentence in passed_over)
    with pytest.raises(InvalidInput, match=r"In int8 8 of 8 .* Score in float32"):
        choose(*write_network(tmp_path, threshold=0.51), precision=INT8)


def test_the_calibration_stands_between_logit_and_threshold(installed: dict[str, Imaginary], tmp_path: Path):
    installed["openvino"] = Imaginary("OpenVINO", shift=0.1, cpu=(BFLOAT16, FLOAT32))
    # Calibrated logits of 1.0 and 1.2, probabilities of 0.731 and 0.769.
    for threshold, precision in ((0.75, FLOAT32), (0.78, BFLOAT16)):
        given = write_network(tmp_path, threshold=threshold, calibration=(2.0, 1.0))
        assert choose(*given).engine.precision == precision


def test_what_is_asked_of_fixed_images_is_asked_once(
    installed: dict[str, Imaginary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    installed["openvino"] = Imaginary("OpenVINO", cpu=(BFLOAT16, FLOAT32))
    artifact, card = write_network(tmp_path, threshold=0.9)
    first = choose(artifact, card).why
    with monkeypatch.context() as patched:
        patched.setattr("mlcore.foil_classifier.engines.agreement.fixed_images", lambda _: 1 / 0)
        assert choose(artifact, card).why == first
    # Other weights are another question.
    write_network(tmp_path, threshold=0.9, seed=2)
    choose(artifact, card)
    (artifact / KEPT_FILE).write_text("torn {")
    assert choose(artifact, card).why == first
    assert len(json.loads((artifact / KEPT_FILE).read_text())) == 1


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(
    installed: dict[str, Imaginary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(path: Path, data: bytes) -> None:
        raise PermissionError("read-only")

    installed["openvino"] = Imaginary("OpenVINO", cpu=(BFLOAT16, FLOAT32))
    artifact, card = write_network(tmp_path, threshold=0.9)
    monkeypatch.setattr("mlcore.durable.write", refuse)
    assert choose(artifact, card).engine.precision == BFLOAT16
    assert not (artifact / KEPT_FILE).exists()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"device": CUDA}, r"with what was asked for \(cuda\)"),
        ({"engine": "onnx_runtime", "precision": BFLOAT16}, r"\(onnx_runtime, bfloat16\)"),
        ({"engine": "openvino"}, "openvino is not installed here"),
        ({"device": "tpu"}, "device is one of auto, cuda, cpu, not 'tpu'"),
        ({"precision": "int4"}, "precision is one of auto, float32, bfloat16, int8, not 'int4'"),
        ({"engine": "keras"}, "engine is one of auto, openvino, onnx_runtime, torch, not 'keras'"),
    ],
)
def test_what_nothing_here_can_do_is_refused(
    asked: dict[str, str], words: str, installed: dict[str, Imaginary], tmp_path: Path
):
    installed["torch"] = Imaginary("torch", cpu=(FLOAT32,))
    installed["onnx_runtime"] = Imaginary("ONNX Runtime", cpu=(FLOAT32,))
    with pytest.raises(InvalidInput, match=words):
        choose(*write_network(tmp_path), **asked)  # type: ignore[arg-type]


# The fixed images


def test_a_version_without_images_of_its_own_is_held_against_the_simulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fixed_images, "N_OF_A_KIND", 1)
    artifact, _ = write_network(tmp_path, fixed=0)
    first = fixed_images.fixed_images(artifact)
    assert (first.origin, [picture.shape for picture in first.pictures]) == ("simulator", [(384, 512)] * 2)
    for one, again in zip(first.pictures, fixed_images.fixed_images(artifact).pictures, strict=True):
        np.testing.assert_array_equal(one, again)


def test_kept_images_come_back_in_their_sizes_and_depths(tmp_path: Path):
    kept = [grey_noise(1), grey_noise(2, (64, 33)).astype(np.uint16) * 16]
    fixed_images.keep(tmp_path, kept)
    found = fixed_images.fixed_images(tmp_path).pictures
    for one, other in zip(kept, found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_torn_images_are_refused(tmp_path: Path):
    (tmp_path / fixed_images.FILE).write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(InvalidInput, match=r"fixed_images\.npz of the model cannot be read"):
        fixed_images.fixed_images(tmp_path)


# On the machine that is here


def openvino_in(precision: str, artifact: Path, config: Config) -> Engine:
    module = choosing.load("openvino")
    if module is None:
        pytest.skip("OpenVINO is not installed")
    if precision not in module.precisions(CPU):
        pytest.skip(f"this processor knows no {precision}")
    return module.make(artifact, config, device=CPU, precision=precision, lanes=1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("precision", [BFLOAT16, INT8])
def test_openvino_stays_close_in_fewer_bits_where_the_processor_knows_them(
    precision: str, layout: str, tmp_path: Path
):
    config = LAYOUTS[layout]
    artifact, card = write_network(tmp_path, config=config)
    found = agreement(
        artifact, openvino_in(precision, artifact, config), openvino_in(FLOAT32, artifact, config)
    )
    assert 0.0 < found.largest_shift(card) < 0.05
    # The dense layers are exact: no two pictures say the same.
    assert len(set(found.short)) == len(found.short)


def test_maps_without_any_answer_are_bytes_too(tmp_path: Path):
    artifact, card = write_network(tmp_path, config=SMALL)
    model = FoilClassifier(SMALL)
    load_weights(model, artifact / WEIGHTS_FILE)
    with torch.no_grad():
        # Of the second convolution the kernels of one map, and all answers of the first.
        first, second = [layer for layer in model.features if isinstance(layer, torch.nn.Conv2d)][:2]
        first.weight.zero_()
        second.weight[0] = 0.0
    save_weights(model, artifact / WEIGHTS_FILE)
    pictures = [grey_noise(1)]
    said = openvino_in(INT8, artifact, SMALL).logits(pictures)
    np.testing.assert_allclose(said, torch_says(artifact, card, pictures), atol=0.05)


def test_how_strong_answers_are_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    artifact, _ = write_network(tmp_path, config=SMALL)
    picture = grey_noise(1)
    first = openvino_in(INT8, artifact, SMALL).logits([picture])
    with monkeypatch.context() as patched:
        patched.setattr("mlcore.foil_classifier.engines.strongest.fixed_images", lambda _: 1 / 0)
        assert openvino_in(INT8, artifact, SMALL).logits([picture]) == first
    kept = (artifact / KEPT_FILE).read_bytes()
    (answer,) = json.loads(kept).values()
    assert len(answer) == len(SMALL.channels) and min(answer) > 0
    # Other weights are another question.
    write_network(tmp_path, config=SMALL, seed=2)
    (artifact / KEPT_FILE).write_bytes(kept)
    openvino_in(INT8, artifact, SMALL)
    assert len(json.loads((artifact / KEPT_FILE).read_text())) == 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("flags\t: fpu sse2 avx512_vnni avx512_bf16\n", True),
        ("model name\t: of a laptop\nflags\t: avx2 avx_vnni\n", True),
        ("flags\t: fpu avx2 avx512f\n", False),
        ("Features\t: asimd asimddp\n", False),
    ],
)
def test_only_processors_that_sum_bytes_take_them(
    told: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(processor, "_TOLD", tmp_path / "cpuinfo")
    assert processor.sums_bytes() == expected
    module = choosing.load("openvino")
    assert not module or (INT8 in module.precisions(CPU)) == expected


@pytest.mark.skipif("openvino" not in INSTALLED, reason="OpenVINO is not installed")
def test_openvino_reports_nothing_to_its_makers():
    code = (
        "import sys; from mlcore.foil_classifier.engines.choosing import load; assert load('openvino');"
        "sys.exit(sys.modules['openvino_telemetry'] is not None)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_choosing_loads_no_torch():
    code = "import sys, mlcore.foil_classifier.engines; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_way_through_an_accelerator_is_right_up_to_its_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # All but the device is as on CUDA: batches, turns, bfloat16 in the convolutions and float32 behind them.
    monkeypatch.setattr(with_torch, "_device", lambda name: torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an accelerator")
    artifact, card = write_network(tmp_path, config=Config(), threshold=0.999)
    pictures = [grey_noise(seed) for seed in range(5)]
    choice = choose(artifact, card)
    assert choice.why.startswith(f"torch {torch.__version__} scores in bfloat16 on an accelerator: none of 8")
    assert choice.engine.batch == with_torch.CUDA_BATCH
    said = choice.engine.logits(pictures)
    np.testing.assert_allclose(said, torch_says(artifact, card, pictures), atol=0.2)
    assert len(set(said)) == 5
    before = torch.backends.cudnn.conv.fp32_precision
    try:
        exact = choose(artifact, card, precision=FLOAT32).engine
        # Not the ten bits of TF32, which cuDNN takes by itself.
        assert torch.backends.cudnn.conv.fp32_precision == "ieee"
    finally:
        torch.backends.cudnn.conv.fp32_precision = before
    np.testing.assert_allclose(exact.logits(pictures), torch_says(artifact, card, pictures), atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_cuda_says_what_the_processor_says(tmp_path: Path):
    artifact, card = write_network(tmp_path, config=Config())
    pictures = [grey_noise(seed, (96, 128)) for seed in range(5)]
    expected = torch_says(artifact, card, pictures)
    for precision, within in ((FLOAT32, 1e-3), (BFLOAT16, 0.2)):
        module = choosing.load("torch")
        assert module
        engine = module.make(artifact, Config(), device=CUDA, precision=precision, lanes=2)
        np.testing.assert_allclose(engine.logits(pictures), expected, atol=within)


# Weights


def test_weights_of_another_layout_are_refused_by_every_engine(tmp_path: Path):
    artifact, card = write_network(tmp_path)
    other = replace(card, config=Config().to_json())
    for name in INSTALLED:
        with pytest.raises(InvalidInput, match="another layout"):
            engine_of(name, artifact, other)


def test_torn_weights_are_refused_by_every_engine(tmp_path: Path):
    artifact, card = write_network(tmp_path)
    whole = (artifact / WEIGHTS_FILE).read_bytes()
    (artifact / WEIGHTS_FILE).write_bytes(whole[: len(whole) // 2])
    for name in INSTALLED:
        with pytest.raises(InvalidInput, match="cannot be read as weights"):
            engine_of(name, artifact, card)


def test_probabilities_are_the_cards_logits():
    logits = np.array([-1000.0, -2.0, 0.0, 2.0, 1000.0])
    np.testing.assert_allclose(probability(logits, [0.5, 1.0]), 1 / (1 + np.exp(-(0.5 * logits + 1.0))))
    assert logit_of(float(probability(np.array(1.5), [1.0, 0.0]))) == pytest.approx(1.5)
