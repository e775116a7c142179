"""The disaster drill: a site at work is backed up, and an empty machine takes its place."""

import hashlib
import signal
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from annotate.models import Mark
from annotate.services.signatures import sign_layer
from mlcore.bodies import BODY_SPHERE_SRID
from tests.data import living_site
from tests.webapp.starting import ROOT, Started, free_port, run, shell, short_folder, wait_until_all_is_well
from webapp.backups import making, postgres

pytestmark = pytest.mark.django_db(transaction=True)
Rows = dict[str, list[str]]


def rows_of(cursor: object) -> Rows:
    """Every row of every table as PostgreSQL writes it, geometries to the last bit."""
    tables = [table for (table,) in cursor.execute(postgres.TABLES).fetchall()]
    found = {
        table: [row for (row,) in cursor.execute(f"SELECT t::text FROM {table} t").fetchall()]
        for table in tables
    }
    sphere = f"SELECT t::text FROM spatial_ref_sys t WHERE srid = {BODY_SPHERE_SRID}"
    found["sphere"] = [row for (row,) in cursor.execute(sphere).fetchall()]
    # Conditions come back with the same meaning and other parentheses.
    indexes = "SELECT split_part(indexdef, ' WHERE ', 1) FROM pg_indexes WHERE schemaname = 'public'"
    found["indexes"] = [row for (row,) in cursor.execute(indexes).fetchall()]
    return {table: sorted(rows) for table, rows in found.items()}


def record_snapshot(monkeypatch: pytest.MonkeyPatch, then: Callable[[], None]) -> list[Rows]:
    """Have every row of the backup's own snapshot read by another connection; `then` happens after it."""
    recorded: list[Rows] = []
    dump = postgres.dump

    def dump_and_record(snapshot: str, target: Path) -> int:
        with psycopg.connect(**parameters_of(connection)) as witness:
            witness.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            witness.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            recorded.append(rows_of(witness))
        version = dump(snapshot, target)
        then()
        return version

    monkeypatch.setattr(postgres, "dump", dump_and_record)
    return recorded


def parameters_of(of: object) -> dict[str, object]:
    known = ("dbname", "user", "password", "host", "port")
    return {name: value for name, value in of.get_connection_params().items() if name in known}


class Writers:
    """People who go on drawing and a run that goes on logging, until they are told to stop."""

    def __init__(self, site: living_site.LivingSite, log: Path) -> None:
        self.acknowledged: list[object] = []
        self.errors: list[BaseException] = []
        self._stop, self._more = threading.Event(), threading.Condition()
        visit = living_site.take_tile(site)
        self._threads = [
            threading.Thread(target=self._work, args=[lambda n, k=k: self._draw(visit, 2 * n + k)])
            for k in range(2)
        ]
        self._threads.append(threading.Thread(target=self._work, args=[lambda n: self._log(log, n)]))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            self.wait_for_more(20)
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()
        assert self.errors == []

    def wait_for_more(self, n: int) -> None:
        with self._more:
            wanted = len(self.acknowledged) + n
            assert self._more.wait_for(lambda: len(self.acknowledged) >= wanted or self.errors, timeout=120)

    def _work(self, act: Callable[[int], None]) -> None:
        try:
            for number in range(5_000):
                if self._stop.wait(0.02):
                    return
                act(number)
        except BaseException as error:
            self.errors.append(error)
        finally:
            connection.close()

    def _draw(self, visit: object, number: int) -> None:
        mark = living_site.draw(visit, number)
        with self._more:
            self.acknowledged.append(mark.uid)
            self._more.notify_all()

    def _log(self, log: Path, number: int) -> None:
        with log.open("a") as lines:
            lines.write(f"step {number}\n")


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.timeout(600)
def test_it_works(tmp_path: Path, settings: Settings, media: Path, monkeypatch: pytest.MonkeyPatch):
    """Back up a site at work, restore it on an empty machine, compare everything, go on there."""
    settings.BACKUP_STAMP = str(tmp_path / "last-backup.json")
    backups = tmp_path / "backups"
    site = living_site.build(tmp_path)
    (log,) = media.glob("runs/*/1/log.txt")
    writers = Writers(site, log)
    with writers.at_work():
        begun = list(writers.acknowledged)
        recorded = record_snapshot(monkeypatch, then=lambda: writers.wait_for_more(10))
        made = making.make(backups)
    (rows,) = recorded
    uids_in = "\n".join(rows["public.annotate_mark"])
    assert len(begun) >= 20 and all(str(uid) in uids_in for uid in begun)
    assert Mark.objects.count() >= len(rows["public.annotate_mark"]) + 10
    holds_work_of_every_kind(rows)
    tile = tile_of(site)
    expected = Client().get(tile).content

    with short_folder() as machine:
        key = {"SECRET_KEY": settings.SECRET_KEY}
        status, said = run(ROOT / "bin/restore", backups, var=machine, timeout_s=300, **key)
        assert status == 0, said
        assert f"as they were at {made.manifest.made_at}" in said
        files_are_those_of(made, media, machine / "var/media", growing=log)
        try:
            restored = rows_on(machine)
            assert restored.keys() == rows.keys()
            for table in rows:
                assert restored[table] == rows[table], table
            answers_as_before(machine, site, tile, expected, key)
        finally:
            shell("locate_cluster; stop_postgres; remove_sockets", machine)


