"""Vendored assets are what the manifest says, and tests need no collectstatic."""

import hashlib
import tomllib
from pathlib import Path

import pytest
from django.templatetags.static import static

VENDOR = Path(__file__).parents[2] / "static" / "vendor"
MANIFEST = tomllib.loads((VENDOR / "vendor.toml").read_text(encoding="utf-8"))
PACKAGES = [pytest.param(package, id=package["name"]) for package in MANIFEST["package"]]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_vendored_file_is_the_one_in_the_manifest(package: dict) -> None:
    assert package["version"]
    assert package["licence"]
    assert package["source"] == "npm"
    assert package["files"], "a package without files is not vendored"
    for path, expected in package["files"].items():
        assert hashlib.sha256((VENDOR / path).read_bytes()).hexdigest() == expected, path


def test_no_vendored_file_is_missing_from_the_manifest() -> None:
    present = {
        str(path.relative_to(VENDOR))
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendor.toml"
    }
    assert present == {path for package in MANIFEST["package"] for path in package["files"]}


def test_static_addresses_need_no_collected_files() -> None:
    assert static("css/base.css") == "/static/css/base.css"
