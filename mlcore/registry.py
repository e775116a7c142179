"""The learning systems. A sixth is a new folder and one line here. Importing this loads no torch."""

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from mlcore.errors import InvalidInput


@dataclass(frozen=True)
class System:
    """One learning system.

    Attributes:
        name: Key of SYSTEMS.
        package: Its folder: `config` (torch-free: PRESETS, Config) and `verbs` (train, evaluate, and
            predict or score).
    """

    name: str
    package: str

    @property
    def presets(self) -> tuple[str, ...]:
        """Names of the presets, the quickest first."""
        return tuple(importlib.import_module(f"{self.package}.config").PRESETS)

    def config(self, preset: str, overrides: dict[str, Any]) -> Any:
        """The system's Config; InvalidInput names an unknown preset or setting."""
        return importlib.import_module(f"{self.package}.config").make_config(preset, overrides)

    def verbs(self) -> ModuleType:
        """The module with train, evaluate and the others. Loads torch: only the subprocess calls this."""
        return importlib.import_module(f"{self.package}.verbs")


SYSTEMS: dict[str, System] = {
    name: System(name, f"mlcore.{name}")
    for name in (
        "crater_detector",
        "foil_classifier",
    )
}  # fmt: skip


def get_system(name: str) -> System:
    """Look a system up; InvalidInput lists those that are."""
    try:
        return SYSTEMS[name]
    except KeyError:
        raise InvalidInput(
            f"There is no learning system '{name}'. Tektite has {', '.join(SYSTEMS)}.", code="unknown_system"
        ) from None
