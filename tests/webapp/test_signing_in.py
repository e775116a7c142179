"""How often a password may be tried, and that nobody can shut somebody else out."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import pytest
from allauth.core.internal import ratelimit
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings
from redis.exceptions import ConnectionError as NoRedis

from annotate.models import User
from annotate.tasks import forget_ended_sessions_task
from webapp import throttling

PASSWORD = "correct horse battery"
HOME, AWAY = "192.0.2.7", "198.51.100.9"


class Clock:
    """What the counters take for the time."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def time(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    fake = SimpleNamespace(time=clock.time, monotonic=time.monotonic, sleep=time.sleep)
    monkeypatch.setattr(ratelimit, "time", fake)
    monkeypatch.setattr(throttling, "time", fake)
    return clock


@pytest.fixture
def few(settings: Settings) -> None:
    """The same counts with smaller numbers where many attempts would be needed."""
    smaller = {"sign_in_address": "8/5m/ip", "sign_in_account": "8/h/key", "signup": "3/m/ip"}
    settings.ACCOUNT_RATE_LIMITS = {**settings.ACCOUNT_RATE_LIMITS, **smaller}


def browser(address: str = HOME) -> Client:
    return Client(REMOTE_ADDR=address)


def try_password(client: Client, password: str = "wrong", login: str = "stranger") -> str | None:
    """One attempt: None where it signs in, else what is said."""
    response = client.post(reverse("account_login"), {"login": login, "password": password})
    if response.status_code == 302:
        return None
    [sentence] = re.findall(r'role="alert">.*?<li>(.*?)</li>', response.content.decode(), re.DOTALL)
    return sentence


def exhaust(client: Client, n: int, **said: str) -> None:
    for _ in range(n):
        assert "not correct" in str(try_password(client, **said))


@pytest.mark.usefixtures("stranger")
class TestWrongPasswords:
    def test_a_right_one_signs_in_and_counts_nothing(self):
        for _ in range(12):
            assert try_password(browser(), PASSWORD) is None

    def test_a_sixth_attempt_hears_how_long_to_wait(self):
        client = browser()
        exhaust(client, 5)
        sentence = str(try_password(client))
        assert "try again in 5 minutes" in sentence
        assert "Forgotten?" in sentence

    def test_while_waiting_the_right_one_is_refused_too(self):
        client = browser()
        exhaust(client, 5)
        assert "try again in" in str(try_password(client, PASSWORD))

    def test_after_the_wait_the_right_one_works(self, clock: Clock):
        client = browser()
        exhaust(client, 5)
        clock.ahead_s = 240
        assert "try again in" in str(try_password(client, PASSWORD))
        clock.ahead_s = 301
        assert try_password(client, PASSWORD) is None

    def test_trying_while_waiting_makes_it_no_longer(self, clock: Clock, few: None):
        client = browser()
        exhaust(client, 5)
        clock.ahead_s = 200
        for _ in range(10):
            assert "try again in" in str(try_password(client))
        clock.ahead_s = 301
        assert try_password(client, PASSWORD) is None

    def test_name_and_mail_address_are_one_account(self):
        client = browser()
        exhaust(client, 3, login="stranger")
        exhaust(client, 2, login="Stranger@example.org")
        assert "try again in" in str(try_password(client, login="STRANGER"))

    def test_an_unknown_name_is_answered_alike(self):
        client = browser()
        exhaust(client, 5, login="nobody-here")
        assert "try again in 5 minutes" in str(try_password(client, login="nobody-here"))

    def test_one_address_may_not_try_name_after_name(self, few: None):
        client = browser()
        for number in range(8):
            exhaust(client, 1, login=f"name-{number}")
        assert "try again in" in str(try_password(client, login="name-9"))
        assert "not correct" in str(try_password(browser(AWAY), login="name-9"))

    def test_many_addresses_may_not_guess_at_one_account(self, few: None):
        for number in range(8):
            exhaust(browser(f"203.0.113.{number}"), 1)
        assert "try again in 60 minutes" in str(try_password(browser(AWAY)))

    def test_the_doors_of_the_administration_count_too(self, staff: User):
        client = browser()
        response = client.get(reverse("admin:login"))
        assert response.status_code == 302
        assert response.url.startswith(reverse("account_login"))
        response = client.post(reverse("admin:login"), {"username": "staff", "password": PASSWORD})
        assert response.status_code == 302
        assert "_auth_user_id" not in client.session

    def test_without_redis_it_is_said(self, monkeypatch: pytest.MonkeyPatch):
        def fail(*_args: object, **_kwargs: object) -> None:
            raise NoRedis("gone")

        monkeypatch.setattr(throttling, "cache", SimpleNamespace(get=fail))
        assert "Signing in is not possible at this moment" in str(try_password(browser(), PASSWORD))


