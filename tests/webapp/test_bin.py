"""bin/run starts and stops everything, and says in one line what it lacks."""

import os
import pwd
import re
import shutil
import signal
import socket
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.webapp.starting import (
    ROOT,
    Started,
    free_port,
    processes_of,
    run,
    shell,
    short_folder,
    stub,
    wait_until_all_is_well,
)

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def var() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """One folder for all full starts, so that only the first has to make a database."""
    with short_folder() as folder:
        yield folder


@pytest.fixture
def stubs(var: Path) -> Path:
    """A folder of commands that hide the real ones."""
    folder = var / "stubs"
    folder.mkdir()
    return folder


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_it_works(home: Path):
    port = free_port()
    started = Started(home, port)
    try:
        assert f"http://127.0.0.1:{port}/" in started.said
        wait_until_all_is_well(f"http://127.0.0.1:{port}/healthz")
        services = "\n".join(processes_of(home))
        for service in ("gunicorn", "beat", "default@", "gpu@", "redis-server", "postgres"):
            assert service in services
        status, said = run(sys.executable, ROOT / "manage.py", "check", "--database", "default", var=home)
        assert (status, said) == (0, "System check identified no issues (0 silenced).\n")
        status, said = run(ROOT / "bin/run", var=home, PORT=str(free_port()))
        assert status == 1
        assert f"already running from {home}/var: http://127.0.0.1:{port}/" in said
    finally:
        status = started.stop(signal.SIGTERM)
    assert status == 143, started.said
    assert processes_of(home) == []

    again = Started(home, port)
    assert again.stop(signal.SIGINT) == 130
    assert processes_of(home) == []
    # What takes long is not done twice. It takes 2 s on two cores; a shared machine promises none.
    for once in ("installing", "making the database", "bringing the database up to date", "collecting"):
        assert once not in again.said
    other = "app = app || 'x' WHERE app LIKE 'sessions%'"
    status, said = shell(
        'ask() { psql -h $SOCKETS -U app tektite -qc "$1"; }; '
        "start_postgres; cat $VAR/migrations.stamp; migrations_stamp; "
        f'ask "UPDATE django_migrations SET {other}"; migrations_stamp; '
        "ask \"UPDATE django_migrations SET app = 'sessions' WHERE app LIKE 'sessions%'\"; "
        "stop_postgres; remove_sockets",
        home,
    )
    kept, now, after = said.splitlines()
    assert (status, kept) == (0, now) and after != now, "what another database has had is seen"


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_service_that_ends_by_itself_ends_everything_and_is_named(home: Path):
    started = Started(home, free_port())
    beat = next(line.split(":")[0] for line in processes_of(home) if " beat " in line)
    os.kill(int(beat), signal.SIGKILL)
    assert started.end() == 1
    assert "beat ended by itself" in started.said
    assert processes_of(home) == []


