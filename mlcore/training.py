"""The training loop of every system: steps, curves, checkpoints, cancellation. Imports torch."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mlcore.errors import Cancelled, InvalidInput
from mlcore.events import EventLog

CHECKPOINT_FILE = "state.pt"
CHECKPOINT_EVERY_S = 60.0
# A point of the loss curve is the mean of this many steps.
CURVE_STEPS = 10
MAX_GRADIENT_NORM = 10.0

# One batch's losses by name, each a scalar with gradient.
LossStep = Callable[[np.random.Generator], dict[str, Tensor]]


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
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        events: EventLog,
        *,
        fingerprint: str,
        random: np.random.Generator,
    ) -> None:
        self.model, self.optimiser, self.events = model, optimiser, events
        self.fingerprint, self.random = fingerprint, random
        self.step = 0
        self._path = events.folder / "checkpoint" / CHECKPOINT_FILE

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
        saved, sums, counted = time.monotonic(), dict[str, float](), 0
        while self.step < steps:
            self._check_cancelled()
            values = self._take(losses, rate(self.step))
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
            self.step, counted = self.step + 1, counted + 1
            if self.step % CURVE_STEPS == 0 or self.step == steps:
                self._report(sums, counted)
                sums, counted = {}, 0
            self.events.progress(until * self.step / steps, f"step {self.step} of {steps}")
            if time.monotonic() - saved > CHECKPOINT_EVERY_S:
                self.save()
                saved = time.monotonic()
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
        return {"loss": sum(values.values()), **values}

    def _report(self, sums: dict[str, float], counted: int) -> None:
        for name, value in sums.items():
            self.events.metric(name, self.step, value / counted)

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half_done = self._path.with_suffix(".half-done")
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "torch_random": torch.get_rng_state(),
            "numpy_random": json.dumps(self.random.bit_generator.state),
            "step": self.step,
            "fingerprint": self.fingerprint,
        }
        torch.save(state, half_done)
        half_done.replace(self._path)

    def _resume(self) -> None:
        if not self._path.exists():
            return
        device = next(self.model.parameters()).device
        state = torch.load(self._path, map_location="cpu", weights_only=True)
        if state["fingerprint"] != self.fingerprint:
            self.events.log("The checkpoint here is of another dataset, setting or seed: starting anew.")
            return
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["torch_random"])
        self.random.bit_generator.state = json.loads(state["numpy_random"])
        self.model.to(device)
        self.step = state["step"]
        self.events.log(f"Going on from the checkpoint at step {self.step}.")


def code_version(folder: Path) -> str:
    """sha256 over the Python files below a folder: names the code that trained a model."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
