"""Lines of the log: one object each, with the ids of what they belong to, and without secrets."""

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from psycopg.errors import DiskFull
from structlog.contextvars import bound_contextvars, clear_contextvars

from annotate.models import User
from annotate.services.disk import is_full
from webapp import logging_requests
from webapp.logging_config import ASKING, FORMATS, hidden, logging_config
from webapp.logging_gunicorn import Logger

Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def written() -> Iterator[Callable[[str], io.StringIO]]:
    """Everything logged from now on, in a format: written("json").getvalue()."""
    handlers = []

    def to(style: str) -> io.StringIO:
        formatter = dict(logging_config(style, "INFO")["formatters"]["line"])
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter.pop("()")(**formatter))
        logging.getLogger().addHandler(handler)
        handlers.append(handler)
        return stream

    clear_contextvars()
    ASKING.set(None)
    yield to
    clear_contextvars()
    for handler in handlers:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
def lines(written: Callable[[str], io.StringIO]) -> Lines:
    """The lines logged so far, as a collector of logs would read them."""
    stream = written("json")
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_it_works(client_of: Callable[[User | None], Client], lead: User, lines: Lines):
    """A line of a request can be found by the id that its answer carries, and says whose request it was."""
    answer = client_of(lead).get(reverse("review:run", args=[uuid4()]))
    assert answer.status_code == 404
    (line,) = [line for line in lines() if line["logger"] == "django.request"]
    assert line["request_id"] == answer["X-Request-ID"]
    assert line["user"] == lead.pk
    assert line["level"] == "warning"
    assert lead.username not in json.dumps(lines())
    assert lead.email not in json.dumps(lines())


def test_a_line_has_its_run_and_its_traceback(lines: Lines):
    with bound_contextvars(run="7f3", attempt=2):
        try:
            raise ValueError("the crater is inside out")
        except ValueError:
            logging.getLogger("review.runs").exception("Run %s failed", "7f3")
    (line,) = lines()
    assert (line["run"], line["attempt"], line["event"]) == ("7f3", 2, "Run 7f3 failed")
    assert line["exception"].endswith("ValueError: the crater is inside out")


def test_lines_for_eyes_hold_the_same(written: Callable[[str], io.StringIO]):
    stream = written("lines")
    with bound_contextvars(request_id="abc12345"):
        logging.getLogger("annotate").warning("A tile is late.")
    assert re.fullmatch(
        r"\d{4}-\S+Z WARNING annotate: A tile is late\.  request_id=abc12345\n", stream.getvalue()
    )


def test_there_are_no_other_formats():
    with pytest.raises(ValueError, match="LOG_FORMAT is one of lines, json, not “xml”"):
        logging_config("xml", "INFO")


@pytest.mark.django_db
class TestRequestId:
    def test_a_well_formed_one_is_kept(self, client: Client):
        answer = client.get("/accounts/login/", headers={"X-Request-ID": "proxy-7.41_b"})
        assert answer["X-Request-ID"] == "proxy-7.41_b"

    def test_every_request_has_another(self, client: Client):
        ids = {client.get("/accounts/login/")["X-Request-ID"] for _ in range(3)}
        assert len(ids) == 3

    @given(st.text())
    def test_whatever_is_sent_cannot_break_a_line_or_a_page(self, sent: str):
        given_back = logging_requests.id_of(sent)
        assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", given_back)

    def test_one_that_is_not_is_replaced(self, client: Client):
        for sent in ("short", "x" * 65, 'a"><script>alert(1)', "with space in it", "-leading-dash", ""):
            answer = client.get("/accounts/login/", headers={"X-Request-ID": sent})
            assert answer["X-Request-ID"] != sent
            assert re.fullmatch(r"[0-9a-f]{32}", answer["X-Request-ID"])

    def test_the_next_request_does_not_inherit_the_person(
        self, client_of: Callable[[User | None], Client], lead: User, lines: Lines
    ):
        client_of(lead).get(reverse("review:run", args=[uuid4()]))
        client_of(None).get("/nowhere")
        last = [line for line in lines() if line["logger"] == "django.request"][-1]
        assert "user" not in last


