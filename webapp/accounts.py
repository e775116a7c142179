"""Signing in, against guessers, without locking out whom they guess at.

Wrong passwords are counted in four ways (settings.ACCOUNT_RATE_LIMITS says how many):

1. of one account from one address;
2. from one address, whatever the account;
3. of one account from anywhere: against a guesser with many addresses;
4. and, instead of these three, of one account from a browser that has been signed in as it before. It
   carries a signed cookie that says so, so that no stranger's attempts shut its owner out. Whoever is
   stopped by the third on a new device gets in by the mail that resets the password.

A right password takes its own count back.
"""

import logging
import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal import ratelimit
from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core import signing
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from annotate.models import User
from review.access import find_judge
from webapp.throttling import ALLAUTH, in_words, waiting_s

_SALT = "webapp.known_browser"
# A shared computer remembers its latest people.
_MOST_KNOWN = 5

log = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    """allauth's, with the counts described above and refusals that name the waiting time."""

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        counts = _counts(request, credentials)
        try:
            wait_s = max(waiting_s(request, action, key) for action, key in counts)
            if wait_s:
                raise ValidationError(_too_many_passwords(wait_s), code="too_many_login_attempts")
            usages = [
                ratelimit.consume(request, app=ALLAUTH, action=action, key=key) for action, key in counts
            ]
        except RedisError as error:
            log.error("Nobody can sign in, because Redis does not answer: %s", error)
            raise ValidationError(
                _("Signing in is not possible at this moment: the server lacks its Redis. Try again soon."),
                code="no_redis",
            ) from error
        spent = [single for usage in usages if usage for single in usage.usage]
        # authenticate() takes this back when the password was right.
        self._login_failed_rl_usage = ratelimit.RateLimitUsage(usage=spent)
        if None in usages:
            # Another attempt took the last place in this very moment.
            raise ValidationError(_too_many_passwords(1), code="too_many_login_attempts")

    def post_login(self, request: HttpRequest, user: AbstractBaseUser, **kwargs: Any) -> HttpResponse:
        response = super().post_login(request, user, **kwargs)
        # Whoever has judged without a sign-in keeps what they did, even if they never judge again.
        find_judge(request)
        _remember(request, response, user)
        return response

    def ajax_response(self, request: HttpRequest, response: HttpResponse, **kwargs: Any) -> HttpResponse:
        """The answer to a page's script in place of the response, with what that would set."""
        answer = super().ajax_response(request, response, **kwargs)
        answer.cookies.update(response.cookies)
        return answer

    def send_account_already_exists_mail(self, email: str) -> None:
        """Tell an owner that somebody signs up with their address, but not as often as somebody likes."""
        if ratelimit.consume(self.request, app=ALLAUTH, action="signup_mail", key=email.lower()):
            super().send_account_already_exists_mail(email)


def _counts(request: HttpRequest, credentials: dict[str, Any]) -> list[tuple[str, str | None]]:
    """The counts that an attempt falls under: (action, key)."""
    name = str(credentials.get("email") or credentials.get("username") or "")
    user = User.objects.filter(Q(username__iexact=name) | Q(email__iexact=name)).order_by("pk").first()
    account = f"user {user.pk}" if user else f"name {name.lower()}"
    browser, known = _known_browser(request)
    if user and str(user.uid) in known:
        return [("sign_in_known", f"{account} {browser}")]
    address = ratelimit.get_ip(request)
    return [
        ("sign_in_here", f"{account} {address}"),
        ("sign_in_address", None),
        ("sign_in_account", account),
    ]


def _known_browser(request: HttpRequest) -> tuple[str, list[str]]:
    """The identifier of this browser, and the uids of those who signed in with it; latest first."""
    try:
        found = signing.loads(
            request.COOKIES.get(settings.KNOWN_BROWSER_COOKIE_NAME, ""),
            salt=_SALT,
            max_age=settings.KNOWN_BROWSER_COOKIE_AGE,
        )
    except signing.BadSignature:
        return secrets.token_hex(8), []
    return found["browser"], found["known"]


def _remember(request: HttpRequest, response: HttpResponse, user: AbstractBaseUser) -> None:
    browser, known = _known_browser(request)
    known = [str(user.uid), *(uid for uid in known if uid != str(user.uid))][:_MOST_KNOWN]
    response.set_cookie(
        settings.KNOWN_BROWSER_COOKIE_NAME,
        signing.dumps({"browser": browser, "known": known}, salt=_SALT),
        max_age=settings.KNOWN_BROWSER_COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _too_many_passwords(wait_s: int) -> str:
    return _(
        "Too many wrong passwords for this name or from your network: try again in %(wait)s. If you have "
        "forgotten the password, “Forgotten?” sends you a mail that signs you in."
    ) % {"wait": in_words(wait_s)}


# Which of allauth's pages counts what; the key is the e-mail address sent.
_COUNTED = {
    "account_signup": "signup",
    "account_reset_password": "reset_password",
    "account_reset_password_from_key": "reset_password_from_key",
    "account_change_password": "change_password",
    "account_email": "manage_email",
    "account_reauthenticate": "reauthenticate",
}


def too_many(request: HttpRequest) -> HttpResponse:
    """The answer of allauth's pages to whoever asks too often: a sentence with the waiting time."""
    action = _COUNTED.get(request.resolver_match.url_name, "")
    wait_s = max(1, waiting_s(request, action, request.POST.get("email", "").lower() or None))
    response = render(request, "429.html", {"wait": in_words(wait_s)}, status=429)
    response["Retry-After"] = str(wait_s)
    return response
