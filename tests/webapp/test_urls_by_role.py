"""Every URL, asked by everybody: who gets in is what the two matrices say."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, reverse
from django.utils import timezone

import annotate.urls
import review.urls
from annotate import access
from annotate.models import Basemap, Campaign, Catalogue, Membership, Role, User
from annotate.services import basemaps, conversions
from annotate.services.campaigns import create_campaign, create_foil_campaign
from annotate.services.features import add_features
from annotate.services.participants import participant_of
from mlcore.artifact import ModelCard
from review.access import MATRIX as REVIEW_MATRIX
from review.models import CutOut, Errand, ModelVersion, Picture, PictureImport, Run, Showing, Subject
from review.services.foils import pictures
from review.services.foils.rules import rules
from review.services.policies import candidates
from tests.annotate.builders import draw, take, wait_for_import
from tests.data.rasters import MAP, north_up, write

ANONYMOUS, STRANGER, STAFF = "anonymous", "stranger", "staff"
GOT_IN = "in"
CAST = (ANONYMOUS, STRANGER, *Role.values, STAFF)
MATRIX = {**access.MATRIX, **REVIEW_MATRIX}
ROWS = [(name, method) for name, methods in MATRIX.items() for method in methods]

# Whose object a URL names: the campaign's (or the site's, which has no visibility), or the asker's own.
OF_THE_SITE = {
    "review:home", "review:profile", "review:operator", "review:operator_live", "review:triage_lesson",
    "annotate:campaign_list", "annotate:campaign_new",
    "annotate:campaign_new_tiles", "annotate:campaign_new_foils",
    "annotate:basemap_list", "annotate:basemap_new", "annotate:catalogue_list",
    "annotate:catalogue_import", "annotate:sign_out_everywhere",
    "annotate:import_preview", "annotate:import_status", "annotate:import_again",
    "annotate:import_confirm", "annotate:import_discard", "annotate:import_rejected",
}  # fmt: skip
# Beyond the matrix: only who added a basemap may convert it again, and only when that has failed.
OF_NOBODY_HERE = {"annotate:basemap_retry"}
# And only who made a thing, who leads its campaign (where it has one), and staff may rename or delete it.
KEPT_BY = {
    "annotate:basemap_rename": {STAFF}, "annotate:basemap_delete": {STAFF},
    "annotate:catalogue_rename": {STAFF, Role.LEAD}, "annotate:catalogue_delete": {STAFF, Role.LEAD},
}  # fmt: skip
# Nobody who might still draw sees what others found while tiles are open (access.is_blind).
HIDDEN_FROM_THE_BLIND = {"annotate:api_features"}
BLIND = (ANONYMOUS, STRANGER, Role.ANNOTATOR)
# Who judges without a sign-in is known by a cookie, and here has none.
NEEDS_A_COOKIE = {
    "review:api_triage_next": 403, "review:api_triage_answers": 403, "review:api_triage_back": 403,
    "review:api_showing_frame": 404,
}  # fmt: skip
# Whoever asks for this is nobody afterwards.
SIGNS_OUT = {"annotate:sign_out_everywhere"}
# And nobody joins a private campaign without being asked.
OF_NOBODY_IN_PRIVATE = {"annotate:campaign_join"}


@dataclass
class Place:
    """A campaign with one of everything in it, and the people of the cast."""

    campaign: Campaign
    elevation: Basemap
    catalogue: Catalogue
    subject: Subject
    run: Run
    version: ModelVersion
    foils: Campaign
    errand: Errand
    picture: Picture
    cut_out: CutOut
    batch: PictureImport
    people: dict[str, User | None]

    def url(self, name: str, who: str) -> str:
        """What this person asks for under this name."""
        query = f"?catalogue={self.catalogue.uid}" if name == "annotate:api_features" else ""
        return reverse(name, args=self.arguments(name, who)) + query

    def arguments(self, name: str, who: str) -> list[object]:
        """What goes into the URL of this name when this person asks."""
        pattern = PATTERNS[name].pattern
        if name == "annotate:map_tile":
            return [self.elevation.uid, self.campaign.uid, 0, 0, 0]
        if name == "annotate:basemap_tile":
            return [self.elevation.uid, 0, 0, 0]
        if name == "review:foil_frame":
            return [self.picture.uid, 0]
        if name == "review:foil_figure":
            return [self.foils.uid, "reliability", "svg"]
        if name == "review:triage_lesson":
            return ["craters"]
        if name == "review:api_showing_frame":
            return [self._showing(self.people[who] or self.people[Role.ANNOTATOR]).uid, 0]
        return [self._uid(str(pattern), who)] if pattern.converters else []

    def _uid(self, pattern: str, who: str) -> UUID:
        asker = self.people[who] or self.people[Role.ANNOTATOR]
        # A visit, a mark and a list on its way in are the asker's own: other people's are not there.
        if pattern.startswith("imports/"):
            return wait_for_import(participant_of(asker)).uid
        if "visits/" in pattern:
            return self._visit(asker).uid
        if "foil-candidates/" in pattern:
            return self._showing(asker).subject.uid
        if "marks/" in pattern:
            return draw(self._visit(asker), 40, 40, 12).uid
        things = {
            "basemaps/": self.elevation,
            "catalogues/": self.catalogue,
            "workflows/": self.subject.workflow,
            "subjects/": self.subject,
            "runs/<": self.run,
            "model-versions/": self.version,
            "/foils/": self.foils,
            "v1/triage/": rules.workflow_of(self.foils),
            "foil-errands/": self.errand,
            "foil-pictures/": self.picture,
            "foil-cut-outs/": self.cut_out,
            "foil-imports/": self.batch,
            "campaigns/<uuid:uid>/triage/": self.foils,
        }
        return next((thing.uid for key, thing in things.items() if key in pattern), self.campaign.uid)

    def _showing(self, asker: User) -> Showing:
        picture, _ = pictures.add_picture(
            campaign=self.foils,
            name="foil.tif",
            frames=[np.zeros((40, 40), np.uint8)],
            where=pictures.Where(),
        )
        subject, _ = Subject.objects.get_or_create(workflow=rules.workflow_of(self.foils), picture=picture)
        showing, _ = Showing.objects.get_or_create(
            subject=subject, participant=participant_of(asker), defaults={"expires_at": timezone.now()}
        )
        return showing

    def _visit(self, asker: User) -> object:
        return take(self.campaign.tiles.order_by("number").first(), participant_of(asker))


def patterns_of(namespace: str, urlpatterns: list[URLPattern]) -> Iterator[tuple[str, URLPattern]]:
    for pattern in urlpatterns:
        yield f"{namespace}:{pattern.name}", pattern


PATTERNS = dict(
    [
        *patterns_of("annotate", annotate.urls.urlpatterns),
        *patterns_of("review", review.urls.urlpatterns),
    ]
)


@pytest.fixture(params=["public", "private"])
def place(
    request: pytest.FixtureRequest, media: Path, tmp_path: Path, make_user: Callable[..., User]
) -> Place:
    people: dict[str, User | None] = {
        ANONYMOUS: None,
        STRANGER: make_user(STRANGER),
        STAFF: make_user(STAFF, is_staff=True, is_superuser=True),
        **{role: make_user(role) for role in Role.values},
    }
    # Made now, since what is made while a URL is asked is undone afterwards, and users remember theirs.
    for person in filter(None, people.values()):
        participant_of(person)
    founder = participant_of(make_user("founder"))
    elevation = _elevation(tmp_path)
    campaign = create_campaign(
        name="Everything",
        body="moon",
        basemaps=[elevation],
        created_by=founder,
        tile_size_px=128,
        overlap=16,
        redundancy=20,
        min_diameter_m=0.0,
        visibility=request.param,
    )
    foils = create_foil_campaign(name="Foils", created_by=founder, visibility=request.param)
    errand = Errand.objects.create(workflow=rules.workflow_of(foils), kind=Errand.Kind.REPLAY)
    grey = np.zeros((48, 64), np.uint8)
    picture, _ = pictures.add_picture(
        campaign=foils, name="a.tif", frames=[grey], where=pictures.Where(), purpose="reference"
    )
    cut_out = CutOut.objects.create(picture=picture, polygon=[[9, 9], [30, 9], [9, 30]], diameter_px=16.8)
    for role in Role.values:
        Membership.objects.create(campaign=campaign, user=people[role], role=role)
        Membership.objects.create(campaign=foils, user=people[role], role=role)
    catalogue = Catalogue.objects.create(
        name="Listed", body="moon", campaign=campaign, origin=Catalogue.Origin.IMPORTED
    )
    grid = basemaps.grid_from(elevation)
    lon, lat = (float(value) for value in grid.lonlat(60, 60))
    [feature] = add_features(catalogue, [{"lon": lon, "lat": lat, "diameter_m": 1200.0}])
    subject = Subject.objects.create(workflow=candidates.workflow_of(campaign), feature=feature)
    run = Run.objects.create(campaign=campaign, number=1, system="crater_detector", verb=Run.Verb.TRAIN)
    version = ModelVersion.objects.create(
        campaign=campaign,
        system="crater_detector",
        number=1,
        run=run,
        path="runs/none",
        is_current=True,
        card=ModelCard.example().to_json(),
    )
    batch = PictureImport.objects.create(campaign=foils, file_name="a.zip", path="files")
    return Place(
        campaign,
        elevation,
        catalogue,
        subject,
        run,
        version,
        foils,
        errand,
        picture,
        cut_out,
        batch,
        people,
    )


def _elevation(folder: Path) -> Basemap:
    heights = np.random.default_rng(3).normal(0.0, 40.0, (128, 128)).astype(np.float32)
    path = write(folder / "heights.tif", heights, crs=MAP, transform=north_up(300_000, 150_000, 100.0))
    added = basemaps.add_basemap(name="Heights", body="moon", path=path, kind="elevation")
    conversions.convert(added.pk)
    return Basemap.objects.get(pk=added.pk)


def may(who: str, name: str, method: str, campaign: Campaign) -> bool:
    """What the matrix says, in this test's own words."""
    private = campaign.visibility == Campaign.Visibility.PRIVATE
    if name in OF_NOBODY_HERE or (private and name in OF_NOBODY_IN_PRIVATE):
        return False
    if name in HIDDEN_FROM_THE_BLIND and who in BLIND:
        return False
    if name in NEEDS_A_COOKIE and who == ANONYMOUS:
        return False
    if name in KEPT_BY and who not in KEPT_BY[name]:
        return False
    if who == STAFF:
        return True
    open_to_all = name in OF_THE_SITE or not private
    is_member = who in Role.values
    means = set()
    if open_to_all:
        means |= {access.ANYONE} | ({access.SIGNED_IN} if who != ANONYMOUS else set())
    if is_member and name not in OF_THE_SITE:
        means.add(who)
    return bool(means & MATRIX[name][method])