class TestNobodyIsShutOut:
    def test_a_browser_that_was_signed_in_is_counted_by_itself(self, stranger: User, few: None):
        own = browser()
        assert try_password(own, PASSWORD) is None
        own.post(reverse("account_logout"))
        neighbour = browser()
        exhaust(neighbour, 5)
        assert "try again in" in str(try_password(neighbour, PASSWORD))
        for number in range(3):
            exhaust(browser(f"203.0.113.{number}"), 1)
        assert "60 minutes" in str(try_password(browser(AWAY), PASSWORD))
        assert try_password(own, PASSWORD) is None

    def test_so_is_one_that_signed_in_without_leaving_its_page(self, stranger: User):
        own = browser()
        response = own.post(
            reverse("account_login"),
            {"login": "stranger", "password": PASSWORD},
            headers={"X-Requested-With": "XMLHttpRequest"},
        )
        assert response.status_code == 200
        own.post(reverse("account_logout"))
        exhaust(browser(), 5)
        assert try_password(own, PASSWORD) is None

    def test_but_it_may_not_guess_for_ever_either(self, stranger: User):
        own = browser()
        assert try_password(own, PASSWORD) is None
        own.post(reverse("account_logout"))
        exhaust(own, 10)
        assert "try again in" in str(try_password(own))

    def test_nor_is_it_known_for_others(self, stranger: User, annotator: User):
        own = browser()
        assert try_password(own, PASSWORD) is None
        own.post(reverse("account_logout"))
        exhaust(own, 5, login="annotator")
        assert "try again in" in str(try_password(own, login="annotator"))

    def test_a_forged_cookie_makes_nobody_known(self, stranger: User, settings: Settings):
        forger = browser()
        forger.cookies[settings.KNOWN_BROWSER_COOKIE_NAME] = f'{{"known": ["{stranger.uid}"]}}:x:y'
        exhaust(forger, 5)
        assert "try again in" in str(try_password(forger))

    def test_a_new_device_gets_in_by_mail(self, stranger: User, few: None):
        for number in range(8):
            exhaust(browser(f"203.0.113.{number}"), 1)
        new = browser(AWAY)
        assert "try again in" in str(try_password(new, PASSWORD))
        new.post(reverse("account_reset_password"), {"email": stranger.email})
        path = re.search(r"https?://[^/]+(/\S+)", mail.outbox[-1].body)
        assert path is not None
        form = new.get(path[1], follow=True).redirect_chain[-1][0]
        new.post(form, {"password1": "a staple of it", "password2": "a staple of it"})
        assert new.session["_auth_user_id"] == str(stranger.pk)
        new.post(reverse("account_logout"))
        assert try_password(new, "a staple of it") is None


class TestBehindAProxy:
    """The address counted is the one that the last trusted proxy saw, whatever the asker wrote before it."""

    def sentence(self, forwarded: str) -> str | None:
        client = Client(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR=forwarded)
        return try_password(client)

    def test_each_client_is_counted_by_its_own(self, stranger: User, settings: Settings):
        settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
        for number in range(5):
            assert "not correct" in str(self.sentence(f"203.0.113.{number}, {HOME}"))
        assert "try again in" in str(self.sentence(f"203.0.113.77, {HOME}"))
        assert "not correct" in str(self.sentence(f"{HOME}, {AWAY}"))

    def test_without_one_the_header_means_nothing(self, stranger: User):
        for number in range(5):
            assert "not correct" in str(self.sentence(f"203.0.113.{number}"))
        assert "try again in" in str(self.sentence("203.0.113.77"))


@pytest.mark.django_db
class TestOtherPages:
    def test_too_many_accounts_from_one_address(self, few: None):
        client = browser()
        given = {"email": "x", "password1": PASSWORD, "password2": PASSWORD}
        for number in range(3):
            response = client.post(reverse("account_signup"), {"username": f"n{number}", **given})
            assert response.status_code == 200
        response = client.post(reverse("account_signup"), {"username": "one-more", **given})
        assert response.status_code == 429
        assert 0 < int(response["Retry-After"]) <= 60
        assert re.search(r"Try again in \d+ seconds", response.content.decode())
        assert browser(AWAY).post(reverse("account_signup"), given).status_code == 200

    def test_too_many_mails_to_one_person(self, stranger: User):
        for number in range(5):
            browser(f"203.0.113.{number}").post(reverse("account_reset_password"), {"email": stranger.email})
        response = browser(AWAY).post(reverse("account_reset_password"), {"email": stranger.email})
        assert response.status_code == 429
        assert "Try again in 60 minutes" in response.content.decode()
        assert len(mail.outbox) == 5

    def test_signing_up_with_a_taken_address_does_not_flood_its_owner(self, stranger: User):
        given = {"email": stranger.email, "password1": PASSWORD, "password2": PASSWORD}
        for number in range(8):
            browser().post(reverse("account_signup"), {"username": f"taken{number}", **given})
        assert len(mail.outbox) <= 3

    def test_without_redis_it_is_said_there_too(self, monkeypatch: pytest.MonkeyPatch):
        def fail(*_args: object, **_kwargs: object) -> None:
            raise NoRedis("gone")

        monkeypatch.setattr(ratelimit, "cache", SimpleNamespace(add=fail, get=fail))
        response = browser().post(reverse("account_signup"), {})
        assert response.status_code == 503
        assert "which does not answer. Try again" in response.content.decode()


