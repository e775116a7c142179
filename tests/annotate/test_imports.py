"""A crater list is looked through, shown, and imported when its owner says so: once, all of it or nothing."""

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotate.models import Catalogue, CatalogueImport, Feature, User
from annotate.services import bulk_features, catalogues, imports
from annotate.services.participants import participant_of
from annotate.tasks import tend_imports_task
from mlcore.errors import Conflict, InvalidInput
from tests.annotate.builders import at_once, make_campaign, wait_for_import

pytestmark = pytest.mark.django_db

ClientOf = Callable[[User | None], Client]
GOOD = "lon,lat,diam_km,name,source\n-39.97,-17.48,111.4,Gassendi,IAU\n-40.08,-15.55,32.1,Gassendi A,IAU\n"
BAD = "5,95,3,Too far north,IAU\n5,5,-1,<b>Negative</b>,IAU\nx,5,1,Text,IAU\n"
State = CatalogueImport.State


@pytest.fixture(autouse=True)
def files(media: Path) -> Path:
    return media


@pytest.fixture
def client(client_of: ClientOf, lead: User) -> Client:
    return client_of(lead)


def send(client: Client, text: str | bytes, filename: str = "craters.csv", **fields: object) -> object:
    content = text.encode() if isinstance(text, str) else text
    return client.post(
        reverse("annotate:catalogue_import"),
        {
            "file": SimpleUploadedFile(filename, content, "text/csv"),
            "body": "moon",
            "longitude": "detect",
            **fields,
        },
        follow=True,
    )


def step(client: Client, name: str, **fields: object) -> object:
    waiting = CatalogueImport.objects.get()
    return client.post(reverse(f"annotate:import_{name}", args=[waiting.uid]), fields, follow=True)


class TestPages:
    def test_it_works(self, client: Client) -> None:
        shown = send(client, GOOD)
        text = shown.content.decode()
        assert shown.redirect_chain[-1][0] == reverse(
            "annotate:import_preview", args=[CatalogueImport.objects.get().uid]
        )
        assert not Catalogue.objects.exists() and not Feature.objects.exists()
        for words in (
            "Nothing is imported yet",
            "32.10 km",
            "111 km",
            "diam_km",
            "UTF-8",
            "comma",
            "landmarks",
        ):
            assert words in text
        done = step(client, "confirm", on_bad_rows="skip")
        catalogue = Catalogue.objects.get()
        assert done.redirect_chain[-1][0] == reverse("annotate:catalogue", args=[catalogue.uid])
        assert (catalogue.name, catalogue.source, catalogue.features.count()) == ("craters", "IAU", 2)
        assert not imports.list_file(CatalogueImport.objects.get()).exists()

    def test_rows_to_be_left_out_are_listed_with_reason_and_hint(self, client: Client) -> None:
        text = send(client, GOOD + BAD).content.decode()
        for words in ("Line 4", "swapped", "Line 5", "Line 6", "not a number"):
            assert words in text
        assert "<b>Negative</b>" not in text
        step(client, "confirm", on_bad_rows="skip")
        assert Feature.objects.count() == 2

    def test_they_are_grouped_by_reason_and_paged(self, client: Client) -> None:
        send(client, GOOD + "1,95,3,,\n" * 50 + BAD)
        here = reverse("annotate:import_preview", args=[CatalogueImport.objects.get().uid])
        assert "Page 1 of 6" in client.get(here).content.decode()
        only = client.get(here, {"reason": "bad_diameter"}).content.decode()
        assert "Line 55" in only and "Line 54" not in only
        for nonsense in ({"reason": "<b>"}, {"page": "x"}, {"page": "99", "reason": "bad_lat"}):
            assert client.get(here, nonsense).status_code == 200

    def test_the_bad_rows_are_a_file_that_comes_in_when_mended(self, client: Client) -> None:
        send(client, GOOD + BAD)
        here = reverse("annotate:import_rejected", args=[CatalogueImport.objects.get().uid])
        answer = client.get(here)
        assert answer["Content-Disposition"] == 'attachment; filename="rejected_rows.csv"'
        content = answer.getvalue().decode()
        rows = list(csv.DictReader(io.StringIO(content, newline="")))
        assert [row["rejected_line"] for row in rows] == ["4", "5", "6"]
        assert rows[0]["lat"] == "95" and rows[0]["name"] == "Too far north"
        step(client, "discard")
        send(client, content.replace(",95,", ",9.5,").replace(",-1,", ",1,").replace(",x,", ",7,"))
        step(client, "confirm", on_bad_rows="stop")
        assert set(Feature.objects.values_list("name", flat=True)) == {"Too far north", "Negative", "Text"}

    def test_all_or_nothing(self, client: Client) -> None:
        send(client, GOOD + BAD)
        refused = step(client, "confirm", on_bad_rows="stop")
        assert refused.status_code == 422
        assert "nothing was imported. Line 4" in refused.content.decode()
        assert not Catalogue.objects.exists()

    def test_a_list_of_bad_rows_alone_offers_no_import(self, client: Client) -> None:
        text = send(client, "lon,lat,diam_km\n5,95,3\n5,5,-1\n").content.decode()
        assert "Nothing can be imported" in text and "Line 2" in text and "Line 3" in text
        assert reverse("annotate:import_confirm", args=[CatalogueImport.objects.get().uid]) not in text
        assert step(client, "confirm", on_bad_rows="skip").status_code == 422

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            ("", "it has no bytes"),
            ("name,age\nAda,36\n", "column"),
            ("lon,lat,diam_km\n", "no craters in it"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00", "not a text file"),
            (b"\xff\xfe\x00", ""),
            (
                "lon,lat,diam_km,source\n" + "".join(f"1,2,3,s{n}\n" for n in range(60)),
                "more than 50 sources",
            ),
        ],
    )
    def test_what_is_no_crater_list_is_refused_and_not_kept(
        self, client: Client, content: str | bytes, sentence: str, files: Path
    ) -> None:
        response = send(client, content)
        assert response.status_code == 422
        assert "errorlist" in response.content.decode()
        assert sentence in response.content.decode()
        assert not CatalogueImport.objects.exists()
        assert not [path for path in files.rglob("*") if path.is_file()]

    @pytest.mark.parametrize("filename", ["../../x.csv", "<script>.csv", "a\x00b.csv", ".csv", "a.php"])
    def test_files_lie_under_our_own_names(self, client: Client, filename: str, files: Path) -> None:
        text = send(client, GOOD, filename).content.decode()
        waiting = CatalogueImport.objects.get()
        assert "<script>.csv" not in text
        assert {path.name for path in files.rglob("*") if path.is_file()} == {"list", "rejected.csv"}
        assert imports.list_file(waiting).is_relative_to(files)
        step(client, "confirm", on_bad_rows="skip")
        assert not set(Catalogue.objects.get().name) & set("<>/\\\x00")

    def test_a_bad_name_is_refused_beside_its_field(self, client: Client) -> None:
        response = send(client, GOOD, name="a/b")
        assert response.status_code == 422
        assert "may not hold" in response.content.decode()

    def test_each_source_becomes_a_catalogue(self, client: Client) -> None:
        send(client, GOOD + "1,2,3,Other,Robbins\n")
        response = step(client, "confirm", on_bad_rows="skip")
        assert "2 catalogues are imported, one for each source." in response.content.decode()

    def test_anonymous_people_sign_in_first(self, client_of: ClientOf) -> None:
        assert client_of(None).get(reverse("annotate:catalogue_import")).status_code == 302


