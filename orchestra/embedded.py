"""What a first start needs and production brings itself: database address, secret key, broker folder."""

import os
import secrets
from pathlib import Path

from orchestra import environment

APPLICATION_ROLE = "orchestra_app"
OWNER_ROLE = "orchestra_owner"


def database_urls(var: Path) -> tuple[str, str]:
    """Return (application address, owner address); the embedded server's when DATABASE_URL is unset."""
    named = os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")
    if named:
        url = environment.text("DATABASE_URL")
        return url, environment.text("DATABASE_OWNER_URL", url)
    socket = var / "postgres"
    return (
        f"postgresql://{APPLICATION_ROLE}@/orchestra?host={socket}",
        f"postgresql://{OWNER_ROLE}@/orchestra?host={socket}",
    )


def secret_key(var: Path) -> str:
    """Return ORCHESTRA_SECRET_KEY, or a random key kept under `var` for a first start."""
    if os.environ.get("ORCHESTRA_SECRET_KEY") or os.environ.get("ORCHESTRA_SECRET_KEY_FILE"):
        return environment.text("ORCHESTRA_SECRET_KEY")
    path = var / "secret-key"
    if not path.exists():
        var.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(64), encoding="utf-8")
    return path.read_text(encoding="utf-8")


def broker_options(var: Path, url: str) -> dict[str, object]:
    """Return kombu's transport options; the folders of the file broker when that is used."""
    if not url.startswith("filesystem://"):
        return {}
    folder = var / "broker"
    for name in ("queue", "control", "processed"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "processed"),
        "store_processed": False,
        "polling_interval": 0.05,
    }