def ask(client: Client, method: str, url: str) -> int | str:
    """One request whose effects are undone: how it was refused, or GOT_IN.

    Whoever is let in with an empty body may still hear that it lacks something (400, 409, 422).
    """
    with transaction.atomic():
        if method == "GET":
            response = client.get(url)
        elif method == "POST" and not url.startswith("/api/"):
            response = client.post(url, {})
        else:
            response = getattr(client, method.lower())(url, "{}", content_type="application/json")
        if response.streaming:
            b"".join(response)
        transaction.set_rollback(True)
    assert response.status_code < 500, f"{method} {url}: {response.status_code}"
    to_sign_in = response.status_code == 302 and "/accounts/login/" in response.url
    return response.status_code if response.status_code in (401, 403, 404) or to_sign_in else GOT_IN


def test_the_matrices_name_every_url() -> None:
    assert set(PATTERNS) == set(MATRIX)


def test_who_gets_in_is_what_the_matrices_say(
    place: Place, client_of: Callable[[User | None], Client]
) -> None:
    clients = {who: client_of(place.people[who]) for who in CAST}
    wrong = []
    for name, method in ROWS:
        for who in CAST:
            with transaction.atomic():
                url = place.url(name, who)
                client = client_of(place.people[who]) if name in SIGNS_OUT else clients[who]
                status = ask(client, method, url)
                transaction.set_rollback(True)
            allowed = may(who, name, method, place.campaign)
            refusal = refusal_for(who, name, place.campaign)
            if (status == GOT_IN) != allowed or (not allowed and status != refusal):
                wrong.append(f"{method} {name} as {who}: {status}, not {GOT_IN if allowed else refusal}")
    assert not wrong, "\n".join(wrong)


