"""Settings, all from the environment; docs/settings.md has the tables."""

from datetime import timedelta
from pathlib import Path

from csp import constants as csp
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

from reconciler.core.engine_url import engine_url_problem, shown_url
from reconciler.core.labels import MAX_VALUE_CHARS
from tinyforge.alert_rules import alert_rules
from tinyforge.alerting import alerting, site_of
from tinyforge.database import database
from tinyforge.env import Env, followers_most, wrong
from tinyforge.logs import logging_of
from tinyforge.oidc import oidc
from tinyforge.queues import celery

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env()

# Django

DEBUG = env.flag("DEBUG", default=False)
HTTPS = env.flag("HTTPS", default=not DEBUG)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS")
for origin in CSRF_TRUSTED_ORIGINS:
    if not origin.startswith(("http://", "https://")):
        raise wrong("CSRF_TRUSTED_ORIGINS", origin, "origins with their scheme, such as https://index.example.org")

SECRET_KEY = env.secret("SECRET_KEY")
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured(
            "SECRET_KEY='' is not usable; allowed: a long random text, in SECRET_KEY or in the file that "
            "SECRET_KEY_FILE names (DEBUG=1 makes one up for each start)"
        )
    SECRET_KEY = get_random_secret_key()

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
    "reconciler",
    "alerts",
    "web",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "web.middleware.PermissionsPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "web.middleware.UsableCookiesMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    # the last one, as django-axes demands
    "axes.middleware.AxesMiddleware",
]

DEFAULT_EXCEPTION_REPORTER_FILTER = "tinyforge.debug.UrlHidingFilter"

ROOT_URLCONF = "tinyforge.urls"
WSGI_APPLICATION = "tinyforge.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Logins

AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
SESSION_COOKIE_AGE = round(env.number("SESSION_HOURS", 12, above=0, most=8760) * 3600)
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
AXES_FAILURE_LIMIT = env.whole("LOGIN_FAILURES", 5, least=1, most=1_000)
AXES_COOLOFF_TIME = timedelta(minutes=env.number("LOGIN_LOCKOUT_MINUTES", 15, above=0, most=10_080))
# whoever guesses is locked out by name and address, so that he locks nobody else out
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "web.address.client_address"
AXES_USERNAME_CALLABLE = "web.audit.tried_name"
AXES_WHITELIST_CALLABLE = "web.audit.is_judged_elsewhere"
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False
AXES_DISABLE_ACCESS_LOG = True
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# logins at an OpenID Connect provider, if one is named
OIDC = oidc(env)
globals().update(OIDC)
AUTHENTICATION_BACKENDS += ["web.oidc.Provider"] if OIDC else []

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = env.text("STATIC_ROOT", str(BASE_DIR / "var" / "static"))
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [csp.SELF],
        "img-src": [csp.SELF, "data:"],
        "object-src": [csp.NONE],
        "base-uri": [csp.NONE],
        "form-action": [csp.SELF],
        "frame-ancestors": [csp.NONE],
    }
}

SECURE_SSL_REDIRECT = HTTPS
# asked from beside the process, without the proxy that speaks TLS
SECURE_REDIRECT_EXEMPT = ["^livez$", "^readyz$", "^metrics$"]
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS

# Database

