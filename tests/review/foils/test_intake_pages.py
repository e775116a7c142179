"""Bringing in pictures on the pages of leads: sent, previewed, confirmed, followed, looked through."""

import re
from collections.abc import Callable, Iterator

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from annotate.models import Campaign, User
from review.models import Gold, Picture, PictureImport
from review.services.foils.intake import intake, picture_list, sending
from tests.review.foils.files import bring, image, look, upload, zipped
from webapp.celery import app

pytestmark = pytest.mark.django_db
State = PictureImport.State
Browser = Callable[[User | None], Client]
THREE = {f"I1061N_{n}.tif": image(n) for n in (1, 2, 3)}


@pytest.fixture(autouse=True)
def work_at_once() -> Iterator[None]:
    """Tasks run where they are enqueued, and their errors are the test's."""
    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager, app.conf.task_eager_propagates = before


@pytest.fixture
def browser(client_of: Browser, lead: User) -> Client:
    return client_of(lead)


def send(browser: Client, campaign: Campaign, files: dict[str, bytes], **fields: object) -> HttpResponse:
    chosen = [upload(name, content) for name, content in files.items()]
    sent = {"files": chosen, "pages": "focus", "purpose": "survey", **fields}
    return browser.post(reverse("review:foil_import", args=[campaign.uid]), sent)


def text(answer: HttpResponse) -> str:
    return re.sub(r"\s+", " ", answer.content.decode())


def test_from_the_files_to_the_images(
    browser: Client, foils: Campaign, django_capture_on_commit_callbacks: Callable
) -> None:
    assert "There are no pictures yet." in text(browser.get(reverse("review:foil_images", args=[foils.uid])))
    answer = send(browser, foils, {"all.zip": zipped(THREE)}, pattern="{foil}_*.tif")
    batch = PictureImport.objects.get()
    assert answer.url == reverse("review:foil_batch", args=[batch.uid])
    preview = text(browser.get(answer.url))
    assert "Nothing is taken in yet." in preview
    assert "The pattern reads 3 of 3 names." in preview
    assert "Bring in 3 files" in preview
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(reverse("review:foil_batch_confirm", args=[batch.uid]))
    assert Picture.objects.filter(foil="I1061N").count() == 3
    assert "new pictures" in text(browser.get(answer.url))
    listed = text(browser.get(reverse("review:foil_images", args=[foils.uid])))
    assert "<dt>pictures</dt><dd>3</dd>" in listed
    for picture in Picture.objects.all():
        assert reverse("review:foil_thumbnail", args=[picture.uid]) in listed
        shown = browser.get(reverse("review:foil_frame", args=[picture.uid, 0]))
        assert shown["Content-Type"] == "image/jpeg"
        assert b"".join(shown).startswith(b"\xff\xd8")


def test_several_files_and_a_table_come_in_one_form(browser: Client, foils: Campaign) -> None:
    table = upload("t.csv", b"file,x_um,y_um\nI1061N_1,1,2\nnobody,3,4\n")
    answer = send(browser, foils, THREE, table=table, nm_per_px="50")
    preview = text(browser.get(answer.url))
    assert "1 of 2 rows say something of a file." in preview
    assert "1 row names a file that is not there." in preview
    assert "2 files have no row." in preview


def test_a_preview_says_what_the_pattern_does_not_read(browser: Client, foils: Campaign) -> None:
    answer = send(browser, foils, {**THREE, "odd.tif": image(9)}, pattern="{foil}_{focus}.tif")
    preview = text(browser.get(answer.url))
    assert "The pattern reads 3 of 4 names. They make 2 pictures" in preview
    assert "<li>odd.tif</li>" in preview


def test_names_are_understood_otherwise_and_shown_again(browser: Client, foils: Campaign) -> None:
    url = send(browser, foils, THREE).url
    assert "names say nothing" in text(browser.get(url))
    assert (
        browser.post(url, {"pattern": "{foil}_*", "pages": "focus", "purpose": "survey"}).status_code == 302
    )
    assert "The pattern reads 3 of 3 names." in text(browser.get(url))
    refused = browser.post(url, {"pattern": "{fool}", "pages": "focus", "purpose": "survey"})
    assert refused.status_code == 422
    assert "{fool}" in text(refused)


@pytest.mark.parametrize(
    ("files", "fields", "words"),
    [
        ({}, {}, "Choose at least one"),
        ({"a.tif": b""}, {}, "is empty"),
        ({"a.zip": zipped({})}, {}, "no image in it"),
        ({"a.zip": b"PK\x03\x04" + b"x" * 50}, {}, "damaged"),
        ({"a.zip": zipped({"../../etc/x.tif": image(1)})}, {}, "points out of the archive"),
        (THREE, {"pattern": "{x_um}{y_um}"}, "nothing between"),
        (THREE, {"nm_per_px": "-3"}, "cannot be"),
        (THREE, {"nm_per_px": "many"}, "number"),
        (THREE, {"pages": "leaves"}, "not one of"),
        (THREE, {"table": upload("t.csv", b"just words")}, "must name the columns"),
    ],
)
def test_what_cannot_be_taken_is_said_beside_the_form(
    files: dict[str, bytes], fields: dict[str, object], words: str, browser: Client, foils: Campaign
) -> None:
    answer = send(browser, foils, files, **fields)
    assert answer.status_code == 422
    assert words in text(answer)
    assert not PictureImport.objects.exists()


