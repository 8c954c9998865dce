"""Read the environment for the settings; a bad value stops the start with one clear line."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str | None = None) -> str:
    """Return the variable NAME, or the content of the file that NAME_FILE points to.

    Raises ImproperlyConfigured when neither is set and there is no default.
    """
    file_name = os.environ.get(f"{name}_FILE")
    if file_name:
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            message = f"{name}_FILE={file_name}: {error.strerror}. Name a readable file."
            raise ImproperlyConfigured(message) from error
    value = os.environ.get(name)
    if value:
        return value
    if default is None:
        message = f"{name} is not set. Set it, or set {name}_FILE to a file that holds it."
        raise ImproperlyConfigured(message)
    return default


def flag(name: str, *, default: bool) -> bool:
    """Return a yes-or-no variable; anything but 1/0, true/false, yes/no, on/off is refused."""
    value = os.environ.get(name, "").strip().lower()
    if not value:
        return default
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    message = f"{name}={value!r} is neither yes nor no. Use 1 or 0."
    raise ImproperlyConfigured(message)


def number(name: str, default: int, *, minimum: int = 0) -> int:
    """Return a whole-number variable of at least `minimum`."""
    value = os.environ.get(name, "").strip()
    if not value:
        return default
    if not value.isdecimal() or int(value) < minimum:
        message = f"{name}={value!r} is not a whole number of at least {minimum}."
        raise ImproperlyConfigured(message)
    return int(value)


def words(name: str, default: str = "") -> list[str]:
    """Return a comma-separated variable as a list without empty entries."""
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def database(name: str, url: str) -> dict[str, object]:
    """Turn a postgresql:// address into a Django DATABASES entry.

    Raises ImproperlyConfigured for any other kind of database: there is one dialect (ADR 1).
    """
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"}:
        message = f"{name} must start with postgresql://; Orchestra runs on PostgreSQL only."
        raise ImproperlyConfigured(message)
    options = dict(parse_qsl(parts.query))
    try:
        port = str(parts.port or options.pop("port", ""))
    except ValueError as error:
        message = (
            f"{name} has a port that is no port number. Write postgresql://user@host:5432/name."
        )
        raise ImproperlyConfigured(message) from error
    if not parts.path.lstrip("/"):
        message = f"{name} names no database. Write postgresql://user@host:5432/name."
        raise ImproperlyConfigured(message)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", unquote(parts.hostname or "")),
        "PORT": port,
        "OPTIONS": {"connect_timeout": "10", **_prepared(options)},
    }


def _prepared(options: dict[str, str]) -> dict[str, Any]:
    """Let the server keep the plans of statements that a connection repeats.

    A worker or a replay says the same few hundred thousands of times, and planning is a large part
    of each. `?prepare=no` in the address is for poolers that hand each transaction another
    connection.
    """
    if options.pop("prepare", "yes") == "no":
        return options
    return {"server_side_binding": True, "prepare_threshold": 3, **options}


# Off means that nothing is ever handed over (no sender); a server then needs no other back end.
MAIL_BACKENDS = {"off": "smtp", "console": "console", "file": "filebased", "smtp": "smtp"}
SMTP_SECURITY = {"starttls": {"use_tls": True}, "tls": {"use_ssl": True}, "none": {}}


def mail(var: Path, port: int) -> tuple[dict[str, dict[str, Any]], str, str]:
    """Return Django's MAILERS, the sender of the notices (empty: no e-mail), and the portal's
    address for the links in them.

    ORCHESTRA_MAIL is off, console, file (into var/mail) or smtp. Raises ImproperlyConfigured.
    """
    kind = chosen("ORCHESTRA_MAIL", "off", MAIL_BACKENDS)
    options: dict[str, Any] = {}
    if kind == "file":
        options = {"file_path": str(var / "mail")}
    elif kind == "smtp":
        options = {
            "host": text("ORCHESTRA_SMTP_HOST"),
            "port": number("ORCHESTRA_SMTP_PORT", 587, minimum=1),
            "username": text("ORCHESTRA_SMTP_USER", ""),
            "password": text("ORCHESTRA_SMTP_PASSWORD", ""),
            "timeout": 20,
            **SMTP_SECURITY[chosen("ORCHESTRA_SMTP_SECURITY", "starttls", SMTP_SECURITY)],
        }
    backend = f"django.core.mail.backends.{MAIL_BACKENDS[kind]}.EmailBackend"
    sender = "" if kind == "off" else text("ORCHESTRA_MAIL_FROM", "Orchestra <orchestra@localhost>")
    address = text("ORCHESTRA_URL", f"http://localhost:{port}").rstrip("/")
    return {"default": {"BACKEND": backend, "OPTIONS": options}}, sender, address


def chosen(name: str, default: str, words: Collection[str]) -> str:
    """Return a variable that is one of the words."""
    word = text(name, default).lower()
    if word not in words:
        message = f"{name}={word!r} is none of {', '.join(words)}."
        raise ImproperlyConfigured(message)
    return word