@pytest.mark.django_db
class TestMistakes:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], Client]:
        """A site of which one view raises."""

        def breaks(error: Exception) -> Client:
            def raises(*args: object, **kwargs: object) -> None:
                raise error

            monkeypatch.setattr("annotate.access.authorise", raises)
            return Client(raise_request_exception=False)

        return breaks

    def test_the_page_says_by_which_id_it_can_be_found(
        self, broken: Callable[[Exception], Client], lines: Lines
    ):
        answer = broken(RuntimeError("no such moon")).get(reverse("annotate:campaign_list"))
        assert answer.status_code == 500
        assert answer["X-Request-ID"] in answer.content.decode()
        (line,) = [line for line in lines() if line["level"] == "error"]
        assert line["request_id"] == answer["X-Request-ID"]
        assert "no such moon" in line["exception"]
        assert "no such moon" not in answer.content.decode()

    def test_the_api_says_so_too(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("review.access.get_run", lambda *args: 1 / 0)
        client = Client(raise_request_exception=False)
        answer = client.get(reverse("review:api_run", args=[uuid4()]), headers={"X-Request-ID": "lost-run-1"})
        assert answer.status_code == 500
        assert answer.json()["code"] == "server_error"
        assert answer.json()["request_id"] == "lost-run-1"
        assert "lost-run-1" in answer.json()["message"]

    def test_a_full_disk_is_told_as_such(self, broken: Callable[[Exception], Client]):
        answer = broken(OSError(28, "No space left on device")).get(reverse("annotate:campaign_list"))
        assert answer.status_code == 507
        assert "disk" in answer.content.decode()
        assert "make room" in answer.content.decode()

    def test_so_is_one_of_the_database(self, broken: Callable[[Exception], Client]):
        error = OperationalError('could not extend file "base/16384/2619"')
        error.__cause__ = DiskFull()
        assert broken(error).get(reverse("annotate:campaign_list")).status_code == 507

    def test_other_errors_of_files_are_not(self):
        assert not is_full(OSError(13, "Permission denied"))
        assert not is_full(None)


@pytest.mark.django_db
class TestSecrets:
    def test_a_sign_in_leaves_no_password_and_no_cookie(self, client: Client, lead: User, lines: Lines):
        client.post("/accounts/login/", {"login": lead.username, "password": "wrong-but-telling"})
        client.post("/accounts/login/", {"login": lead.username, "password": "correct horse battery"})
        client.get("/nowhere", headers={"Cookie": "sessionid=abcdefgh", "Authorization": "Token xyz"})
        said = json.dumps(lines())
        cookies = [cookie.value for cookie in client.cookies.values() if cookie.value]
        assert cookies
        for secret in ("wrong-but-telling", "correct horse battery", "abcdefgh", "xyz", *cookies):
            assert secret not in said

    @pytest.mark.parametrize(
        ("text", "secret"),
        [
            ("Cannot connect to redis://:hunter2@queue:6379/1", "hunter2"),
            ("postgis://app:s3cr3t@db/maps refused", "s3cr3t"),
            ("{'password': 'hunter2', 'login': 'ada'}", "hunter2"),
            ("Cookie: sessionid=hunter2; csrftoken=hunter2", "hunter2"),
            ("secret_key='hunter2'", "hunter2"),
            ("Not Found: /accounts/password/reset/key/3-d2f1-0aa9/", "d2f1"),
            ("GET /accounts/confirm-email/MTI:1u:abcd/", "abcd"),
            ("duplicate key: Key (email)=(ada@example.org) already exists", "ada@example.org"),
        ],
    )
    def test_what_libraries_quote_is_blotted_out(self, text: str, secret: str):
        assert secret not in hidden(text)
        assert "***" in hidden(text)

    @pytest.mark.parametrize(
        "text",
        ["Run 7 of Gassendi: 12 tiles", "http://localhost:8000/campaigns/", "Basemap: moon.tif, 3 × 4 px"],
    )
    def test_what_is_none_stays(self, text: str):
        assert hidden(text) == text


class TestAccess:
    """What gunicorn writes when an answer has been sent."""

    def log(self, environ: dict[str, object], **response: object) -> None:
        from datetime import timedelta

        logger = Logger.__new__(Logger)
        logger.access_log = logging.getLogger("test.access")
        logger._access_log_enabled = True
        sent = SimpleNamespace(**{"status": "200 OK", "sent": 1234, "headers": [], **response})
        logger.access(sent, None, environ, timedelta(milliseconds=41, microseconds=250))

    def test_it_has_id_person_and_duration(self, lines: Lines):
        self.log(
            {
                "REQUEST_METHOD": "GET",
                "PATH_INFO": "/campaigns/",
                "QUERY_STRING": "s=738000.signature",
                "HTTP_COOKIE": "sessionid=abc",
                "REMOTE_ADDR": "192.0.2.7",
                logging_requests.ID_KEY: "abcdefgh",
                logging_requests.USER_KEY: 12,
            }
        )
        (line,) = lines()
        expected = {"method": "GET", "path": "/campaigns/", "status": 200, "duration_ms": 41.2, "bytes": 1234}
        assert expected.items() <= line.items()
        assert (line["request_id"], line["user"], line["address"]) == ("abcdefgh", 12, "192.0.2.7")
        assert "signature" not in json.dumps(line)
        assert "sessionid" not in json.dumps(line)

    def test_what_never_reached_a_view_is_told_too(self, lines: Lines):
        self.log({"REQUEST_METHOD": "GET", "PATH_INFO": "/favicon.ico"}, status="304 Not Modified")
        (line,) = lines()
        assert line["status"] == 304
        assert "user" not in line


def test_nobody_can_forge_a_line(written: Callable[[str], io.StringIO]):
    """A path may hold a line break; what follows it must not look like a line of its own."""
    plain, machine = written("lines"), written("json")
    logging.getLogger("django.request").warning("Not Found: /%s", "x\n2026 ERROR root: all is lost")
    assert len(machine.getvalue().splitlines()) == 1
    assert all(line.startswith("    ") for line in plain.getvalue().splitlines()[1:])


@pytest.mark.parametrize("style", FORMATS)
def test_what_is_said_in_any_script_stays_one_line(style: str, written: Callable[[str], io.StringIO]):
    stream = written(style)
    logging.getLogger("x").info("Кратер Тихо\u2028 %s", "第谷")
    assert len(stream.getvalue().split("\n")) == 2