class TestLongitudes:
    MIRRORED = "lon,lat,diam_km\n161.28,-20.38,185\n-60.78,-25.39,184\n11.22,-43.3,85\n"

    def test_what_was_found_is_shown_with_its_reason(self, client: Client) -> None:
        tycho_and_others = "lon,lat,diam_km\n348.78,-43.3,85\n339.92,9.62,96\n60.78,-25.39,184\n"
        text = send(client, tycho_and_others).content.decode()
        assert "0 to 360, positive east" in text and "found out" in text and "Petavius" in text

    def test_an_assumption_is_called_one_and_another_choice_reads_again(self, client: Client) -> None:
        text = send(client, "lon,lat,diam_km\n10,2,3\n").content.decode()
        assert "assumed" in text and "Eastwards is assumed" in text
        text = step(client, "again", longitude="west180", body="moon").content.decode()
        assert "−180 to 180, positive west" in text and "chosen" in text
        step(client, "confirm", on_bad_rows="skip")
        assert Feature.objects.get().lon == -10.0

    def test_a_choice_that_mirrors_the_landmarks_is_put_in_doubt(self, client: Client) -> None:
        text = send(client, self.MIRRORED, longitude="east180").content.decode()
        assert "may be mirrored" in text and "Tycho" in text

    def test_a_list_that_misses_its_campaign_says_so(self, client: Client, lead: User) -> None:
        campaign = make_campaign(lead=lead)
        west, south, _east, _north = campaign.region.extent
        there = f"lon,lat,diam_km\n{west + 0.1},{south + 0.1},1\n"
        text = send(client, there, campaign=campaign.uid, longitude="west180").content.decode()
        assert "No crater of the list lies in the region" in text
        text = step(client, "again", longitude="east180", body="moon").content.decode()
        assert "No crater of the list lies in the region" not in text

    @pytest.mark.parametrize("fields", [{}, {"longitude": "up", "body": "moon"}, {"longitude": "east180"}])
    def test_nonsense_changes_nothing(self, client: Client, fields: dict[str, str]) -> None:
        send(client, GOOD)
        text = step(client, "again", **fields).content.decode()
        assert "Choose a body and a way of counting" in text
        assert CatalogueImport.objects.get().longitude == "detect"


