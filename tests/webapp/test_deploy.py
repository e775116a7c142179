"""What operators copy works: units, compose file and Dockerfile name what is really there."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.celery import celery
from celery.bin.worker import worker
from django.conf import settings
from gunicorn.config import Config

from webapp.celery import app

DEPLOY = settings.BASE_DIR / "deploy"
UNITS = DEPLOY / "systemd"
HOME = "/opt/tektite"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
# Read by gunicorn, Celery, compose and our own scripts rather than by the settings.
READ_ELSEWHERE = {"WEB_CONCURRENCY", "POSTGRES_PASSWORD", "BACKUPS"}


def units() -> Iterator[tuple[str, str]]:
    """(name of the unit, its command) of everything that systemd would start."""
    for path in sorted(UNITS.glob("*.service")):
        text = path.read_text().replace("\\\n", " ")
        yield path.name, re.search(r"^ExecStart=(.+)$", text, re.MULTILINE).group(1)


COMMANDS = {
    **{name: shlex.split(command) for name, command in units()},
    **{
        f"compose {name}": service["command"]
        for name, service in COMPOSE["services"].items()
        if service["image"] == "tektite"
    },
}


def arguments_of(program: str) -> dict[str, list[str]]:
    """Unit or service → arguments, of those that start this program."""
    return {name: command[1:] for name, command in COMMANDS.items() if Path(command[0]).name == program}


def queues_of(arguments: list[str]) -> set[str]:
    return set(arguments[arguments.index("--queues") + 1].split(","))


def test_all_services_are_there_in_both():
    queues = {settings.CELERY_TASK_DEFAULT_QUEUE} | {r["queue"] for r in settings.CELERY_TASK_ROUTES.values()}
    for place in ("compose", "tektite"):
        of = {name: found for name, found in arguments_of("celery").items() if name.startswith(place)}
        served = [queues_of(arguments) for arguments in of.values() if "worker" in arguments]
        assert set().union(*served) == queues
        assert sum("beat" in arguments for arguments in of.values()) == 1
        assert sum(name.startswith(place) for name in arguments_of("gunicorn")) == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there(name: str):
    program, *arguments = COMMANDS[name]
    if program == "python":
        assert (settings.BASE_DIR / arguments[0]).is_file()
        assert (settings.BASE_DIR / "webapp/management/commands" / f"{arguments[1]}.py").is_file() or (
            arguments[1] == "migrate"
        )
    elif "/" in program and ".venv" not in program:
        assert os.access(program.replace(HOME, str(settings.BASE_DIR)), os.X_OK)
    else:
        assert Path(program).name in ("celery", "gunicorn")


@pytest.mark.parametrize("name", arguments_of("celery"))
def test_celery_takes_its_options(name: str):
    arguments = [re.sub(r"%\w", "x", argument) for argument in COMMANDS[name][1:]]
    kind = worker if "worker" in arguments else beat
    split = arguments.index(kind.name)
    context = celery.make_context("celery", [*arguments[:split], kind.name])
    assert context.params["app"] == "webapp"
    context.obj = CLIContext(app, no_color=True, workdir=None)
    options = kind.make_context(kind.name, arguments[split + 1 :], parent=context).params
    if kind is worker and "gpu" in options["queues"]:
        assert (options["concurrency"], options["prefetch_multiplier"]) == (1, 1)


@pytest.mark.parametrize("name", arguments_of("gunicorn"))
def test_gunicorn_serves_as_bin_run_does(name: str):
    """The options are those of bin/run, but for where it listens and where its lines go."""
    config = Config()
    given = vars(config.parser().parse_args(COMMANDS[name][1:]))
    assert given["args"] == ["webapp.wsgi"]
    services = (settings.BASE_DIR / "bin/lib/services.sh").read_text().replace("\\\n", " ")
    line = re.search(r"serve web gunicorn (.+)", services).group(1)
    ours = vars(config.parser().parse_args(shlex.split(line.replace('"$WEB_CONCURRENCY"', "1"))))
    own = {"bind", "workers", "accesslog", "worker_tmp_dir", "args"}
    assert {key: given[key] for key in given.keys() - own} == {key: ours[key] for key in ours.keys() - own}


def test_systemd_finds_nothing_wrong(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    shutil.copytree(UNITS, tmp_path, dirs_exist_ok=True)
    for path in tmp_path.glob("*.service"):
        path.write_text(path.read_text().replace(f"{HOME}/bin", f"{settings.BASE_DIR}/bin"))
        programs = path.read_text().replace(f"{HOME}/.venv/bin/", f"{Path(os.sys.executable).parent}/")
        path.write_text(programs)
    names = [path.name.replace("@.", "@0.") for path in tmp_path.iterdir() if path.is_file()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *names],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
    )
    ours = [line for line in done.stderr.splitlines() if "tektite" in line]
    assert (done.returncode, ours) == (0, [])


def test_workers_are_stopped_so_that_their_tasks_go_back():
    for name in arguments_of("celery"):
        if "worker" not in name:
            continue
        if name.startswith("compose"):
            assert COMPOSE["services"][name.removeprefix("compose ")]["stop_signal"] == "SIGQUIT"
        else:
            assert "\nKillSignal=SIGQUIT\n" in (UNITS / name).read_text()


def test_the_target_starts_every_unit():
    wanted = set(re.findall(r"tektite-[-\w@.]+", (UNITS / "tektite.target").read_text()))
    there = {path.name.replace("@.", "@0.") for path in UNITS.glob("tektite-*.*") if path.is_file()}
    # The timer starts the backup.
    assert wanted == there - {"tektite-backup.service"}


def test_compose_waits_for_what_is_healthy_and_keeps_what_must_stay():
    services, volumes = COMPOSE["services"], set(COMPOSE["volumes"])
    for name, service in services.items():
        for other, state in service.get("depends_on", {}).items():
            healthy = state["condition"] == "service_healthy"
            assert ("healthcheck" in services[other]) if healthy else other == "setup", name
        mounted = {volume.partition(":")[0] for volume in service["volumes"]}
        assert mounted & volumes, name
    assert {"--appendonly", "noeviction"} <= set(services["redis"]["command"])
    assert "postgis" in services["postgres"]["image"]
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]


def test_no_secret_is_written_down():
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "environment.example").read_text().splitlines()
        if line and not line.startswith("#")
    )  # fmt: skip
    assert example["SECRET_KEY"] == example["POSTGRES_PASSWORD"] == ""
    assert "${POSTGRES_PASSWORD:?" in COMPOSE["services"]["web"]["environment"]["DATABASE_URL"]
    known = (settings.BASE_DIR / "webapp/settings.py").read_text()
    for name in example.keys() - READ_ELSEWHERE:
        assert f'"{name}"' in known, name


def test_the_image_is_made_of_files_that_are_there():
    text = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    for name in " ".join(copied).split():
        assert (settings.BASE_DIR / name).exists(), name
    build = COMPOSE["services"]["web"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    assert {".git", ".venv", "var", "**/.env"} <= set(ignored)
    # pg_dump has to be of the server's version.
    (server,) = re.findall(r"postgis/postgis:(\d+)", COMPOSE["services"]["postgres"]["image"])
    assert f"postgresql-client-{server}" in text


def test_the_operators_guide_names_what_is_there():
    guide = (settings.BASE_DIR / "docs/operators.md").read_text()
    named = re.findall(r"(?<![\w/.-])(?:bin|deploy|tests|docs)/[\w./@-]*[\w]", guide)
    assert len(named) > 20
    for name in named:
        assert (settings.BASE_DIR / name).exists() or name in ("deploy/.env", "deploy/backups"), name


def test_the_operators_guide_knows_every_variable():
    guide = (settings.BASE_DIR / "docs/operators.md").read_text()
    read = re.findall(r'env\.\w+\(\s*"(\w+)"', (settings.BASE_DIR / "webapp/settings.py").read_text())
    assert len(read) > 20
    only_for_tests = {"TEST_DATABASE_NAME"}
    assert [name for name in read if f"`{name}`" not in guide and name not in only_for_tests] == []
