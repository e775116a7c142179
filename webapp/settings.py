"""Settings by environment. bin/run sets them for a private start; docs/operators.md lists them all."""

from webapp.geo_libraries import GDAL_LIBRARY_PATH, GEOS_LIBRARY_PATH  # noqa: F401, I001 - must be first

from datetime import timedelta
from pathlib import Path

import environ
from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from webapp.logging_config import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# -- Where things are ---------------------------------------------------------------------------

VAR_DIR = Path(env.str("TEKTITE_VAR", default=str(BASE_DIR / "var")))
# While bin/run runs, what it has set stands there, so that manage.py reaches the same servers.
env.read_env(VAR_DIR / "environment")
DEBUG = env.bool("DEBUG", default=False)
# Said on the operator's page where this is no git checkout, which knows its commit.
TEKTITE_VERSION = env.str("TEKTITE_VERSION", default="")
MEDIA_ROOT = env.str("MEDIA_ROOT", default=str(VAR_DIR / "media"))
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set: start with bin/run, or set it to a long random string."
    )
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = {"default": env.db_url("DATABASE_URL", engine="django.contrib.gis.db.backends.postgis")}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
# Over TCP a peer that is gone without a word, its cable cut, is noticed within half a minute at either end:
# here a query fails instead of waiting, there the locks of whoever was cut off are let go.
DATABASES["default"]["OPTIONS"] = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 4,
    "tcp_user_timeout": 30_000,
    "options": "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4 "
    "-c tcp_user_timeout=30000 -c idle_in_transaction_session_timeout=900000",
    **DATABASES["default"].get("OPTIONS", {}),
}
DATABASES["default"]["TEST"] = {"NAME": env.str("TEST_DATABASE_NAME", default="test_tektite")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://localhost:6379/0")
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# -- What it is made of -------------------------------------------------------------------------

INSTALLED_APPS = [
    "webapp.apps.WebappConfig",
    "annotate",
    "review",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "webapp.apps.StaticConfig",
    "django.contrib.humanize",
    "django.contrib.gis",
    "allauth",
    "allauth.account",
    "csp",
    "leaflet",
    "rest_framework",
    "rest_framework_gis",
    "drf_spectacular",
]
MIDDLEWARE = [
    "webapp.logging_requests.RequestLogMiddleware",
    "webapp.headers.SafetyHeadersMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "webapp.uploads.UploadLimitMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "webapp.api.RefusalMiddleware",
]
ROOT_URLCONF = "webapp.urls"
WSGI_APPLICATION = "webapp.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# -- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "annotate.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "review:home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_ADAPTER = "webapp.accounts.AccountAdapter"
# Whoever gets the mail is its owner; so nobody who is locked out has to wait (webapp/accounts.py).
ACCOUNT_LOGIN_ON_PASSWORD_RESET = True
# amount/time/whom: an address (IPv6: its /64), a signed-in user, or a key such as an e-mail address.
ACCOUNT_RATE_LIMITS = {
    # Sign-ins are counted by wrong passwords, in the four ways that webapp/accounts.py tells.
    "login": None,
    "login_failed": None,
    "sign_in_here": "5/5m/key",
    "sign_in_address": "50/5m/ip",
    "sign_in_account": "60/h/key",
    "sign_in_known": "10/5m/key",
    "signup": "20/m/ip,200/d/ip",
    "signup_mail": "3/h/key",
    "reset_password": "20/m/ip,5/h/key",
}
# Proxies in front that each append the address they were asked from to X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = env.int(
    "TRUSTED_PROXY_COUNT", default=int(env.bool("BEHIND_PROXY", default=False))
)
EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=25)
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=False)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Tektite <tektite@localhost>")
SESSION_COOKIE_AGE = int(timedelta(days=14).total_seconds())
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
# Scripts send it back with what they save, so they must be able to read it.
CSRF_COOKIE_HTTPONLY = False
KNOWN_BROWSER_COOKIE_AGE = int(timedelta(days=180).total_seconds())

