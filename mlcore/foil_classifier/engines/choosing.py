"""Which engine scores here: what is installed, what the machine knows, what was asked for."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mlcore.artifact import ModelCard
from mlcore.errors import InvalidInput
from mlcore.foil_classifier.config import Config
from mlcore.foil_classifier.engines.agreement import agreement
from mlcore.foil_classifier.engines.engine import (
    BFLOAT16,
    CPU,
    CUDA,
    FLOAT32,
    INT8,
    Engine,
    EngineModule,
    cores,
)

# The best first.
_ORDER = {CUDA: ("torch", "onnx_runtime"), CPU: ("openvino", "onnx_runtime", "torch")}
ENGINES = _ORDER[CPU]
AUTO = "auto"
DEVICES, PRECISIONS = (AUTO, *_ORDER), (AUTO, FLOAT32, BFLOAT16, INT8)


@dataclass(frozen=True)
class Choice:
    """An engine, and why it is this one.

    Attributes:
        engine: Ready to score.
        why: Sentences for the log.
    """

    engine: Engine
    why: str


@dataclass(frozen=True)
class _Offer:
    """What could be made here."""

    module: EngineModule
    device: str
    precision: str


def choose(
    artifact: Path,
    card: ModelCard,
    *,
    device: str = AUTO,
    precision: str = AUTO,
    engine: str = AUTO,
    thresholds: tuple[float, ...] = (),
    lanes: int | None = None,
) -> Choice:
    """The best engine there is here for an artifact's weights.

    An accelerator goes before the processor, and the shorter precision before the longer one where no fixed
    image changes sides of a threshold by it; asking that may take some seconds the first time, see agreement.

    Args:
        artifact: Folder of the weights.
        card: Theirs.
        device: One of DEVICES.
        precision: One of PRECISIONS.
        engine: AUTO or one of ENGINES.
        thresholds: Probabilities that count besides the card's own.
        lanes: Threads that will ask; one a core when None.

    Raises:
        InvalidInput: Nothing here can do what is asked for, or some image would cross in the precision asked
            for.
    """
    _check("device", device, DEVICES)
    _check("precision", precision, PRECISIONS)
    _check("engine", engine, (AUTO, *ENGINES))
    config, lanes = Config.from_json(card.config), lanes or cores()
    passed_over: list[str] = []
    for offer in _offers(device, precision, engine):

        def made(precision: str, offer: _Offer = offer) -> Engine:
            return offer.module.make(artifact, config, device=offer.device, precision=precision, lanes=lanes)

        found = made(offer.precision)
        if offer.precision == FLOAT32:
            return Choice(found, " ".join([f"{_told(found)}.", *passed_over]))
        agreed = agreement(artifact, found, made(FLOAT32))
        at = (card.threshold, *thresholds)
        n, of = agreed.crossing(card, at), f"of {len(agreed.exact)} fixed images ({agreed.origin})"
        if not n:
            shift = agreed.largest_shift(card)
            why = (
                f"{_told(found)}: none {of} changes sides of the threshold by it, and no probability changes "
                f"by more than {shift:.2g}."
            )
            return Choice(found, " ".join([why, *passed_over]))
        passed_over.append(f"In {offer.precision} {n} {of} would change sides of the threshold.")
    raise _nothing(device, precision, engine, passed_over)


def load(name: str) -> EngineModule | None:
    """An engine's module; None where its library is missing or broken here."""
    try:
        return cast(EngineModule, importlib.import_module(f"mlcore.foil_classifier.engines.with_{name}"))
    except (ImportError, OSError):
        return None


def _offers(device: str, precision: str, engine: str) -> Iterator[_Offer]:
    for where in (CUDA, CPU) if device == AUTO else (device,):
        for name in _ORDER[where]:
            module = load(name) if engine in (AUTO, name) else None
            for one in module.precisions(where) if module else ():
                if module and precision in (AUTO, one):
                    yield _Offer(module, where, one)


def _told(engine: Engine) -> str:
    return f"{engine.name} scores in {engine.precision} on {engine.device}"


def _check(what: str, word: str, words: tuple[str, ...]) -> None:
    if word not in words:
        raise InvalidInput(f"The {what} is one of {', '.join(words)}, not '{word}'.")


def _nothing(device: str, precision: str, engine: str, passed_over: list[str]) -> InvalidInput:
    if passed_over:
        return InvalidInput(f"{passed_over[0]} Score in float32.", code="crosses")
    if engine != AUTO and load(engine) is None:
        return InvalidInput(
            f"The engine {engine} is not installed here, or cannot be loaded; install what requirements.txt "
            "names for it, or leave the choice to Tektite (auto).",
            code="no_engine",
        )
    asked = [word for word in (engine, precision, device) if word != AUTO]
    return InvalidInput(
        f"Nothing here can score with what was asked for ({', '.join(asked)}); leave one of these to Tektite "
        "(auto).",
        code="no_engine",
    )
