"""What engines found out about a version's network, kept beside its weights so that it is found out once."""

import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlcore import durable
from mlcore.artifact import WEIGHTS_FILE
from mlcore.foil_classifier.engines.fixed_images import FILE

KEPT_FILE = "engines.json"


class Kept:
    """Answers to questions about an artifact's weights and its fixed images; of other ones it knows nothing.

    Args:
        artifact: Its folder.
    """

    def __init__(self, artifact: Path) -> None:
        self._path = artifact / KEPT_FILE
        digest = hashlib.sha256((artifact / WEIGHTS_FILE).read_bytes())
        if (artifact / FILE).exists():
            digest.update((artifact / FILE).read_bytes())
        self._of = digest.hexdigest()[:16]

    def answer(self, question: str) -> Any:
        """What was kept, of JSON's types; None where nothing was, or it cannot be read."""
        return self._all().get(self._name(question))

    def keep(self, question: str, answer: Any) -> None:
        """Keep an answer; a folder that cannot be written costs the next one the asking, and nothing else."""
        with suppress(OSError):
            text = json.dumps({**self._all(), self._name(question): answer}, indent=1)
            durable.write(self._path, text.encode())

    def _name(self, question: str) -> str:
        return f"{question}, {self._of}"

    def _all(self) -> dict[str, Any]:
        try:
            kept = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}