# -- Safety of the connection: on unless DEBUG or INSECURE_HTTP (bin/run's local start) says otherwise --

INSECURE_HTTP = env.bool("INSECURE_HTTP", default=DEBUG)
SESSION_COOKIE_SECURE = not INSECURE_HTTP
CSRF_COOKIE_SECURE = not INSECURE_HTTP
# Browsers take a cookie of such a name only over TLS and from this very host, never from a neighbour's page.
_COOKIE_PREFIX = "" if INSECURE_HTTP else "__Host-"
SESSION_COOKIE_NAME = f"{_COOKIE_PREFIX}sessionid"
CSRF_COOKIE_NAME = f"{_COOKIE_PREFIX}csrftoken"
KNOWN_BROWSER_COOKIE_NAME = f"{_COOKIE_PREFIX}known"
SECURE_SSL_REDIRECT = not INSECURE_HTTP
SECURE_REDIRECT_EXEMPT = [r"^healthz(/web)?$"]
SECURE_HSTS_SECONDS = 0 if INSECURE_HTTP else int(timedelta(days=365).total_seconds())
SECURE_HSTS_INCLUDE_SUBDOMAINS = not INSECURE_HTTP
SECURE_HSTS_PRELOAD = not INSECURE_HTTP
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": [],
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        # Leaflet moves its panes by element.style, which this does not cover; style="" it does.
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    },
}

# -- Files --------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.str("STATIC_ROOT", default=str(VAR_DIR / "static"))
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/htmx", BASE_DIR / "node_modules/htmx.org/dist"),
    ("vendor/idb", BASE_DIR / "node_modules/idb/build"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "webapp.storage.ModuleManifestStorage"
    },
}
FILE_UPLOAD_HANDLERS = ["webapp.uploads.UploadHandler"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
# Of one request; each is an open file until it is stored.
DATA_UPLOAD_MAX_NUMBER_FILES = 201
# Upper limits, named in the refusals.
MAX_UPLOAD_BYTES = env.int("MAX_UPLOAD_BYTES", default=8 * 1024**3)
# What the basemaps of one person may take on the disk; staff are free.
MAX_BYTES_PER_PERSON = env.int("MAX_BYTES_PER_PERSON", default=200 * 1024**3)
MAX_RASTER_PX = env.int("MAX_RASTER_PX", default=4_000_000_000)
# Work that would leave less than this free is refused; None: 2 GiB, or 5 % of a disk smaller than 40 GiB.
MIN_FREE_BYTES = env.int("MIN_FREE_BYTES", default=None)
# What bin/backup has left behind at its last good end: {"at", "path", "bytes"}.
BACKUP_STAMP = env.str("BACKUP_STAMP", default=str(VAR_DIR / "last-backup.json"))

# -- API ----------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["webapp.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_THROTTLE_CLASSES": ["webapp.throttling.WriteThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["webapp.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "webapp.api.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tektite",
    "DESCRIPTION": "People and models map planetary surfaces together. All lengths are metres on the body.",
    "VERSION": "1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "webapp.openapi.add_refusals",
    ],
    "ENUM_NAME_OVERRIDES": {
        "Answer": "review.answers.ANSWERS",
        "BasemapKind": "annotate.models.Basemap.Kind",
        "BasemapState": "annotate.models.Basemap.State",
        "FeatureStatus": "annotate.models.Feature.Status",
        "RunEventKind": "review.models.RunEvent.Kind",
        "RunState": "review.models.Run.State",
        "TriageAnswer": "review.answers.TRIAGE_ANSWERS",
        "TriageStage": "review.answers.STAGES",
        "Verb": "review.models.Run.Verb",
        "VisitState": "annotate.models.Visit.State",
        "WhyNoSubject": "review.answers.REASONS",
        "WhyNoTile": "annotate.answers.REASONS",
    },
}
# Of one person: ten times what the fastest hand draws, and more than a browser that catches up can send.
API_WRITES_PER_MINUTE = env.int("API_WRITES_PER_MINUTE", default=3000)
# Answers of one person to pictures of foils: nobody looks at two pictures in a second for a whole minute.
FOIL_ANSWERS_PER_MINUTE = env.int("FOIL_ANSWERS_PER_MINUTE", default=120)
# People who begin without a sign-in, from one network: a school may share one address.
FOIL_VISITORS_PER_HOUR = env.int("FOIL_VISITORS_PER_HOUR", default=300)