class TestWhose:
    def test_only_its_owner_sees_a_waiting_list(
        self, client: Client, client_of: ClientOf, staff: User
    ) -> None:
        send(client, GOOD)
        uid = CatalogueImport.objects.get().uid
        other = client_of(staff)
        for name in ("preview", "status", "rejected"):
            assert other.get(reverse(f"annotate:import_{name}", args=[uid])).status_code == 404
        for name in ("again", "confirm", "discard"):
            assert other.post(reverse(f"annotate:import_{name}", args=[uid])).status_code == 404
        assert CatalogueImport.objects.get().state == State.READY

    def test_only_leads_add_to_a_campaign(
        self, client: Client, client_of: ClientOf, stranger: User, lead: User
    ) -> None:
        campaign = make_campaign(lead=lead)
        assert send(client_of(stranger), GOOD, campaign=campaign.uid).status_code == 422
        send(client, GOOD, campaign=campaign.uid)
        step(client, "confirm", on_bad_rows="skip")
        assert Catalogue.objects.get().campaign == campaign

    def test_who_is_lead_no_longer_imports_no_longer(self, client: Client, lead: User) -> None:
        campaign = make_campaign(lead=lead)
        send(client, GOOD, campaign=campaign.uid)
        campaign.memberships.all().delete()
        assert step(client, "confirm", on_bad_rows="skip").status_code == 404
        assert not Catalogue.objects.exists()

    def test_nobody_fills_the_disk_with_waiting_lists(self, client: Client) -> None:
        for _time in range(imports.MAX_WAITING):
            send(client, GOOD)
        response = send(client, GOOD)
        assert response.status_code == 422
        assert "Import or discard one of them first" in response.content.decode()