def holds_work_of_every_kind(rows: Rows) -> None:
    empty = {table.removeprefix("public.") for table, found in rows.items() if not found}
    first_loop = """annotate_user annotate_participant annotate_membership annotate_skill annotate_basemap
    annotate_campaign annotate_campaignbasemap annotate_viewpreference annotate_tile annotate_visit
    annotate_mark annotate_markrevision annotate_catalogue annotate_feature annotate_feature_marks
    review_workflow review_subject review_classification review_verdict review_dataset review_run
    review_runevent review_runwindow review_modelversion django_session"""
    foils = """review_picture review_frame review_scoreimport review_gold review_ruleversion review_judge
    review_showing review_retirement review_reckoning review_estimate review_confirmation review_auditstratum
    review_errand review_quarantine"""
    assert not empty & set((first_loop + " " + foils).split())


def files_are_those_of(made: making.Made, source: Path, restored: Path, growing: Path) -> None:
    """The same files with the same bytes; of a log that was being written, its beginning."""
    there = {path.relative_to(restored).as_posix() for path in restored.rglob("*") if path.is_file()}
    assert there == set(made.manifest.files)
    assert there == {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    for name in there:
        content = (restored / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == made.manifest.files[name].sha256
        original = (source / name).read_bytes()
        assert original.startswith(content) if source / name == growing else original == content


def rows_on(machine: Path) -> Rows:
    """What is in the restored database, which stays up for bin/run; its sequences go on after the rows."""
    status, said = shell("start_postgres; echo $SOCKETS", machine)
    assert status == 0, said
    with psycopg.connect(host=said.split()[-1], user="app", dbname="tektite") as restored:
        counters = restored.execute(
            "SELECT c.relname, pg_get_serial_sequence(c.oid::regclass::text, 'id') FROM pg_class c "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id' AND a.attidentity <> ''"
        ).fetchall()
        for table, sequence in counters:
            (last,) = restored.execute(f"SELECT last_value FROM {sequence}").fetchone()
            assert last >= restored.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]
        assert len(counters) > 20
        return rows_of(restored)


def tile_of(site: living_site.LivingSite) -> str:
    layer, campaign = site.elevation.uid, site.campaign.uid
    address = reverse("annotate:map_tile", args=[layer, campaign, 0, 0, 0])
    return f"{address}?low=2&high=98&gamma=1&invert=0&s={sign_layer(layer, campaign)}"


def answers_as_before(
    machine: Path, site: living_site.LivingSite, tile: str, expected: bytes, key: dict[str, str]
) -> None:
    """bin/run on the restored machine: health, a map tile, and the label page for whom was signed in."""
    port = free_port()
    started = Started(machine, port, **key)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_all_is_well(f"{address}/healthz")
        with urllib.request.urlopen(address + tile) as answer:
            assert answer.headers["Content-Type"].startswith("image/") and answer.read() == expected
        page = urllib.request.Request(address + reverse("annotate:label", args=[site.campaign.uid]))
        page.add_header("Cookie", f"sessionid={site.session}")
        with urllib.request.urlopen(page) as answer:
            text = answer.read().decode()
        assert "Living campaign" in text and str(site.elevation.uid) in text
        assert "This site was restored" in (machine / "var/sign-ins.txt").read_text()

        status, said = run(ROOT / "bin/restore", machine, var=machine)
        assert (status, said) == (
            1,
            f"tektite: Tektite is running from {machine}/var: stop it there with Ctrl-C first.\n",
        )
        status, said = run(ROOT / "bin/backup", var=machine)
        assert status == 0, said
        assert "rows" in said and (machine / "var/last-backup.json").exists()
    finally:
        status = started.stop(signal.SIGTERM)
    assert status == 143, started.said
