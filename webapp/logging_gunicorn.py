"""gunicorn's logs in Tektite's form: `gunicorn --logger-class webapp.logging_gunicorn.Logger`."""

import logging.config
import os
from datetime import timedelta
from typing import Any

from gunicorn import glogging
from gunicorn.config import Config

from webapp.logging_config import ASKING
from webapp.logging_requests import ID_KEY, USER_KEY

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")


class Logger(glogging.Logger):
    """An access line has the request's id, its duration and its path; no query, cookie or referrer."""

    def setup(self, cfg: Config) -> None:
        """Called by gunicorn at its start and at each reload, before the application is loaded."""
        from django.conf import settings

        super().setup(cfg)
        logging.config.dictConfig(settings.LOGGING)
        (ours,) = logging.getLogger().handlers
        for log in (self.error_log, self.access_log):
            kept = [handler for handler in log.handlers if isinstance(handler, logging.FileHandler)]
            for handler in kept:
                handler.setFormatter(ours.formatter)
            log.handlers[:] = kept
            # What has no file of its own goes where everything goes.
            log.propagate = not kept

    def access(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> None:
        """One line for each answer, once it has been sent."""
        if not self.access_log_enabled:
            return
        method, path = environ.get("REQUEST_METHOD", "-"), environ.get("PATH_INFO", "-")
        status = int(str(resp.status).split(None, 1)[0])
        ASKING.set(None)
        facts = {
            "method": method,
            "path": path,
            "status": status,
            "duration_ms": round(request_time.total_seconds() * 1000, 1),
            "bytes": getattr(resp, "sent", None),
            "address": environ.get("REMOTE_ADDR") or None,
            "request_id": environ.get(ID_KEY),
            "user": environ.get(USER_KEY),
        }
        known = {name: value for name, value in facts.items() if value is not None}
        self.access_log.info("%s %s %d", method, path, status, extra=known)