class TestOnce:
    def test_a_double_click_imports_once(self, client: Client) -> None:
        send(client, GOOD)
        for _click in range(3):
            step(client, "confirm", on_bad_rows="skip")
        assert Catalogue.objects.count() == 1 and Feature.objects.count() == 2

    @pytest.mark.django_db(transaction=True)
    def test_so_do_clicks_and_tasks_at_the_same_moment(self, lead: User) -> None:
        waiting = wait_for_import(participant_of(lead))

        begun = []

        def click() -> None:
            mine = CatalogueImport.objects.get(pk=waiting.pk)
            begun.append(imports.confirm(mine, on_bad_rows="skip"))
            imports.import_list(waiting.pk)

        assert at_once([click] * 4) == []
        assert sorted(begun) == [False, False, False, True]
        assert Catalogue.objects.count() == 1 and Feature.objects.count() == 1

    def test_the_same_file_again_is_told(self, client: Client) -> None:
        send(client, GOOD)
        step(client, "confirm", on_bad_rows="skip")
        CatalogueImport.objects.all().delete()
        text = send(client, GOOD, "renamed.csv").content.decode()
        assert "This very file was imported before" in text and "craters v1" in text

    def test_a_list_that_is_imported_cannot_be_read_again_or_discarded(self, client: Client) -> None:
        send(client, GOOD)
        step(client, "confirm", on_bad_rows="skip")
        assert step(client, "again", longitude="west180", body="moon").status_code == 409
        assert step(client, "discard").status_code == 409
        assert Catalogue.objects.count() == 1

    def test_a_broken_import_stores_nothing_and_can_be_tried_again(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send(client, GOOD)
        with monkeypatch.context() as broken:
            broken.setattr(bulk_features.geodesy, "rim_polygons", lambda *_: 1 / 0)
            text = step(client, "confirm", on_bad_rows="skip").content.decode()
        assert "ZeroDivisionError" in text
        assert not Catalogue.objects.exists()
        step(client, "confirm", on_bad_rows="skip")
        assert Feature.objects.count() == 2

    def test_a_file_that_changed_is_not_imported(self, lead: User) -> None:
        waiting = wait_for_import(participant_of(lead))
        imports.list_file(waiting).write_text("lon,lat,diam_km\n1,2,3\n4,5,6\n")
        imports.confirm(waiting, on_bad_rows="skip")
        imports.import_list(waiting.pk)
        waiting.refresh_from_db()
        assert (waiting.state, Catalogue.objects.count()) == (State.READY, 0)
        assert "gave 2 craters, and 1 when it was looked through" in waiting.error


class TestLarge:
    """Lists that take long are worked on by a worker, which tests have on the spot."""

    @pytest.fixture(autouse=True)
    def nothing_is_small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(imports, "SMALL_BYTES", 0)
        monkeypatch.setattr(imports, "SMALL_ROWS", 0)

    def test_it_works(self, client: Client, django_capture_on_commit_callbacks: Callable) -> None:
        with django_capture_on_commit_callbacks():
            text = send(client, GOOD + BAD).content.decode()
        waiting = CatalogueImport.objects.get()
        assert "Being looked through" in text
        assert step(client, "confirm", on_bad_rows="skip").status_code == 422
        imports.look_through(waiting.pk)
        here = reverse("annotate:import_status", args=[waiting.uid])
        assert client.get(here)["HX-Refresh"] == "true"
        with django_capture_on_commit_callbacks():
            text = step(client, "confirm", on_bad_rows="skip").content.decode()
        assert "Being imported" in text
        assert "HX-Refresh" not in client.get(here)
        imports.import_list(waiting.pk)
        assert Feature.objects.count() == 2

    def test_what_a_dead_worker_left_is_taken_up_again(
        self, client: Client, django_capture_on_commit_callbacks: Callable
    ) -> None:
        with django_capture_on_commit_callbacks():
            send(client, GOOD)
        found = CatalogueImport.objects.all()
        for state in (State.READY, State.DONE):
            with django_capture_on_commit_callbacks(execute=True):
                tend_imports_task()
            assert found.get().state != state
            found.update(touched_at=timezone.now() - 2 * imports.LEFT_AFTER)
            with django_capture_on_commit_callbacks(execute=True):
                tend_imports_task()
            assert found.get().state == state
            found.filter(state=State.READY).update(state=State.IMPORTING)
        assert Catalogue.objects.count() == 1


class TestForgotten:
    def test_what_nobody_imports_in_time_goes_with_its_file(self, client: Client, files: Path) -> None:
        send(client, GOOD)
        assert imports.forget_expired() == 0
        CatalogueImport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert imports.forget_expired() == 1
        assert not CatalogueImport.objects.exists()
        assert not [path for path in files.rglob("*") if path.is_file()]

    def test_what_was_imported_stays_with_its_rejected_rows(self, client: Client) -> None:
        send(client, GOOD + BAD)
        step(client, "confirm", on_bad_rows="skip")
        CatalogueImport.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        assert imports.forget_expired() == 0
        here = reverse("annotate:import_rejected", args=[CatalogueImport.objects.get().uid])
        assert b"Too far north" in client.get(here).getvalue()

    def test_a_file_that_a_dying_worker_left_is_removed(self, client: Client) -> None:
        send(client, GOOD)
        step(client, "confirm", on_bad_rows="skip")
        left = imports.list_file(CatalogueImport.objects.get())
        left.write_text(GOOD)
        imports.forget_expired()
        assert not left.exists()

    def test_a_discarded_list_leaves_nothing(self, client: Client, files: Path) -> None:
        send(client, GOOD)
        assert "is discarded" in step(client, "discard").content.decode()
        assert not CatalogueImport.objects.exists()
        assert not [path for path in files.rglob("*") if path.is_file()]


class TestServices:
    def test_a_list_being_imported_cannot_be_read_again(self, lead: User) -> None:
        waiting = wait_for_import(participant_of(lead))
        imports.confirm(waiting, on_bad_rows="skip")
        with pytest.raises(Conflict, match="being imported"):
            imports.look_again(waiting, longitude="west180", body="moon")

    def test_a_list_too_large_is_refused_by_its_size(self) -> None:
        with pytest.raises(InvalidInput, match="at most 1000 MB"):
            catalogues.check_list_size(catalogues.MAX_CSV_BYTES + 1)

    def test_copied_craters_are_what_the_slow_way_stores(self, lead: User) -> None:
        """COPY passes by the models; whatever they would say must be the same."""
        from annotate.services.features import add_features

        rows = "0,89.9,300\n179.99,0,40\n12.5,-45,0.001\n-180,10,5\n"
        waiting = wait_for_import(participant_of(lead), "lon,lat,diam_km\n" + rows)
        imports.confirm(waiting, on_bad_rows="skip")
        imports.import_list(waiting.pk)
        (copied,) = Catalogue.objects.all()
        slow = Catalogue.objects.create(name="Slow", body="moon", origin="imported")
        add_features(
            slow,
            [
                {
                    "lon": f.lon,
                    "lat": f.lat,
                    "diameter_m": f.diameter_m,
                    "status": "confirmed",
                    "provenance": f.provenance,
                }
                for f in copied.features.order_by("pk")
            ],
        )
        unlike = {"id", "uid", "catalogue_id", "geom"}
        for one, other in zip(copied.features.order_by("pk"), slow.features.order_by("pk"), strict=True):
            fields = [field.attname for field in Feature._meta.concrete_fields if field.attname not in unlike]
            assert [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]
            assert one.geom.equals_exact(other.geom, 1e-12) and one.geom.srid == other.geom.srid
