"""The first loop's database and files become today's: nothing that people gave is lost, the pages work."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.conf import global_settings
from django.contrib.admin import site
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client, override_settings
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from annotate.models import Basemap, Campaign, Catalogue, Mark, User, Visit
from annotate.services import consensus
from review.models import ModelVersion, Run
from review.services import frozen, versions
from tests.annotate.builders import place
from tests.data import first_loop
from webapp.backups import making, manifest, postgres, restoring

# What people and runs have given, and no migration may change: table → columns.
GIVEN = {
    "annotate_user": "id, uid, username, password, is_staff",
    "annotate_participant": "id, uid, user_id, pseudonym",
    "annotate_membership": "id, campaign_id, user_id, role",
    "annotate_skill": "id, participant_id, campaign_id, n_found, n_missed, n_alone",
    "annotate_basemap": "id, uid, name, body, kind, derived_from_id, source_path, cog_path, footprint",
    "annotate_campaign": "id, uid, name, body, region, redundancy, tile_size_px",
    "annotate_campaignbasemap": "id, campaign_id, basemap_id, position",
    "annotate_viewpreference": "id, campaign_id, participant_id",
    "annotate_tile": "id, uid, campaign_id, number, x_px, y_px, outline, settled_at",
    "annotate_visit": "id, uid, tile_id, participant_id, submitted_at",
    "annotate_mark": "id, uid, visit_id, lon, lat, diameter_m, geom, version, deleted_at",
    "annotate_markrevision": "id, mark_id, version, action, state, by_id",
    "annotate_catalogue": "id, uid, name, version, body, origin, campaign_id, source",
    "annotate_feature": "id, uid, catalogue_id, lon, lat, diameter_m, geom, status, score, same_as_id",
    "annotate_feature_marks": "feature_id, mark_id",
    "review_workflow": "id, uid, campaign_id, policy",
    "review_subject": "id, uid, workflow_id, feature_id, n_answers",
    "review_classification": "id, uid, subject_id, participant_id, answer, as_reviewer",
    "review_verdict": "id, uid, subject_id, answer, feature_id",
    "review_dataset": "id, uid, campaign_id, sha256, path",
    "review_run": "id, uid, campaign_id, number, verb, attempt, dataset_id, model_version_id",
    "review_runevent": "id, run_id, attempt, kind, payload",
    "review_runwindow": "id, run_id, index",
    "review_modelversion": "id, uid, run_id, number, path, is_current, card",
}
Upgraded = SimpleNamespace


def given() -> dict[str, list[str]]:
    """The rows of GIVEN as PostgreSQL writes them."""
    with connection.cursor() as cursor:
        found = {}
        for table, columns in GIVEN.items():
            quoted = ", ".join(f'"{column}"' for column in columns.split(", "))
            cursor.execute(f"SELECT ROW({quoted})::text FROM {table} ORDER BY 1")
            found[table] = [row for (row,) in cursor.fetchall()]
    return found


@pytest.fixture(scope="module")
def upgraded(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """The first loop's site, backed up by today's code and restored; what it had, and where it is now."""
    folder = tmp_path_factory.mktemp("upgrade")
    stamp, name = str(folder / "stamp"), f"{connection.settings_dict['NAME']}_first_loop"
    (folder / "then").mkdir()
    with django_db_blocker.unblock():
        connection.close()
        postgres.create(name)
        postgres.create(f"{name}_now")
        try:
            with override_settings(MEDIA_ROOT=str(folder / "then"), BACKUP_STAMP=stamp), postgres.at(name):
                first_loop.make(folder / "then")
                before = given()
                made = making.make(folder / "backups")
            with override_settings(MEDIA_ROOT=str(folder / "now")), postgres.at(f"{name}_now"):
                restoring.restore(folder / "backups")
                yield Upgraded(before=before, made=made.manifest, media=folder / "now")
        finally:
            postgres.drop(name)
            postgres.drop(f"{name}_now")
            connection.close()


@pytest.mark.slow
def test_it_works(upgraded: Upgraded):
    """Every row and file of every kind is there, and the tables are today's."""
    assert all(upgraded.before.values()), "the first loop had rows of every kind"
    assert upgraded.made.migrations["annotate"] == ["0001_initial", "0002_geography_indexes"]
    after = given()
    for table, rows in upgraded.before.items():
        assert after[table] == rows, table
    for name, entry in upgraded.made.files.items():
        assert manifest.hash_of(upgraded.media / name).sha256 == entry.sha256
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_what_the_database_promises_holds_for_the_old_rows(upgraded: Upgraded):
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        assert cursor.fetchall() == []
        cursor.execute("SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid")
        assert cursor.fetchall() == []
        cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%_geom_geography'")
        assert cursor.fetchone() == (2,)
    for model in (Basemap, Campaign, Mark, Visit, Run, ModelVersion):
        for row in model.objects.all():
            row.validate_constraints()