DATABASE_POOL = env.whole("DATABASE_POOL", 0, least=0, most=1_000)
DATABASE_URL = env.url(
    "DATABASE_URL", f"sqlite:///{BASE_DIR / 'var' / 'db.sqlite3'}", ["sqlite", "postgres", "postgresql"]
)
DATABASES = {"default": database(DATABASE_URL, pool=DATABASE_POOL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The index: times in seconds

LONGEST_INTERVAL = 300.0
DEFAULT_INTERVAL = 30.0
RECONCILE_INTERVAL = min(env.number("RECONCILE_INTERVAL", DEFAULT_INTERVAL), LONGEST_INTERVAL)
if RECONCILE_INTERVAL <= 0:
    RECONCILE_INTERVAL = DEFAULT_INTERVAL
ENGINE_TIMEOUT = env.number("ENGINE_TIMEOUT", 10, above=0, most=300)
# the largest listing that an Engine may send, in mebibytes
ENGINE_MAX_BODY_MIB = env.whole("ENGINE_MAX_BODY_MIB", 64, least=1, most=1_024)
EVENT_WINDOW = env.number("EVENT_WINDOW", 0.1, above=0, most=10)
LOCK_TTL = env.number("LOCK_TTL", 30, above=0, most=3600)

# a failing host is tried again after an interval at first, and every five minutes in the end
LONGEST_BACKOFF = 300.0

# the safeguard: how much of a host may go missing after a single listing
HOLD_SHARE = env.number("HOLD_SHARE", 0.5, above=0, most=1)
HOLD_LEAST = env.whole("HOLD_LEAST", 5, least=1, most=1_000_000)
HOLD_SECONDS = env.number("HOLD_SECONDS", 5, above=0, most=300)

# inspects of changed containers, for each pass
INSPECT_MOST = env.whole("INSPECT_MOST", 100, least=0, most=10_000)
INSPECT_SECONDS = env.number("INSPECT_SECONDS", 2, above=0, most=60)

RESTART_LOOP_COUNT = env.whole("RESTART_LOOP_COUNT", 3, least=1, most=1_000)
RESTART_LOOP_SECONDS = env.number("RESTART_LOOP_SECONDS", 600, above=0, most=86_400)

# when incidents are told, and when they are over
ALERT_RULES = alert_rules(env, RECONCILE_INTERVAL)

# retention in days; 0 keeps everything
TRANSITION_DAYS = env.whole("TRANSITION_DAYS", 90, least=0, most=36_500)
MISSING_DAYS = env.whole("MISSING_DAYS", 30, least=0, most=36_500)

INSTALL_ID = env.text("INSTALL_ID")
if len(INSTALL_ID) > MAX_VALUE_CHARS or not INSTALL_ID.isprintable():
    raise wrong("INSTALL_ID", INSTALL_ID, f"at most {MAX_VALUE_CHARS} printable characters")

DOCKER_HOST = env.text("DOCKER_HOST", "unix:///var/run/docker.sock")
if problem := engine_url_problem(DOCKER_HOST):
    raise wrong("DOCKER_HOST", shown_url(DOCKER_HOST), f"the URL of an Engine ({problem})")
DOCKER_CERT_PATH = Path(env.text("DOCKER_CERT_PATH", str(Path.home() / ".docker")))
DOCKER_TLS: dict[str, Path] | None = (
    {"ca": DOCKER_CERT_PATH / "ca.pem", "cert": DOCKER_CERT_PATH / "cert.pem", "key": DOCKER_CERT_PATH / "key.pem"}
    if env.text("DOCKER_TLS_VERIFY")
    else None
)
# the directory below which the TLS files of hosts must lie
TLS_ROOT: Path | None = Path(env.text("TLS_ROOT")) if env.text("TLS_ROOT") else None
if TLS_ROOT and not TLS_ROOT.is_absolute():
    raise wrong("TLS_ROOT", str(TLS_ROOT), "an absolute path, such as /tls")

# Celery, and the Redis it shares with the locks

REDIS_URL = env.url("REDIS_URL", "redis://127.0.0.1:6379/0", ["redis", "rediss", "unix"])
CELERY_TASK_DEFAULT_QUEUE: str
CELERY_TASK_TIME_LIMIT: int
CELERY_WORKER_CONCURRENCY: int
globals().update(celery(env, REDIS_URL, interval=RECONCILE_INTERVAL, engine_timeout=ENGINE_TIMEOUT))

# Who is told

CHANNEL_KEYS: list[str]
WEBHOOK_NETWORKS: list[str]
HEARTBEAT_URL: str
SITE_URL: str
globals().update(alerting(env, site=site_of(ALLOWED_HOSTS, https=HTTPS)))

# Who follows the feed: each long poll and each stream takes a thread of its web process

FOLLOWERS_MOST = followers_most(env)

# Metrics

METRICS_ALLOW = env.networks("METRICS_ALLOW")
METRICS_MOST_ROWS = env.whole("METRICS_MOST_ROWS", 5_000, least=0, most=1_000_000)

# Logs

LOG_FORMAT = env.choice("LOG_FORMAT", "LINE", ["LINE", "JSON"])
LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
LOGGING = logging_of(LOG_FORMAT, LOG_LEVEL)