# -- Background work ----------------------------------------------------------------------------

# The same Redis, in Celery's spelling of a socket's address.
CELERY_BROKER_URL = env.str(
    "CELERY_BROKER_URL",
    default=REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1),
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# How often whoever works says that it lives; it counts as silent after 2.5 of these, as lost after 4.
HEARTBEAT_S = env.float("HEARTBEAT_S", default=10.0)
# A run that takes longer is ended in words, and so is a learning process that says nothing for so long.
RUN_LIMIT_S = env.int("RUN_LIMIT_S", default=5 * 24 * 3600)
RUN_STALL_S = env.int("RUN_STALL_S", default=3600)
# On one host; a worker for them must stay free for what is asked meanwhile.
CONVERSIONS_AT_ONCE = env.int("CONVERSIONS_AT_ONCE", default=1)
# What a learning process prints: of a longer log the latest half is kept.
RUN_LOG_BYTES = env.int("RUN_LOG_BYTES", default=10_000_000)
# A worker asks for its queue for ever: the broker may be away, or come back empty, and rows say what is lost.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
# Whoever asks over the web does not wait long for it: what waits in a row is enqueued again by beat.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1, "interval_max": 0.1}
# A run outlives the connection over which it was asked for; its message, coming twice, finds it claimed.
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than the longest run: a task that outlives it would be delivered a second time.
    "visibility_timeout": RUN_LIMIT_S + 2 * 24 * 3600,
    # A peer that is gone without a word, its cable cut, is noticed within half a minute.
    "socket_connect_timeout": 5,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 15,
}
CELERY_TASK_ROUTES = {
    "review.tasks.train_task": {"queue": "gpu"},
    "review.tasks.predict_task": {"queue": "gpu"},
}
# Known to be alive as long as it looks at its schedule.
CELERY_BEAT_SCHEDULER = "webapp.presence:Scheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 15
CELERY_BEAT_SCHEDULE = {
    "settle-due-tiles": {"task": "annotate.tasks.settle_due_tiles_task", "schedule": 60.0},
    "forget-ended-sessions": {
        "task": "annotate.tasks.forget_ended_sessions_task",
        "schedule": timedelta(hours=6),
    },
    "tend-imports": {"task": "annotate.tasks.tend_imports_task", "schedule": 60.0},
    # Asked too late it has been asked again: a queue that was not read for long is not full of it.
    "requeue-runs": {
        "task": "review.tasks.requeue_runs_task",
        "schedule": HEARTBEAT_S,
        "options": {"expires": 30.0},
    },
    # At night, when few people judge; in the zone of TIME_ZONE.
    "reckon-nightly": {
        "task": "review.tasks.reckon_nightly_task",
        "schedule": crontab(hour=2, minute=30),
    },
    "requeue-errands": {
        "task": "review.tasks.requeue_errands_task",
        "schedule": HEARTBEAT_S,
        "options": {"expires": 30.0},
    },
    "tend-pictures": {
        "task": "review.tasks.tend_pictures_task",
        "schedule": HEARTBEAT_S,
        "options": {"expires": 30.0},
    },
    "requeue-conversions": {
        "task": "annotate.tasks.requeue_conversions_task",
        "schedule": HEARTBEAT_S,
        "options": {"expires": 30.0},
    },
}

# -- Logging ------------------------------------------------------------------------------------

# "lines" for eyes, "json" for what collects logs; see webapp/logging_config.py.
LOG_FORMAT = env.str("LOG_FORMAT", default="lines")
LOGGING = logging_config(LOG_FORMAT, env.str("LOG_LEVEL", default="INFO"))
