"""What the environment decides, each tried in a process of its own, as a server starts."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from django.conf import settings as present

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "SECRET_KEY": "a-long-random-string-that-only-this-test-knows-0123456789-äöü",
    "DATABASE_URL": "postgis://app:secret@db.example.org:5433/maps",
    "REDIS_URL": "redis://queue.example.org:6379/1",
    "MEDIA_ROOT": f"{tempfile.gettempdir()}/tektite-media",
    "ALLOWED_HOSTS": "maps.example.org,www.example.org",
}
SAY = """
import json, sys
from webapp import settings
print(json.dumps({name: getattr(settings, name) for name in sys.argv[1:]}, default=str))
"""


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python with this environment and nothing else, also not that of a bin/run at work here."""
    environment = {"TEKTITE_VAR": "/nowhere", **environment}
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def settings_with(*names: str, **environment: str) -> dict[str, object]:
    answer = python("-c", SAY, *names, **environment)
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout)


def test_it_works_by_environment():
    names = ["DATABASES", "CACHES", "CELERY_BROKER_URL", "MEDIA_ROOT", "ALLOWED_HOSTS", "SECRET_KEY", "DEBUG"]
    found = settings_with(*names, **PRODUCTION)
    database = found["DATABASES"]["default"]
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.org", 5433, "maps")
    assert database["ENGINE"] == "django.contrib.gis.db.backends.postgis"
    assert found["CACHES"]["default"]["LOCATION"] == PRODUCTION["REDIS_URL"]
    assert found["CELERY_BROKER_URL"] == PRODUCTION["REDIS_URL"]
    assert found["MEDIA_ROOT"] == PRODUCTION["MEDIA_ROOT"]
    assert found["ALLOWED_HOSTS"] == ["maps.example.org", "www.example.org"]
    assert found["SECRET_KEY"] == PRODUCTION["SECRET_KEY"]
    assert found["DEBUG"] is False


def test_production_is_safe_without_being_told():
    answer = python("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert answer.returncode == 0, answer.stderr
    assert "no issues" in answer.stdout


def test_a_local_start_may_use_plain_http():
    names = ["SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"]
    assert settings_with(*names, **PRODUCTION, INSECURE_HTTP="1") == dict(
        zip(names, [False] * 3 + [0], strict=True)
    )
    safe = settings_with(*names, **PRODUCTION)
    assert safe.pop("SECURE_HSTS_SECONDS") >= 31_536_000
    assert all(safe.values())


def test_cookies_are_bound_to_this_host_over_tls_alone():
    names = ["SESSION_COOKIE_NAME", "CSRF_COOKIE_NAME", "KNOWN_BROWSER_COOKIE_NAME"]
    kept = [f"{cookie}_COOKIE_{what}" for cookie in ("SESSION", "CSRF") for what in ("SAMESITE", "HTTPONLY")]
    assert list(settings_with(*names, *kept, **PRODUCTION).values()) == [
        *("__Host-sessionid", "__Host-csrftoken", "__Host-known"),
        *("Lax", True, "Lax", False),
    ]
    plain = settings_with(*names, **PRODUCTION, INSECURE_HTTP="1")
    assert list(plain.values()) == ["sessionid", "csrftoken", "known"]


def test_no_more_proxies_are_believed_than_there_are():
    for environment, n in (({}, 0), ({"BEHIND_PROXY": "1"}, 1)):
        found = settings_with("ALLAUTH_TRUSTED_PROXY_COUNT", **PRODUCTION, **environment)
        assert found == {"ALLAUTH_TRUSTED_PROXY_COUNT": n}


def test_a_socket_serves_cache_and_queue():
    found = settings_with("CELERY_BROKER_URL", **{**PRODUCTION, "REDIS_URL": "unix:///run/redis.sock?db=1"})
    assert found["CELERY_BROKER_URL"] == "redis+socket:///run/redis.sock?virtual_host=1"


def test_what_bin_run_has_set_reaches_other_commands_unless_they_say_otherwise(tmp_path: Path):
    (tmp_path / "environment").write_text("SECRET_KEY='of-bin-run'\nDATABASE_URL='postgis://app@/ours'\n")
    found = settings_with("SECRET_KEY", "DATABASES", TEKTITE_VAR=str(tmp_path), SECRET_KEY="of-mine")
    assert found["SECRET_KEY"] == "of-mine"
    assert found["DATABASES"]["default"]["NAME"] == "ours"


def test_a_missing_secret_key_is_said_with_the_remedy():
    answer = python("-c", SAY, **{**PRODUCTION, "SECRET_KEY": ""})
    assert answer.returncode == 1
    assert "SECRET_KEY is not set: start with bin/run, or set it to a long random string." in answer.stderr


def test_a_missing_database_url_is_said():
    answer = python("-c", SAY, SECRET_KEY="x" * 50)
    assert answer.returncode == 1
    assert "DATABASE_URL" in answer.stderr.strip().splitlines()[-1]


def test_geodjango_uses_the_libraries_of_rasterio():
    assert "rasterio.libs" in str(present.GDAL_LIBRARY_PATH)
    assert "rasterio.libs" in str(present.GEOS_LIBRARY_PATH)
    foreign = {"PROJ_LIB": "/nowhere", "PROJ_DATA": "/nowhere", "GDAL_DATA": "/nowhere"}
    code = "import os, sys, webapp.settings; print([name for name in sys.argv[1:] if name in os.environ])"
    assert python("-c", code, *foreign, **PRODUCTION, **foreign).stdout.strip() == "[]"
