"""Static files under hashed names, so that browsers may keep them for ever."""

import re
from collections.abc import Callable

from whitenoise.storage import CompressedManifestStaticFilesStorage


class ModuleManifestStorage(CompressedManifestStaticFilesStorage):
    """Rewrites `import` lines of ES modules too; every import line must end in a semicolon."""

    support_js_module_import_aggregation = True

    def url_converter(
        self, name: str, hashed_files: dict[str, str], template: str | None = None
    ) -> Callable[[re.Match[str]], str]:
        """Leave `import("tektite/geo/ring")` alone: the import map resolves bare names."""
        convert = super().url_converter(name, hashed_files, template)

        def converter(match: re.Match[str]) -> str:
            bare = match["matched"].startswith("import(") and not match["url"].startswith((".", "/"))
            return match["matched"] if bare else convert(match)

        return converter
