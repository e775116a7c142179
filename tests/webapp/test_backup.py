"""Backups: what belongs together stays together, what is torn is named, what is there is never lost.

tests/webapp/test_drill.py backs up a site at work and restores it on an empty machine.
"""

import fcntl
import json
import os
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO, StringIO
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker, Settings

from annotate.models import Basemap, Participant, User
from annotate.services import upkeep
from annotate.services.campaigns import create_foil_campaign
from mlcore.errors import Conflict, InvalidInput
from review.models import PictureImport, Run
from review.services import runs
from tests.annotate.builders import make_campaign
from webapp import checks
from webapp.backups import checking, making, manifest, media, postgres, restoring

MakeBasemap = Callable[..., Basemap]
FILE = "basemaps/hills.tif"
# A dump sees only what is committed, so these rows are; verifying and restoring need none of them.
in_use = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def stamp(tmp_path: Path, settings: Settings) -> Path:
    """Where the last backup is noted, for the operator page."""
    settings.BACKUP_STAMP = str(tmp_path / "stamp/last-backup.json")
    return Path(settings.BACKUP_STAMP)


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def make_basemap(media: Path) -> MakeBasemap:
    """A row and the file that it names: make_basemap("hills")."""

    def make(content: str = "hills") -> Basemap:
        uid = uuid4()
        cog = f"basemaps/{uid}/basemap.tif"
        (media / cog).parent.mkdir(parents=True)
        (media / cog).write_text(content)
        return Basemap.objects.create(uid=uid, name=content, body="moon", cog_path=cog, state="ready")

    return make


@pytest.fixture
def basemap(make_basemap: MakeBasemap) -> Basemap:
    return make_basemap()


@pytest.fixture
def made(basemap: Basemap, backups: Path) -> making.Made:
    """A backup of a site with one file."""
    return making.make(backups)


@pytest.fixture(scope="module")
def first_backup(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A backup of a site with one file, made once for all tests that only read it."""
    folder = tmp_path_factory.mktemp("first")
    (folder / "media/basemaps").mkdir(parents=True)
    (folder / "media" / FILE).write_text("hills")
    settings = override_settings(MEDIA_ROOT=str(folder / "media"), BACKUP_STAMP=str(folder / "stamp"))
    with settings, django_db_blocker.unblock():
        row = Basemap.objects.create(name="hills", body="moon", cog_path=FILE, state="ready")
        made = making.make(folder / "backups")
        row.delete()
        connection.close()
    return made.folder


@pytest.fixture
def backup(first_backup: Path, backups: Path) -> Path:
    """A copy of it, to be damaged."""
    return shutil.copytree(first_backup, backups / first_backup.name)


@pytest.fixture
def elsewhere(
    settings: Settings, tmp_path: Path, django_db_setup: None, django_db_blocker: DjangoDbBlocker
) -> Iterator[Path]:
    """An empty database and an empty MEDIA_ROOT take the site's place; yields the folder."""
    settings.MEDIA_ROOT = str(tmp_path / "elsewhere")
    with django_db_blocker.unblock(), scratch_database() as name, postgres.at(name):
        yield Path(settings.MEDIA_ROOT)
    with django_db_blocker.unblock():
        connection.close()


@pytest.fixture
def occupied(elsewhere: Path) -> Callable[[], None]:
    """Somebody's table and file are there; the function asserts that they still are, and nothing else."""
    elsewhere.mkdir()
    (elsewhere / "theirs.txt").write_text("theirs")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE theirs AS SELECT 42 AS answer")
    name = connection.settings_dict["NAME"]

    def is_as_before() -> None:
        assert [path.name for path in elsewhere.iterdir()] == ["theirs.txt"]
        assert postgres.rows_of_tables() == {"public.theirs": 1}
        assert databases_like(name) == [name]

    return is_as_before


@contextmanager
def scratch_database() -> Iterator[str]:
    """An empty database beside the test's; it goes at the end, with all that was put aside of it."""
    name = f"{connection.settings_dict['NAME']}_elsewhere"
    postgres.create(name)
    try:
        yield name
    finally:
        for found in databases_like(name):
            postgres.drop(found)


def databases_like(name: str) -> list[str]:
    with postgres.at("postgres"), connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name])
        return sorted(found for (found,) in cursor.fetchall())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def in_backup(made: making.Made, basemap: Basemap) -> Path:
    return made.folder / manifest.MEDIA / basemap.cog_path


# -- Making ------------------------------------------------------------------------------------


