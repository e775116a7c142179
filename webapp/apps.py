from django.apps import AppConfig
from django.contrib.staticfiles.apps import StaticFilesConfig


class WebappConfig(AppConfig):
    """Puts the rooms together."""

    name = "webapp"

    def ready(self) -> None:
        from webapp import checks  # noqa: F401 - registers them; needs the app registry


class StaticConfig(StaticFilesConfig):
    """Leaves out htmx's extensions: one of them names a file that its package does not have."""

    ignore_patterns = [*StaticFilesConfig.ignore_patterns, "ext/*"]