def test_the_pages_show_the_old_site(upgraded: Upgraded):
    campaign, run = Campaign.objects.get(), Run.objects.get(verb=Run.Verb.TRAIN)
    basemap, version = Basemap.objects.get(kind=Basemap.Kind.HILLSHADE), ModelVersion.objects.get()
    addresses = [
        reverse("review:home"),
        reverse("review:profile"),
        reverse("annotate:campaign_list"),
        *(
            reverse(f"annotate:{page}", args=[campaign.uid])
            for page in ("campaign", "campaign_settings", "campaign_members", "label")
        ),
        reverse("annotate:basemap_list"),
        reverse("annotate:basemap", args=[basemap.uid]),
        reverse("annotate:map_tile", args=[basemap.uid, campaign.uid, 0, 0, 0]),
        reverse("annotate:catalogue_list"),
        *(
            reverse(f"annotate:{page}", args=[catalogue.uid])
            for catalogue in Catalogue.objects.all()
            for page in ("catalogue", "catalogue_csv", "catalogue_geojson")
        ),
        reverse("review:review", args=[campaign.uid]),
        reverse("review:models", args=[campaign.uid]),
        reverse("review:run", args=[run.uid]),
        reverse("review:model_version", args=[version.uid]),
        *(
            reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
            for model in site._registry
        ),
    ]
    browser = Client()
    browser.force_login(User.objects.get(username="staff"))
    answers = {address: browser.get(address, follow=True) for address in addresses}
    assert {a: answer.status_code for a, answer in answers.items() if answer.status_code != 200} == {}
    for answer in answers.values():
        assert answer.content if not answer.streaming else b"".join(answer.streaming_content)


def test_people_have_their_passwords_and_work_goes_on(upgraded: Upgraded):
    """The old tables take new work: a tile handed out, a mark, a submission, and settling."""
    browser, annotator = Client(), User.objects.get(username="annotator")
    with override_settings(PASSWORD_HASHERS=global_settings.PASSWORD_HASHERS):
        assert annotator.check_password(first_loop.PASSWORD)
    browser.force_login(annotator)
    campaign = Campaign.objects.get()
    handed = browser.post(reverse("annotate:api_tile_next", args=[campaign.uid]))
    assert handed.status_code == 200, handed.content
    visit = Visit.objects.get(participant__user__username="annotator", state=Visit.State.LEASED)
    lon, lat = place(campaign, visit.tile.x_px + 64, visit.tile.y_px + 64)
    before = Mark.objects.count()
    drawn = browser.post(
        reverse("annotate:api_marks", args=[visit.uid]),
        {"uid": "0e7c1f0a-6d0e-4a53-9d9b-0b6a5f6f2c12", "lon": lon, "lat": lat, "diameter_m": 4000.0},
        content_type="application/json",
    )
    assert drawn.status_code in (200, 201), drawn.content
    assert Mark.objects.count() == before + 1
    tile = campaign.tiles.get(number=1)
    consensus.unsettle_tile(tile)
    consensus.settle_tile(tile)
    settled = Catalogue.objects.get(origin=Catalogue.Origin.CONSENSUS)
    assert settled.features.filter(tile=tile).exists()
    assert versions.artifact_of(ModelVersion.objects.get()).is_dir()
    assert frozen.folder_of(ModelVersion.objects.get().run.dataset).is_dir()