@in_use
def test_a_backup_says_what_it_holds_and_is_for_its_owner_alone(
    made: making.Made, basemap: Basemap, backups: Path, stamp: Path
):
    said = manifest.read(made.folder)
    assert said.rows["public.annotate_basemap"] == 1 and said.rows["public.annotate_mark"] == 0
    assert said.migrations["annotate"][0] == "0001_initial"
    assert said.files[basemap.cog_path].sha256 == manifest.hash_of(in_backup(made, basemap)).sha256
    assert (said.version, len(said.commit)) == (making.version(), 40)
    assert said.lost == []
    assert [path.name for path in backups.iterdir() if path.name != ".lock"] == [made.folder.name]
    assert mode(backups) == mode(made.folder) == mode(made.folder / manifest.MEDIA) == 0o700
    assert mode(made.folder / manifest.DUMP) == mode(in_backup(made, basemap)) == 0o600
    assert json.loads(stamp.read_text()) == {
        "at": said.made_at,
        "path": str(made.folder),
        "bytes": said.size,
    }
    assert checking.verify(made.folder) == said


@in_use
def test_the_next_backup_shares_what_has_not_changed_and_copies_what_has(
    made: making.Made, basemap: Basemap, make_basemap: MakeBasemap, backups: Path, media: Path
):
    changed = make_basemap("valley")
    second = making.make(backups)
    (media / changed.cog_path).write_text("ridges")
    third = making.make(backups)
    assert in_backup(made, basemap).samefile(in_backup(third, basemap))
    assert in_backup(second, changed).read_text() == "valley"
    assert in_backup(third, changed).read_text() == "ridges"
    assert third.linked_bytes == len("hills")


@in_use
def test_so_many_are_kept_and_each_of_them_is_whole(made: making.Made, basemap: Basemap, backups: Path):
    second = making.make(backups, keep=2)
    third = making.make(backups, keep=2)
    assert third.pruned == [made.folder]
    assert manifest.finished(backups) == [second.folder, third.folder]
    for folder in manifest.finished(backups):
        checking.verify(folder)


@in_use
def test_a_file_that_has_rotted_in_the_backup_before_is_copied_anew(
    made: making.Made, basemap: Basemap, backups: Path
):
    in_backup(made, basemap).write_text("h!lls")
    second = making.make(backups, reread_days=1)
    assert second.rotten == [basemap.cog_path]
    assert in_backup(second, basemap).read_text() == "hills"


@in_use
def test_nothing_is_shared_with_a_backup_whose_manifest_is_torn(
    made: making.Made, basemap: Basemap, backups: Path
):
    (made.folder / manifest.NAME).write_text("{")
    second = making.make(backups)
    assert (second.rotten, second.linked_bytes) == ([manifest.NAME], 0)
    assert in_backup(second, basemap).read_text() == "hills"
    checking.verify(second.folder)


