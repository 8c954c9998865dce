"""Orchestra's settings: one file, read from the environment (`orchestra/environment.py`)."""

from pathlib import Path

from django.utils.csp import CSP

from orchestra import embedded, environment, openapi

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(environment.text("ORCHESTRA_VAR", str(BASE_DIR / "var"))).resolve()

DEBUG = environment.flag("ORCHESTRA_DEBUG", default=False)
DEMO = environment.flag("ORCHESTRA_DEMO", default=False)
# HTTPS is assumed; `make up` serves plain HTTP on the loopback address only and says so here.
INSECURE_LOOPBACK = environment.flag("ORCHESTRA_INSECURE_LOOPBACK", default=False)
SECRET_KEY = embedded.secret_key(VAR_DIR)
SECRET_KEY_FALLBACKS = environment.words("ORCHESTRA_SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = environment.words("ORCHESTRA_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = environment.words("ORCHESTRA_TRUSTED_ORIGINS")
PORT = environment.number("ORCHESTRA_PORT", 8000, minimum=1)

INSTALLED_APPS = [
    "orchestra",
    "billing",
    "inventory",
    "inventory.foundation",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_cotton.apps.SimpleAppConfig",
    "django_filters",
    "django_htmx",
    "django_tables2",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "pgtrigger",
    "rest_framework",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "inventory.foundation.middleware.RequestContextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "inventory.foundation.middleware.ViewerMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "orchestra.urls"
WSGI_APPLICATION = "orchestra.wsgi.application"
ASGI_APPLICATION = "orchestra.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django_cotton.cotton_loader.Loader",
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["django_cotton.templatetags.cotton"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "inventory.foundation.context.portal",
            ],
        },
    }
]
COTTON_DIR = "components"
FORM_RENDERER = "inventory.foundation.forms.PortalRenderer"
DJANGO_TABLES2_TEMPLATE = "components/table.html"

# One database, two roles: portal and workers may use the tables, only `owner` may change them.
_application_url, _owner_url = embedded.database_urls(VAR_DIR)
DATABASES = {
    "default": {
        **environment.database("DATABASE_URL", _application_url),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    },
    "owner": environment.database("DATABASE_OWNER_URL", _owner_url),
}
DATABASE_APPLICATION_ROLE = environment.text(
    "DATABASE_APPLICATION_ROLE", str(DATABASES["default"]["USER"]) or "orchestra_app"
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "foundation.User"
KNOX_TOKEN_MODEL = "orchestra.ApiToken"  # noqa: S105 - the name of a model

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
CSRF_FAILURE_VIEW = "inventory.foundation.views.csrf_failure"
# Numbers beside entries of the navigation: a URL name and the selector whose rows are counted.
PORTAL_NAV_COUNTS = {
    "orchestra:approvals": "orchestra.selectors.orders.inbox",
    "orchestra:notices": "orchestra.selectors.notices.unread",
}
LOGIN_URL = "foundation:login"
LOGIN_REDIRECT_URL = "orchestra:start"
LOGOUT_REDIRECT_URL = "foundation:login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        # Compressing takes half a minute and a wire: the loopback demo has neither.
        "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        if INSECURE_LOOPBACK
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["gz", "br", "png", "jpg", "webp", "woff", "woff2", "map"]
MEDIA_ROOT = VAR_DIR / "media"

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
    "base-uri": [CSP.NONE],
}
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not INSECURE_LOOPBACK
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = not INSECURE_LOOPBACK
SECURE_HSTS_SECONDS = 0 if INSECURE_LOOPBACK else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not INSECURE_LOOPBACK
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CELERY_BROKER_URL = environment.text("CELERY_BROKER_URL", "filesystem://localhost")
CELERY_BROKER_TRANSPORT_OPTIONS = embedded.broker_options(VAR_DIR, CELERY_BROKER_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # the row is the job; a lost message is found by the sweeper
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# Over files nobody reads the answers of remote control, so they would pile up.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not CELERY_BROKER_URL.startswith("filesystem://")
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "beat" / "schedule")
# A message that nobody took before the next one is due is dropped.
CELERY_BEAT_SCHEDULE = {
    task: {"task": task, "schedule": seconds, "options": {"expires": seconds}}
    for task, seconds in (
        ("orchestra.sweep", 5.0),
        ("orchestra.retire_ended", 60.0),
        ("orchestra.carry_out_moves", 60.0),
        ("orchestra.send_mails", 60.0),
        ("orchestra.warn_of_ends", 300.0),
        ("orchestra.expire_orders", 300.0),
        ("billing.rate_open_periods", 300.0),
    )
}

ORCHESTRA_PROVIDERS = {"simulated": "orchestra.providers.simulated.SimulatedProvider"}
ORCHESTRA_LEASE_SECONDS = environment.number("ORCHESTRA_LEASE_SECONDS", 30, minimum=1)
ORCHESTRA_HEARTBEAT_SECONDS = environment.number("ORCHESTRA_HEARTBEAT_SECONDS", 10, minimum=1)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "inventory.foundation.authentication.PortalTokens",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": [
        "rest_framework.permissions.IsAuthenticated",
        "inventory.foundation.authentication.TokenReach",
    ],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "inventory.foundation.paging.ApiPages",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["inventory.foundation.parsers.StrictJson"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "inventory.foundation.problems.exception_handler",
    "COERCE_DECIMAL_TO_STRING": True,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Orchestra",
    "DESCRIPTION": "Order, watch and pay for capacity of a shared IT resource pool.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_SETTINGS": {"docExpansion": "none", "deepLinking": True},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": openapi.ENUM_NAMES,
}
REST_KNOX = {"TOKEN_PREFIX": "orc_", "TOKEN_TTL": None}
MAILERS, ORCHESTRA_MAIL_FROM, ORCHESTRA_URL = environment.mail(VAR_DIR, PORT)
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1_000

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} {message}", "style": "{"},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": environment.text("ORCHESTRA_LOG_LEVEL", "INFO")},
}
