"""What bin/run would do: the functions of bin/lib, called from here instead of written down a second time."""

import os
import subprocess
import sys
from collections.abc import Mapping, Set
from pathlib import Path

from mlcore.errors import TektiteError

ROOT = Path(__file__).parent.parent.parent
PACKAGES = frozenset({"postgresql-postgis", "redis-server"})
_LIBRARIES = "".join(f". {ROOT}/bin/lib/{name}.sh; " for name in ("common", "install", "servers", "services"))
# The commands of bin/lib/services.sh, printed instead of started.
_PRINT_SERVICES = r'serve() { printf "%s\0" "$@"; printf "\0"; }; keep_logs_small() { :; }; start_services'
# What the surroundings have set for themselves must not reach the servers and services started here.
_OURS = {
    "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "DEBUG", "INSECURE_HTTP", "MEDIA_ROOT",
    "STATIC_ROOT", "TEKTITE_VAR", "TEKTITE_SOCKETS", "TEST_DATABASE_NAME", "WEB_CONCURRENCY", "HOST", "PORT",
    "PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "REDISCLI_AUTH",
}  # fmt: skip


def surroundings(**more: str) -> dict[str, str]:
    """This process's environment with more, and without what names somebody else's servers or folders."""
    kept = {name: value for name, value in os.environ.items() if name not in _OURS}
    # Without the folder that an activated environment puts first, `celery` would not be found.
    return {**kept, "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}", **more}


def bash(script: str, environment: Mapping[str, str]) -> str:
    """What a script says that has the functions of bin/lib; TektiteError with its last words if it fails."""
    done = subprocess.run(
        ["bash", "-c", _LIBRARIES + script],
        env=dict(environment),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise TektiteError(f"This failed: {script}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
    return done.stdout


def manage(*arguments: str, environment: Mapping[str, str]) -> None:
    """Run a management command; TektiteError with its last words if it fails."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env=dict(environment),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise TektiteError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout[-2000:]}")


def service_commands(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """The command of each service by its name, as bin/run starts it."""
    records = bash(_PRINT_SERVICES, environment).split("\0\0")
    return {name: command for name, *command in (record.split("\0") for record in records if record)}


def what_is_missing(wanted: Set[str] = PACKAGES) -> str:
    """Why the servers of these packages cannot be started here, in a sentence; empty where they can."""
    missing = wanted & set(bash("missing_packages run", surroundings()).split())
    return f"{', '.join(sorted(missing))} is not installed here: bin/test installs it." if missing else ""