@in_use
def test_a_disk_without_hard_links_gets_copies(
    made: making.Made, basemap: Basemap, backups: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(*paths: Path) -> None:
        raise PermissionError("Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    second = making.make(backups)
    assert in_backup(second, basemap).read_text() == "hills"
    assert not in_backup(second, basemap).samefile(in_backup(made, basemap))


@in_use
def test_half_done_work_and_attempts_after_the_snapshot_stay_out(media: Path, backups: Path):
    run = Run.objects.create(campaign=make_campaign(), number=1, system="crater_detector", verb="train")
    claimed = runs.claim(run.pk, "a worker")
    uid = run.uid
    paths = [
        f"runs/{uid}/1/log.txt",
        f"runs/{uid}/2/log.txt",
        f"runs/{uuid4()}/1/log.txt",
        f"runs/{uid}/1/artifact.half-done/card.json",
        "basemaps/x/.cog-abc/0.tif",
        ".before-20260101/basemaps/y",
        "exports/z/table.csv",
    ]
    for path in paths:
        (media / path).parent.mkdir(parents=True, exist_ok=True)
        (media / path).write_text("x")
    assert claimed.attempt == 1
    assert set(making.make(backups).manifest.files) == {f"runs/{uid}/1/log.txt", "exports/z/table.csv"}


@in_use
def test_what_is_deleted_during_the_backup_makes_it_begin_again(
    basemap: Basemap,
    make_basemap: MakeBasemap,
    staff: User,
    backups: Path,
    media: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    doomed, said = make_basemap("doomed"), []
    after_the_dump(
        monkeypatch,
        lambda: [upkeep.delete_basemap(b, asked_by=staff) for b in Basemap.objects.filter(pk=doomed.pk)],
    )
    made = making.make(backups, say=said.append)
    assert any(doomed.cog_path in line and "once more" in line for line in said)
    assert not (media / doomed.cog_path).exists()
    assert made.manifest.rows["public.annotate_basemap"] == 1
    assert list(made.manifest.files) == [basemap.cog_path]
    assert made.manifest.lost == []
    checking.verify(made.folder)


@in_use
def test_files_that_go_in_every_try_end_it_and_leave_nothing(
    make_basemap: MakeBasemap, backups: Path, media: Path, monkeypatch: pytest.MonkeyPatch
):
    make_basemap()

    def replace_all() -> None:
        shutil.rmtree(media / "basemaps")
        Basemap.objects.all().delete()
        make_basemap()

    after_the_dump(monkeypatch, replace_all)
    with pytest.raises(Conflict, match=r"deleted in each of 4 tries, last basemaps/.*: stop what deletes"):
        making.make(backups)
    assert [path.name for path in backups.iterdir()] == [".lock"]


def after_the_dump(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Something happens once the snapshot is taken and before files are copied."""
    dump = making._dump

    def dump_and_act(target: Path) -> object:
        taken = dump(target)
        act()
        return taken

    monkeypatch.setattr(making, "_dump", dump_and_act)


@in_use
def test_what_was_lost_before_is_named_and_the_rest_is_kept(
    basemap: Basemap, make_basemap: MakeBasemap, backups: Path, media: Path
):
    lost = make_basemap("lost")
    (media / lost.cog_path).unlink()
    with pytest.raises(CommandError) as refusal:
        call_command("backup", backups, stdout=StringIO())
    assert f"{lost.cog_path} (annotate_basemap.cog_path of row {lost.pk})" in str(refusal.value)
    (folder,) = manifest.finished(backups)
    assert list(checking.verify(folder).files) == [basemap.cog_path]


@pytest.mark.django_db
def test_every_field_that_names_a_file_is_asked(basemap: Basemap):
    Basemap.objects.update(source_path="basemaps/source")
    asked = {(reference.table, reference.column) for reference in media.references()}
    assert asked == {("annotate_basemap", "cog_path"), ("annotate_basemap", "source_path")}
    named = {
        f"{model._meta.db_table}.{field.name}"
        for app in ("annotate", "review")
        for model in media._models(app)
        for field in model._meta.concrete_fields
        if media._names_a_file(field)
    }
    assert named >= {
        "annotate_basemap.source_path",
        "annotate_basemap.cog_path",
        "review_dataset.path",
        "review_modelversion.path",
        "review_frame.path",
        "review_frame.shown_path",
        "review_frame.thumbnail_path",
    }


@in_use
def test_pictures_of_foils_on_their_way_in_belong_to_a_backup(backups: Path, media: Path):
    campaign = create_foil_campaign(name="Foils", created_by=Participant.objects.create(pseudonym="p"))
    for path in ("files", "/data/sem"):
        PictureImport.objects.create(campaign=campaign, file_name="sem", path=path, is_ours=path[0] != "/")
    (media / "foil-imports").mkdir()
    (media / "foil-imports/a.tif").write_bytes(b"pixels")
    made = making.make(backups).manifest
    assert set(made.files) == {"foil-imports/a.tif"} and made.lost == []


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map("/".join)


@given(st.sets(NAMES), st.sets(NAMES))
def test_a_reference_is_met_by_a_file_or_by_a_folder_with_files(wanted: set[str], names: set[str]):
    references = {media.Reference(path, "t", "path", 1) for path in wanted}
    met = {path for path in wanted if any(f"{name}/".startswith(f"{path}/") for name in names)}
    assert {reference.path for reference in media.missing(references, names)} == wanted - met


def test_a_second_backup_at_the_same_time_is_refused(backups: Path):
    backups.mkdir()
    with (backups / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="is being made now: wait for its end"):
            making.make(backups)


@in_use
def test_what_an_ended_backup_left_is_removed(made: making.Made, backups: Path):
    left = made.folder.rename(made.folder.with_name(f"{made.folder.name}{manifest.UNFINISHED}"))
    assert manifest.finished(backups) == []
    making.make(backups)
    assert not left.exists()


@in_use
def test_a_full_disk_is_named_before_anything_is_written(
    basemap: Basemap, backups: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10_000_000))
    with pytest.raises(
        InvalidInput, match=r"The backup needs about 0\.\d\d GB and 0\.01 GB are free on the disk"
    ):
        making.make(backups)
    assert [path.name for path in backups.iterdir()] == [".lock"]


@in_use
def test_a_pg_dump_that_is_older_than_the_server_is_refused(
    basemap: Basemap, backups: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    old = tmp_path / "bin/pg_dump"
    old.write_text('#!/bin/sh\necho "pg_dump (PostgreSQL) 9.6.24"\n')
    old.chmod(0o755)
    monkeypatch.setattr(postgres, "DEBIAN", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(
        InvalidInput, match=r"pg_dump of PostgreSQL \d+ or later is needed, .* and here is 9 "
    ):
        making.make(backups)


def test_the_command_line_refuses_what_is_no_number():
    with pytest.raises(CommandError, match="“0” is no whole number of 1 or more"):
        call_command("backup", "--keep", "0")


# -- Verifying ---------------------------------------------------------------------------------


def test_verifying_says_what_is_whole(first_backup: Path):
    said = StringIO()
    call_command("backup", first_backup.parent, verify=True, stdout=said)
    made_at = manifest.read(first_backup).made_at
    assert f"{first_backup} is whole: 1 files and the database of {made_at}" in said.getvalue()


@pytest.mark.parametrize("damage", ["other bytes", "cut short", "gone"])
@pytest.mark.parametrize("name", [manifest.DUMP, f"{manifest.MEDIA}/{FILE}"])
def test_a_torn_file_is_named(backup: Path, name: str, damage: str):
    content = (backup / name).read_bytes()
    (backup / name).unlink()
    if damage != "gone":
        (backup / name).write_bytes(content[:-1] + (b"!" if damage == "other bytes" else b""))
    named = name.removeprefix(f"{manifest.MEDIA}/")
    with pytest.raises(CommandError, match=f"is torn: 1 of its files .*{named}"):
        call_command("backup", backup, verify=True)


def test_a_torn_manifest_is_named(backup: Path):
    path = backup / manifest.NAME
    path.write_text(path.read_text()[:-20])
    with pytest.raises(CommandError, match=r"manifest\.json is torn"):
        call_command("backup", backup, verify=True)


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "basemaps/../../evil"])
def test_a_manifest_whose_files_lead_outside_is_refused(backup: Path, name: str):
    change(backup, files={name: manifest.hash_of(backup / manifest.DUMP)})
    with pytest.raises(CommandError, match=f"is torn .*{name}. leads out of it"):
        call_command("backup", backup, verify=True)


def test_a_dump_that_pg_restore_cannot_read_is_refused(backup: Path):
    (backup / manifest.DUMP).write_bytes(b"no dump")
    change(backup, dump=manifest.hash_of(backup / manifest.DUMP))
    with pytest.raises(CommandError, match=r"pg_restore --list failed: .*archive"):
        call_command("backup", backup, verify=True)


def change(backup: Path, **facts: object) -> None:
    """Let the manifest say something else."""
    replace(manifest.read(backup), **facts).write(backup)


def test_a_folder_that_is_no_backup_is_refused(tmp_path: Path):
    with pytest.raises(CommandError, match=r"is no backup: it has no manifest\.json"):
        call_command("backup", tmp_path, verify=True)
    with pytest.raises(CommandError, match=r"is neither a folder nor a \.tar"):
        call_command("backup", tmp_path / "nothing", verify=True)


# -- Restoring ---------------------------------------------------------------------------------


def test_an_empty_place_is_filled_from_a_tar_too(first_backup: Path, tmp_path: Path, elsewhere: Path):
    with tarfile.open(tmp_path / "backup.tar", "w") as archive:
        archive.add(first_backup, first_backup.name)
    said = StringIO()
    call_command("restore", tmp_path / "backup.tar", stdout=said)
    assert f"1 files as they were at {manifest.read(first_backup).made_at}" in said.getvalue()
    assert Basemap.objects.get().cog_path == FILE
    assert (elsewhere / FILE).read_text() == "hills"
    assert [path.name for path in elsewhere.iterdir()] == ["basemaps"]


def test_what_is_there_is_put_aside_and_kept_when_told_so(
    first_backup: Path, elsewhere: Path, occupied: Callable[[], None]
):
    name = connection.settings_dict["NAME"]
    refusal = f"the database “{name}” has tables and “{elsewhere}” has files. With --replace it is put aside"
    with pytest.raises(CommandError, match=refusal):
        call_command("restore", first_backup)
    occupied()
    said = StringIO()
    call_command("restore", first_backup, replace=True, stdout=said)
    assert Basemap.objects.get().name == "hills"
    assert (elsewhere / FILE).read_text() == "hills"
    (aside,) = set(databases_like(name)) - {name}
    with postgres.at(aside):
        assert postgres.rows_of_tables() == {"public.theirs": 1}
    (before,) = elsewhere.glob(".before-*")
    assert (before / "theirs.txt").read_text() == "theirs"
    assert f"kept as “{aside}”" in said.getvalue() and f"kept in {before}" in said.getvalue()


@pytest.mark.parametrize("part", [f"{manifest.MEDIA}/{FILE}", manifest.DUMP, "rows"])
def test_a_torn_backup_changes_nothing(backup: Path, occupied: Callable[[], None], part: str):
    if part == "rows":
        said = manifest.read(backup)
        change(backup, rows={**said.rows, "public.annotate_mark": 7})
        named = "annotate_mark"
    else:
        (backup / part).write_bytes((backup / part).read_bytes()[:-1] + b"!")
        named = part.removeprefix(f"{manifest.MEDIA}/")
    with pytest.raises(InvalidInput, match=named):
        restoring.restore(backup, replace=True)
    occupied()


def test_a_backup_of_a_newer_tektite_is_refused(backup: Path, elsewhere: Path):
    change(backup, migrations={"annotate": ["0001_initial", "9999_from_the_future"]})
    with pytest.raises(InvalidInput, match="does not know its migration annotate 9999_from_the_future"):
        restoring.restore(backup)
    assert postgres.is_empty() and not elsewhere.exists()


def test_a_backup_in_a_newer_form_is_refused(backup: Path, elsewhere: Path):
    change(backup, format=2)
    with pytest.raises(InvalidInput, match="is a backup of form 2 and this Tektite reads form 1"):
        restoring.restore(backup)


def test_a_backup_of_a_newer_postgresql_is_refused(backup: Path, elsewhere: Path):
    change(backup, postgres=99)
    with pytest.raises(InvalidInput, match=r"is of PostgreSQL 99 and this server is version \d+"):
        restoring.restore(backup)


def test_a_server_without_postgis_is_refused(
    first_backup: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checks, "POSTGIS", "SELECT 1 WHERE false")
    with pytest.raises(InvalidInput, match=r"has no PostGIS 3\. Install it there"):
        restoring.restore(first_backup)


def test_a_disk_without_room_is_named(
    first_backup: Path, occupied: Callable[[], None], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(InvalidInput, match=r"Restoring .* needs about 0\.\d\d GB and 0\.00 GB are free"):
        restoring.restore(first_backup, replace=True)
    occupied()


def test_a_database_in_use_is_refused(first_backup: Path, occupied: Callable[[], None]):
    parameters = connection.get_connection_params()
    known = ("dbname", "user", "password", "host", "port")
    address = {name: parameters[name] for name in known if name in parameters}
    with (
        psycopg.connect(**address, application_name="a worker"),
        pytest.raises(Conflict, match=r"1 other programs are connected .* \(a worker\): stop web"),
    ):
        restoring.restore(first_backup, replace=True)
    occupied()


def test_a_role_that_may_not_make_databases_is_told_another_way(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
):
    name = f"{connection.settings_dict['NAME']}_role"
    with connection.cursor() as cursor:
        cursor.execute(f'CREATE ROLE "{name}" NOCREATEDB NOSUPERUSER')
    with monkeypatch.context() as patch:
        connection.close()
        options = connection.settings_dict["OPTIONS"]
        patch.setitem(connection.settings_dict, "OPTIONS", {**options, "options": f"-c role={name}"})
        with pytest.raises(Conflict, match=r"cannot make the database “never” \(permission denied"):
            postgres.create("never")
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute(f'DROP ROLE "{name}"')


def test_an_archive_that_points_outside_is_refused(tmp_path: Path, elsewhere: Path):
    with tarfile.open(tmp_path / "evil.tar", "w") as archive:
        entry = tarfile.TarInfo("../../evil")
        entry.size = 4
        archive.addfile(entry, BytesIO(b"evil"))
    with pytest.raises(InvalidInput, match="is torn or no archive of a backup"):
        restoring.restore(tmp_path / "evil.tar")
    assert not list(tmp_path.rglob("evil"))