def refusal_for(who: str, name: str, campaign: Campaign) -> int:
    """Sign in first; then what is private is not there; then it is there but not for this role."""
    if name in HIDDEN_FROM_THE_BLIND and campaign.visibility == Campaign.Visibility.PUBLIC:
        return 403
    if who == ANONYMOUS and name in NEEDS_A_COOKIE:
        is_public = campaign.visibility == Campaign.Visibility.PUBLIC
        return NEEDS_A_COOKIE[name] if is_public or NEEDS_A_COOKIE[name] == 404 else 401
    if who == ANONYMOUS:
        return 401 if name.split(":")[1].startswith("api_") else 302
    hidden = (
        campaign.visibility == Campaign.Visibility.PRIVATE and who == STRANGER and name not in OF_THE_SITE
    )
    return 404 if hidden else 403


def test_nothing_is_said_about_what_does_not_exist(
    place: Place, client_of: Callable[[User | None], Client]
) -> None:
    """A made-up address and somebody else's private one are answered alike."""
    stranger = client_of(place.people[STRANGER])
    for name in ("annotate:campaign", "annotate:basemap", "annotate:catalogue", "review:run"):
        assert stranger.get(reverse(name, args=[uuid4()])).status_code == 404


def test_visits_and_marks_of_others_are_not_there(
    place: Place, client_of: Callable[[User | None], Client]
) -> None:
    visit = take(place.campaign.tiles.first(), participant_of(place.people[Role.ANNOTATOR]))
    mark = draw(visit, 40, 40, 12)
    for who in (Role.LEAD, Role.REVIEWER, STAFF):
        client = client_of(place.people[who])
        assert client.get(reverse("annotate:api_visit", args=[visit.uid])).status_code == 404
        gone = client.delete(reverse("annotate:api_mark", args=[mark.uid]) + "?version=1")
        assert gone.status_code == 404
