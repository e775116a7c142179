"""What a line of a log looks like: JSON for machines (LOG_FORMAT=json) or one readable line.

Every line of a request carries its `request_id` and who asked (the user's key, never a name); every line of a
task its `task_id` and, within a run, the run's `run` and `attempt`. They come from structlog's context, into
which anybody may put more: `with bound_contextvars(run=…)`.
"""

import re
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any

import structlog
from structlog.types import EventDict, Processor

FORMATS = ("lines", "json")
# What `extra=` may add to a line; everything else that libraries attach stays out.
EXTRA = ("method", "path", "status", "duration_ms", "bytes", "address", "request_id", "user", "run")
ASKING: ContextVar[object | None] = ContextVar("asking", default=None)

_HIDDEN = "***"
_SECRET_NAMES = (
    r"sessionid|csrftoken|csrfmiddlewaretoken|x-csrftoken|passw(?:or)?d\d?|oldpassword|secret(?:[_-]?key)?"
    r"|(?:proxy-)?authorization|(?:set-)?cookie|api[_-]?key"
)
_SECRETS: tuple[tuple[re.Pattern[str], str], ...] = (
    # Passwords in the addresses of servers, and keys in the addresses of password and confirmation mails.
    (re.compile(r"(://[^\s:@/]*:)[^\s@/]+@"), rf"\1{_HIDDEN}@"),
    (re.compile(r"(/accounts/(?:password/reset/key|confirm-email)/)[^/\s\"']+"), rf"\1{_HIDDEN}"),
    (
        re.compile(rf"(?i)\b({_SECRET_NAMES})(\"?'?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}})]+)"),
        rf"\1\2{_HIDDEN}",
    ),
    # PostgreSQL quotes the row that broke a constraint, which may hold an e-mail address.
    (re.compile(r"(Key \([^)]*\)=)\([^)]*\)"), rf"\1({_HIDDEN})"),
)


def logging_config(style: str, level: str) -> dict[str, Any]:
    """The value of LOGGING.

    Args:
        style: One of FORMATS.
        level: Of everything.

    Raises:
        ValueError: There is no such style.
    """
    if style not in FORMATS:
        raise ValueError(f"LOG_FORMAT is one of {', '.join(FORMATS)}, not “{style}”.")
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": context_processors(),
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    hide_secrets,
                    structlog.processors.JSONRenderer(ensure_ascii=False) if style == "json" else one_line,
                ],
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # Neither of Django's own handlers: there is one way out.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # With DEBUG it would write every query with its values.
            "django.db.backends": {"level": "INFO"},
            # A hundred lines of every figure: which glyphs of which table it keeps.
            "fontTools": {"level": "WARNING"},
            "matplotlib": {"level": "WARNING"},
        },
    }


def context_processors() -> list[Processor]:
    """What is added to each record before it is written."""
    return [
        structlog.contextvars.merge_contextvars,
        add_person,
        add_task,
        structlog.stdlib.ExtraAdder(allow=EXTRA),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_process,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def add_person(logger: Any, name: str, line: EventDict) -> EventDict:
    """The key of who asks, where the request has looked that up already; a line never costs a query."""
    person = getattr(ASKING.get(), "_cached_user", None)
    if person is not None and person.pk is not None:
        line["user"] = person.pk
    return line


def add_task(logger: Any, name: str, line: EventDict) -> EventDict:
    """The task of Celery's own lines about it, which it writes outside of the task."""
    data = getattr(line.get("_record"), "data", None)
    if isinstance(data, Mapping) and "id" in data:
        line.setdefault("task_id", data["id"])
        line.setdefault("task", data.get("name"))
    return line


def add_process(logger: Any, name: str, line: EventDict) -> EventDict:
    """Which process wrote it: several write into one log."""
    record = line.get("_record")
    if record is not None:
        line["process"] = record.process
    return line


def hide_secrets(logger: Any, name: str, line: EventDict) -> EventDict:
    """Blot out passwords, cookies and keys, wherever a library may have quoted them."""
    return {key: hidden(value) if isinstance(value, str) else value for key, value in line.items()}


def hidden(text: str) -> str:
    """The text without its secrets."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def one_line(logger: Any, name: str, line: MutableMapping[str, Any]) -> str:
    """For eyes: time, level, logger, message, then what else is known; a traceback below."""
    head = f"{line.pop('timestamp')} {line.pop('level').upper()} {line.pop('logger')}: {line.pop('event')}"
    trace = line.pop("exception", None)
    line.pop("process", None)
    facts = " ".join(f"{key}={value}" for key, value in line.items())
    # What follows a line break is set in, so that nothing in it can pass for a line of its own.
    return "\n    ".join("\n".join(filter(None, (f"{head}  {facts}".rstrip(), trace))).split("\n"))