def test_a_large_batch_is_looked_through_by_a_worker(
    browser: Client,
    foils: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Callable,
) -> None:
    monkeypatch.setattr(sending, "SMALL_BYTES", 10)
    with django_capture_on_commit_callbacks() as callbacks:
        url = send(browser, foils, THREE).url
    page = text(browser.get(url))
    assert "Being looked through" in page
    status = reverse("review:foil_batch_status", args=[PictureImport.objects.get().uid])
    assert status in page
    assert "HX-Refresh" not in browser.get(status)
    callbacks[0]()
    assert browser.get(status)["HX-Refresh"] == "true"
    assert "Bring in 3 files" in text(browser.get(url))


def test_what_is_refused_is_listed_and_can_be_downloaded(browser: Client, foils: Campaign) -> None:
    batch = bring(foils, {**THREE, "=bad.tif": b"nothing like an image", "small.png": b"\x89PNG"})
    page = text(browser.get(reverse("review:foil_batch", args=[batch.uid])))
    assert "=bad.tif is not an image of a kind read here" in page
    answer = browser.get(reverse("review:foil_batch_refused", args=[batch.uid]))
    lines = b"".join(answer).decode().splitlines()
    assert lines[0] == "file,reason"
    assert sorted(line.split(",")[0] for line in lines[1:]) == ["'=bad.tif", "small.png"]


def test_reading_is_stopped_and_goes_on(
    browser: Client, foils: Campaign, django_capture_on_commit_callbacks: Callable
) -> None:
    batch = look(foils, THREE)
    intake.confirm(batch)
    assert "Stop" in text(browser.get(reverse("review:foil_batch", args=[batch.uid])))
    browser.post(reverse("review:foil_batch_stop", args=[batch.uid]))
    page = text(browser.get(reverse("review:foil_batch", args=[batch.uid])))
    assert "Stopped by a lead" in page
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(reverse("review:foil_batch_go_on", args=[batch.uid]))
    assert Picture.objects.count() == 3


def test_what_waits_is_discarded(browser: Client, foils: Campaign) -> None:
    batch = look(foils, THREE)
    browser.post(reverse("review:foil_batch_discard", args=[batch.uid]))
    assert browser.get(reverse("review:foil_batch", args=[batch.uid])).status_code == 404


def test_a_table_corrects_what_is_there(
    browser: Client, foils: Campaign, django_capture_on_commit_callbacks: Callable
) -> None:
    bring(foils, THREE)
    url = reverse("review:foil_correction", args=[foils.uid])
    answer = browser.post(url, {"correction": upload("fix.csv", b"file,foil\nI1061N_1.tif,NEW\n")})
    assert "Correct the pictures" in text(browser.get(answer.url))
    batch = PictureImport.objects.get(is_correction=True)
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(reverse("review:foil_batch_confirm", args=[batch.uid]))
    assert Picture.objects.filter(foil="NEW").count() == 1
    assert "pictures corrected" in text(browser.get(answer.url))
    assert browser.post(url, {"correction": upload("fix.csv", b"no columns here\n")}).status_code == 422


def test_images_are_found_by_name_and_foil(browser: Client, foils: Campaign) -> None:
    bring(foils, {**THREE, "other.tif": image(5)}, pattern="{foil}_*.tif")
    url = reverse("review:foil_images", args=[foils.uid])
    assert "other.tif" in text(browser.get(url))
    found = text(browser.get(url, {"q": "1061n_2"}))
    assert "I1061N_2.tif" in found
    assert "I1061N_1.tif" not in found
    assert "other.tif" not in text(browser.get(url, {"foil": "I1061N"}))
    assert "No picture is called so" in text(browser.get(url, {"q": "nobody"}))


def test_pages_of_images_go_by_key(
    browser: Client, foils: Campaign, make_picture: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_list, "PER_PAGE", 2)
    names = [make_picture(name=f"p{n}").name for n in range(5)][::-1]
    url, seen, steps = reverse("review:foil_images", args=[foils.uid]), [], []
    page = text(browser.get(url))
    while True:
        seen += re.findall(r'alt="(p\d)"', page)
        older = re.search(r'rel="next" href="([^"]+)"', page)
        if not older:
            break
        steps.append(older[1])
        page = text(browser.get(url + older[1].replace("&amp;", "&")))
    assert seen == names
    newer = re.search(r'rel="prev" href="([^"]+)"', page)
    assert newer
    back = text(browser.get(url + newer[1].replace("&amp;", "&")))
    assert re.findall(r'alt="(p\d)"', back) == ["p2", "p1"]
    assert browser.get(url, {"before": "9" * 30, "after": "x"}).status_code == 200


def test_known_pictures_are_not_among_them(
    browser: Client, foils: Campaign, make_gold: Callable[..., list[Gold]]
) -> None:
    [gold] = make_gold(1)
    page = text(browser.get(reverse("review:foil_images", args=[foils.uid])))
    assert gold.subject.picture.name not in page


def test_judges_see_neither_names_nor_pages_of_pictures(
    client_of: Browser, foils: Campaign, annotator: User
) -> None:
    bring(foils, {"secret-name.tif": image(1)})
    picture = Picture.objects.get()
    for url in (
        reverse("review:foil_images", args=[foils.uid]),
        reverse("review:foil_thumbnail", args=[picture.uid]),
        reverse("review:foil_frame", args=[picture.uid, 0]),
    ):
        assert client_of(annotator).get(url).status_code == 403