class TestSessions:
    def test_the_identifier_changes_at_the_sign_in(self, stranger: User):
        client = browser()
        session = client.session
        session["planted"] = 1
        session.save()
        before = session.session_key
        assert try_password(client, PASSWORD) is None
        assert client.session.session_key != before

    def test_a_changed_password_ends_all_others(self, stranger: User):
        here, elsewhere = browser(), browser(AWAY)
        assert try_password(here, PASSWORD) is None
        assert try_password(elsewhere, PASSWORD) is None
        new = "another horse altogether"
        here.post(
            reverse("account_change_password"),
            {"oldpassword": PASSWORD, "password1": new, "password2": new},
        )
        assert here.get(reverse("review:profile")).status_code == 200
        assert elsewhere.get(reverse("review:profile")).status_code == 302

    def test_signing_out_everywhere(self, stranger: User, client_of: Callable[[User | None], Client]):
        here, elsewhere = client_of(stranger), client_of(stranger)
        response = here.post(reverse("annotate:sign_out_everywhere"), follow=True)
        assert "You are signed out everywhere" in response.content.decode()
        assert here.get(reverse("review:profile")).status_code == 302
        assert elsewhere.get(reverse("review:profile")).status_code == 302
        assert try_password(browser(), PASSWORD) is None

    def test_those_that_have_run_out_leave_no_rows(
        self, stranger: User, annotator: User, client_of: Callable[[User | None], Client]
    ):
        client_of(stranger)
        Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
        standing = client_of(annotator).session.session_key
        forget_ended_sessions_task()
        assert [session.session_key for session in Session.objects.all()] == [standing]


class TestTheApi:
    """Changes are counted for each person: no hand and no browser that catches up reaches the limit."""

    def ask(self, client: Client, settings: Settings) -> object:
        return client.post("/api/v1/visits/00000000-0000-0000-0000-000000000000/extend")

    def test_a_program_run_wild_is_told_to_wait(
        self, stranger: User, client_of: Callable[[User | None], Client], settings: Settings, clock: Clock
    ):
        settings.API_WRITES_PER_MINUTE = 3
        clock.ahead_s = 60 - time.time() % 60
        client = client_of(stranger)
        assert [self.ask(client, settings).status_code for _ in range(3)] == [404] * 3
        refused = self.ask(client, settings)
        assert refused.status_code == 429
        assert refused.json()["code"] == "throttled"
        assert "More than 3 changes in a minute" in refused.json()["message"]
        assert 0 < int(refused["Retry-After"]) <= 60
        clock.ahead_s += 60
        assert self.ask(client, settings).status_code == 404

    def test_others_and_those_who_only_read_go_on(
        self,
        stranger: User,
        annotator: User,
        client_of: Callable[[User | None], Client],
        settings: Settings,
    ):
        settings.API_WRITES_PER_MINUTE = 0
        assert self.ask(client_of(stranger), settings).status_code == 429
        settings.API_WRITES_PER_MINUTE = 1
        assert self.ask(client_of(annotator), settings).status_code == 404
        unknown = "/api/v1/basemaps/00000000-0000-0000-0000-000000000000"
        assert {client_of(stranger).get(unknown).status_code for _ in range(4)} == {404}

    def test_without_redis_nothing_is_refused(
        self,
        stranger: User,
        client_of: Callable[[User | None], Client],
        settings: Settings,
        monkeypatch: pytest.MonkeyPatch,
    ):
        def fail(*_args: object, **_kwargs: object) -> None:
            raise NoRedis("gone")

        monkeypatch.setattr(throttling, "cache", SimpleNamespace(add=fail))
        settings.API_WRITES_PER_MINUTE = 0
        assert self.ask(client_of(stranger), settings).status_code == 404

    def test_the_limit_is_beyond_any_hand(self, settings: Settings):
        assert settings.API_WRITES_PER_MINUTE >= 3000


def test_waiting_times_are_said_as_people_say_them():
    said = [throttling.in_words(seconds) for seconds in (0.2, 59, 91, 5400, 5401, 90_000)]
    assert said == ["1 second", "59 seconds", "2 minutes", "90 minutes", "2 hours", "25 hours"]