def test_a_port_that_is_taken_is_named(var: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, said = run(ROOT / "bin/run", var=var, PORT=str(port))
    assert status == 1
    assert said == (
        f"tektite: port {port} of 127.0.0.1 is taken or not allowed: "
        "free it, or choose another with PORT=8001 bin/run.\n"
    )


def test_a_full_disk_is_named(var: Path, stubs: Path):
    stub(stubs, "df", "printf 'Filesystem 1M-blocks Used Available\\n/dev/x 9 9 12 1%% /\\n'")
    status, said = run(ROOT / "bin/run", var=var, PORT=str(free_port()), PATH=f"{stubs}:{os.environ['PATH']}")
    assert status == 1
    assert said.startswith("tektite: Running needs 1000 MB and only 12 MB are free on the disk of ")


def test_a_socket_path_that_is_too_long_is_named(var: Path):
    status, said = shell("check_socket_length", var, TEKTITE_SOCKETS="/tmp/" + "long" * 25)
    assert status == 1
    assert "has 119 bytes and the system allows 107: set TEKTITE_SOCKETS to a short folder" in said


def test_somebody_elses_socket_folder_is_refused(var: Path):
    mine = pwd.getpwuid(os.geteuid()).pw_name
    (var / "sockets").mkdir()
    status, said = shell("make_sockets nobody", var, TEKTITE_SOCKETS=str(var / "sockets"))
    assert status == 1
    assert f"belongs to {mine} and not to nobody" in said


def test_an_old_python_is_named(var: Path, stubs: Path):
    stub(stubs, "old-python", '[[ $1 == -V ]] && echo "Python 3.9.2" || exit 1')
    status, said = shell("check_python", var, PYTHON=str(stubs / "old-python"))
    assert status == 1
    assert "Python 3.11 or newer is needed" in said and "is Python 3.9.2" in said


def test_a_machine_without_apt_is_told_what_to_install(var: Path, stubs: Path):
    for command in ("bash", "dirname", "sha256sum", "cut", "sort"):
        (stubs / command).symlink_to(shutil.which(command))
    status, said = shell("install_packages run", var, PATH=str(stubs), DATABASE_URL="x", REDIS_URL="x")
    assert status == 1
    assert "only apt-get is known here: python3-venv nodejs npm." in said


def test_a_machine_with_servers_of_its_own_needs_none_of_ours(var: Path):
    status, said = shell(
        "postgres_version() { :; }; missing_packages run", var, DATABASE_URL="x", REDIS_URL="x"
    )
    assert (status, said) == (0, "")


def test_absent_postgis_is_asked_for(var: Path):
    status, said = shell("postgres_version() { :; }; missing_packages run", var)
    assert status == 0
    assert "postgis" in said


@needs_root
def test_without_root_and_sudo_the_remedy_is_a_command(var: Path, stubs: Path):
    shutil.copytree(ROOT / "bin", var / "bin")
    for command in ("bash", "dirname", "id"):
        (stubs / command).symlink_to(shutil.which(command))
    script = f". {var}/bin/lib/common.sh; as_root 'apt-get install npm'"
    status, said = run(shutil.which("bash"), "-c", f"PATH={stubs}; {script}", var=var, user="nobody")
    assert status == 1
    assert said == ("tektite: root is needed and there is no sudo here. As root run: apt-get install npm\n")


@needs_root
def test_a_folder_that_cannot_be_written_is_named(var: Path):
    shutil.copytree(ROOT / "bin", var / "bin")
    status, said = run("bash", "-c", f". {var}/bin/lib/common.sh; make_var", var=var, user="nobody")
    assert status == 1
    assert "cannot be written by nobody: start as its owner" in said


@needs_root
def test_a_folder_that_postgres_cannot_enter_keeps_the_database_elsewhere(var: Path):
    (var / "var").mkdir()
    var.chmod(0o700)
    status, said = shell("locate_cluster; echo $PG_HOME", var)
    assert status == 0
    assert f"the user postgres cannot enter {var}/var, so the database is in /var/lib/tektite/" in said


def test_a_database_of_another_user_is_refused(var: Path):
    (var / "var/postgres").mkdir(parents=True)
    status, said = shell("id() { echo somebody; }; PG_AS=(); EUID_IS=1; locate_cluster", var)
    assert status == 1
    assert "belongs to" in said and "start as the user of the first start" in said


def put_wheel(index: Path, name: str, version: str) -> None:
    """A package without content, and its page in an index of packages."""
    page = index / name
    page.mkdir(parents=True)
    wheel = f"{name}-{version}-py3-none-any.whl"
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(page / wheel, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "")
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    (page / "index.html").write_text(f'<a href="{wheel}">{wheel}</a>')


@pytest.mark.slow
def test_torch_comes_from_the_index_that_was_named(var: Path):
    """Both of the pair, before everything else, so that the ordinary index is not asked for them."""
    pins = dict(re.findall(r"^(torch(?:vision)?)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.M))
    for name, version in pins.items():
        put_wheel(var / "index", name, version)
    shutil.copytree(ROOT / "bin", var / "bin")
    (var / "requirements.txt").write_text("".join(f"{name}=={pins[name]}\n" for name in pins))
    script = f". {var}/bin/lib/common.sh; . {var}/bin/lib/install.sh; require_disk() {{ :; }}; make_var; "
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": ""}
    chosen = {"TORCH_INDEX_URL": f"file://{var}/index", **nowhere}
    status, said = run("bash", "-c", script + "install_python run", var=var, timeout_s=300, **chosen)
    assert status == 0, said
    assert set(pins) == {"torch", "torchvision"}
    there = {path.name for path in var.glob(".venv/lib/*/site-packages/torch*-*.dist-info")}
    assert there == {f"{name}-{version}.dist-info" for name, version in pins.items()}
    status, said = run("bash", "-c", script + "install_python run", var=var, **chosen)
    assert (status, said) == (0, ""), "nothing is done twice"
