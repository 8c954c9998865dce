"""The lock files say what to install and never where from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("requirements.txt", "requirements-dev.txt")
PINNED = re.compile(r"^([a-z0-9._-]+)(\[[a-z0-9,-]+\])?==([^ ;\\]+)")


def pins(name: str) -> dict[str, str]:
    """Return package → version of a lock file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [match.groups() for line in lines if (match := PINNED.match(line))]
    return {package: version for package, _, version in found}


@pytest.mark.parametrize("name", FILES)
def test_the_lock_names_no_address(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"https?:|file:|/opt|--index|--find-links|--extra", text)


@pytest.mark.parametrize("name", FILES)
def test_every_package_carries_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[a-z0-9])", text)
    assert len(entries) > 30
    assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_both_locks_agree_and_cover_the_project() -> None:
    base, dev = (pins(name) for name in FILES)
    assert base.items() <= dev.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {
        re.split(r"[\[<>=!~ ]", text)[0].lower() for text in project["project"]["dependencies"]
    }
    assert wanted <= set(base)
    wanted_dev = {re.split(r"[\[<>=!~ ]", text)[0] for text in project["dependency-groups"]["dev"]}
    assert wanted_dev <= set(dev)
