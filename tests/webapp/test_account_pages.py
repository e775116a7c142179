"""Signing up, in and out, and the pages that say no, all in the site's own dress."""

import re
from collections.abc import Callable

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from annotate.models import User

ClientOf = Callable[[User | None], Client]
PASSWORD = "correct horse battery"


@pytest.mark.parametrize("name", ["account_login", "account_signup", "account_reset_password"])
def test_it_works(name: str, client_of: ClientOf, db: None):
    response = client_of(None).get(reverse(name))
    assert response.status_code == 200
    assert 'class="narrow card stack"' in response.content.decode()


@pytest.mark.parametrize("name", ["account_email", "account_change_password", "account_logout"])
def test_those_for_members_work(name: str, client_of: ClientOf, stranger: User):
    text = client_of(stranger).get(reverse(name)).content.decode()
    assert 'class="narrow card stack"' in text


def test_somebody_signs_up_and_arrives_home(client_of: ClientOf, db: None):
    given = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    response = client_of(None).post(reverse("account_signup"), given, follow=True)
    assert response.redirect_chain[-1][0] == reverse("review:home")
    assert "Hello, ada" in response.content.decode()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"username": "<b>ada</b>"}, "valid username"),
        ({"username": "a\x00da"}, "Null characters"),
        ({"email": "nowhere"}, "valid email"),
        ({"password2": "something else"}, "same password"),
        ({"password1": "12345678", "password2": "12345678"}, "too common"),
    ],
)
def test_bad_input_is_refused_beside_its_field(
    fields: dict[str, str], sentence: str, client_of: ClientOf, db: None
):
    given = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    response = client_of(None).post(reverse("account_signup"), given | fields)
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert sentence in response.content.decode()
    assert not User.objects.exists()


def test_a_forgotten_password_is_set_anew(client_of: ClientOf, stranger: User):
    client = client_of(None)
    response = client.post(reverse("account_reset_password"), {"email": stranger.email}, follow=True)
    assert "The link is on its way" in response.content.decode()
    path = re.search(r"https?://[^/]+(/\S+)", mail.outbox[0].body)
    assert path is not None
    response = client.get(path[1], follow=True)
    assert "Choose a new password" in response.content.decode()
    response = client.post(
        response.redirect_chain[-1][0],
        {"password1": "a staple of it", "password2": "a staple of it"},
        follow=True,
    )
    assert "Your password is changed" in response.content.decode()
    assert client.login(username="stranger", password="a staple of it")
    assert "This link no longer works" in client_of(None).get(path[1], follow=True).content.decode()


def test_a_wrong_password_is_said_above_the_form(client_of: ClientOf, stranger: User):
    response = client_of(None).post(reverse("account_login"), {"login": "stranger", "password": "no"})
    assert 'role="alert"' in response.content.decode()


def test_the_menu_signs_out(client_of: ClientOf, stranger: User):
    client = client_of(stranger)
    assert reverse("account_logout") in client.get(reverse("review:home")).content.decode()
    client.post(reverse("account_logout"))
    assert "Create an account" in client.get(reverse("review:home")).content.decode()


class TestSayingNo:
    def test_an_unknown_address(self, client_of: ClientOf, db: None):
        response = client_of(None).get("/no/such/page/")
        assert response.status_code == 404
        assert "There is nothing here" in response.content.decode()

    def test_a_form_without_its_token(self, stranger: User):
        response = Client(enforce_csrf_checks=True).post(reverse("account_login"), {})
        assert response.status_code == 403
        assert "Please send it again" in response.content.decode()

    def test_our_own_mistake(self, client_of: ClientOf, stranger: User, monkeypatch: pytest.MonkeyPatch):
        def fall(*_args: object, **_kwargs: object) -> None:
            raise RuntimeError("a secret of ours")

        monkeypatch.setattr("review.views.pages.authorise", fall)
        client = client_of(stranger)
        client.raise_request_exception = False
        response = client.get(reverse("review:home"))
        assert response.status_code == 500
        assert "Something went wrong on our side" in response.content.decode()
        assert "a secret of ours" not in response.content.decode()


def test_nothing_inline_and_scripts_carry_the_nonce(client_of: ClientOf, stranger: User):
    response = client_of(stranger).get(reverse("review:home"))
    text = response.content.decode()
    nonce = re.search(r"'nonce-([^']+)'", response["Content-Security-Policy"])
    assert nonce is not None
    for tag in re.findall(r"<script[^>]*>", text):
        assert "src=" in tag or f'nonce="{nonce[1]}"' in tag
    assert 'style="' not in text
