"""The training loop of every system: steps, curves, checkpoints, cancellation. Imports torch.

A training that is killed, at any moment and however often, goes on from its last checkpoint. On a CPU it ends
with the bits that it would have had undisturbed: the checkpoint holds weights, optimiser, both random states
and the half-summed point of the curves. Its file is whole or it is ignored for the one before:

1. The process is killed, or the power fails, while a checkpoint is written.
2. What was being written bears another name, or its hash is wrong.
3. The next attempt takes the checkpoint before it, and walks the steps since then again, to the same bits.
"""

import hashlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mlcore import durable
from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog

CHECKPOINT_FILE = "state.pt"
# As often as costs at most a fiftieth of the time, within these limits.
CHECKPOINT_SHARE, LEAST_BETWEEN_S, MOST_BETWEEN_S = 0.02, 5.0, 60.0
# A point of the loss curve is the mean of this many steps.
CURVE_STEPS = 10
MAX_GRADIENT_NORM = 10.0

# One batch's losses by name, each a scalar with gradient.
LossStep = Callable[[np.random.Generator], dict[str, Tensor]]


class Companion(Protocol):
    """What a system learns beside its weights, and must have back when it goes on."""

    def state(self) -> dict[str, Tensor]:
        """For the checkpoint."""
        ...

    def take_up(self, state: dict[str, Tensor]) -> None:
        """From the checkpoint."""
        ...


def choose_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def describe_device(device: torch.device) -> str:
    """Device and precision, for the card."""
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)} bfloat16"
    return f"cpu float32, {torch.get_num_threads()} threads"


def autocast(device: torch.device) -> torch.autocast:
    """bf16 on CUDA; on a CPU exact float32, so that the same seed gives the same bits."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def seed_everything(seed: int) -> np.random.Generator:
    """Seed torch and return the generator from which everything else is drawn."""
    torch.manual_seed(seed)
    return np.random.default_rng(seed)


def learning_rate(step: int, steps: int, peak: float, decay_at: float) -> float:
    """The rate of a step.

    Args:
        step: 0-based.
        steps: In all.
        peak: Highest rate.
        decay_at: Share of steps after which it falls to a tenth; 0: a short warm-up, then a cosine to 1 %.
    """
    if decay_at:
        return peak * (0.1 if step >= decay_at * steps else 1.0)
    warm = min(100, max(1, steps // 10))
    if step < warm:
        return peak * (step + 1) / warm
    share = (step - warm) / max(1, steps - warm)
    return peak * (0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * share))))


class Trainer:
    """Takes optimiser steps until done, cancelled, or killed; the same folder again goes on.

    Args:
        model: On its device already.
        optimiser: Over its parameters.
        events: Where to report and whom to ask for cancellation.
        fingerprint: Names dataset, config and seed: a checkpoint of anything else is not taken up.
        random: Draws the batches; its state is part of the checkpoint.
        companion: Its state is, too.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        events: EventLog,
        *,
        fingerprint: str,
        random: np.random.Generator,
        companion: Companion | None = None,
    ) -> None:
        self.companion = companion
        self.model, self.optimiser, self.events = model, optimiser, events
        self.fingerprint, self.random = fingerprint, random
        self.step = 0
        self._path = events.folder / "checkpoint" / CHECKPOINT_FILE
        # The present point of the curves: sums over the steps since the last one, and how many.
        self._sums, self._counted = dict[str, float](), 0
        self._saved_at, self._between_s = time.monotonic(), LEAST_BETWEEN_S

    def fit(self, losses: LossStep, steps: int, rate: Callable[[int], float], *, until: float = 1.0) -> None:
        """Take steps.

        Args:
            losses: One batch's losses.
            steps: In all, those before a resumption included.
            rate: Learning rate of a step.
            until: Share of the whole job that this is, for the progress bar.

        Raises:
            Cancelled: The parent asked for the end; the checkpoint is written.
            InvalidInput: The loss is no number any more.
        """
        self._resume()
        self.model.train()
        self._saved_at = time.monotonic()
        while self.step < steps:
            self._check_cancelled()
            self._count(self._take(losses, rate(self.step)))
            self.step += 1
            if self.step % CURVE_STEPS == 0 or self.step == steps:
                self._report()
            self.events.progress(until * self.step / steps, f"step {self.step} of {steps}")
            if self._save_is_due() and self.step < steps:
                self.save()
        self.save()

    def _check_cancelled(self) -> None:
        try:
            self.events.check_cancelled()
        except Cancelled:
            self.save()
            raise

    def _take(self, losses: LossStep, rate: float) -> dict[str, float]:
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        device = next(self.model.parameters()).device
        with autocast(device):
            parts = losses(self.random)
        total = torch.stack(list(parts.values())).sum()
        values = {name: float(part.detach()) for name, part in parts.items()}
        if not np.isfinite(sum(values.values())):
            raise InvalidInput(
                f"The loss is no number any more at step {self.step}; choose a lower learning rate.",
                code="diverged",
            )
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        self.optimiser.step()
        # A part that is all there is says the same as the sum.
        return {"loss": sum(values.values()), **(values if len(values) > 1 else {})}

    def _count(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._counted += 1

    def _report(self) -> None:
        for name, value in self._sums.items():
            self.events.metric(name, self.step, value / self._counted)
        self._sums, self._counted = {}, 0

    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= self._between_s

    def save(self) -> None:
        """Write the checkpoint, whole or not at all; the one before it stays beside it."""
        began = time.monotonic()
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "torch_random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
            "numpy_random": json.dumps(self.random.bit_generator.state),
            "step": self.step,
            "companion": self.companion.state() if self.companion else {},
            "curve": {"sums": self._sums, "counted": self._counted},
            "fingerprint": self.fingerprint,
        }
        written = io.BytesIO()
        torch.save(state, written)
        durable.save_state(self._path, written.getvalue())
        self._saved_at = time.monotonic()
        took_s = self._saved_at - began
        self._between_s = min(MOST_BETWEEN_S, max(LEAST_BETWEEN_S, took_s / CHECKPOINT_SHARE))

    def _resume(self) -> None:
        newest = durable.newest_state(self._path)
        if newest is None:
            return
        state = torch.load(io.BytesIO(newest), map_location="cpu", weights_only=True)
        if state["fingerprint"] != self.fingerprint:
            self.events.log("The checkpoint here is of another dataset, setting or seed: starting anew.")
            return
        self._take_up(state)
        self.events.log(f"Going on from the checkpoint at step {self.step}.")

    def _take_up(self, state: dict[str, Any]) -> None:
        try:
            self.model.load_state_dict(state["model"])
            self.optimiser.load_state_dict(state["optimiser"])
        except (RuntimeError, ValueError):
            raise InvalidInput(
                "The checkpoint here was written by another version of the network and does not fit this "
                "one; start a new run.",
                code="checkpoint_of_another_version",
            ) from None
        torch.set_rng_state(state["torch_random"])
        if state["cuda_random"] and len(state["cuda_random"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_random"])
        self.random.bit_generator.state = json.loads(state["numpy_random"])
        if self.companion:
            self.companion.take_up(state["companion"])
        self._sums, self._counted = state["curve"]["sums"], state["curve"]["counted"]
        self.step = state["step"]


def code_version(folder: Path) -> str:
    """sha256 over the Python files below a folder: names the code that trained a model."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
