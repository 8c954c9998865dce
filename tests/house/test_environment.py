"""A bad value in the environment stops the start with one line that names the cure."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from orchestra import environment

ROOT = Path(__file__).parents[2]


def test_text_comes_from_the_variable_or_from_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ORCHESTRA_X", "plain")
    assert environment.text("ORCHESTRA_X") == "plain"
    secret = tmp_path / "secret"
    secret.write_text("from a file\n", encoding="utf-8")
    monkeypatch.setenv("ORCHESTRA_X_FILE", str(secret))
    assert environment.text("ORCHESTRA_X") == "from a file"
    monkeypatch.setenv("ORCHESTRA_X_FILE", str(tmp_path / "missing"))
    with pytest.raises(ImproperlyConfigured, match="Name a readable file"):
        environment.text("ORCHESTRA_X")


def test_text_without_a_default_must_be_set() -> None:
    assert environment.text("ORCHESTRA_UNSET", "default") == "default"
    with pytest.raises(ImproperlyConfigured, match="ORCHESTRA_UNSET_FILE"):
        environment.text("ORCHESTRA_UNSET")


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("Yes", True), ("off", False)])
def test_flags_are_yes_or_no(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("ORCHESTRA_X", value)
    assert environment.flag("ORCHESTRA_X", default=not expected) is expected


@pytest.mark.parametrize("value", ["maybe", "2", "-1"])
def test_other_flags_are_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORCHESTRA_X", value)
    with pytest.raises(ImproperlyConfigured, match="Use 1 or 0"):
        environment.flag("ORCHESTRA_X", default=False)


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "٣x", "0"])
def test_numbers_are_whole_and_large_enough(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORCHESTRA_X", value)
    with pytest.raises(ImproperlyConfigured, match="whole number of at least 1"):
        environment.number("ORCHESTRA_X", 5, minimum=1)


def test_words_are_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRA_X", " a, ,b ")
    assert environment.words("ORCHESTRA_X") == ["a", "b"]


def test_a_database_address_is_taken_apart() -> None:
    entry = environment.database(
        "DATABASE_URL", "postgresql://us%40er:p%3Aw@db.example:5433/na%20me?sslmode=require"
    )
    assert (entry["USER"], entry["PASSWORD"], entry["NAME"]) == ("us@er", "p:w", "na me")
    assert (entry["HOST"], entry["PORT"]) == ("db.example", "5433")
    assert entry["OPTIONS"] == {
        "connect_timeout": "10",
        "server_side_binding": True,
        "prepare_threshold": 3,
        "sslmode": "require",
    }


def test_a_pooler_may_ask_for_no_prepared_statements() -> None:
    entry = environment.database("DATABASE_URL", "postgresql://me@h/db?prepare=no")
    assert entry["OPTIONS"] == {"connect_timeout": "10"}


def test_a_socket_folder_is_the_host() -> None:
    entry = environment.database("DATABASE_URL", "postgresql://me@/db?host=/run/pg")
    assert (entry["HOST"], entry["PORT"]) == ("/run/pg", "")


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("sqlite:///db", "PostgreSQL only"),
        ("postgresql://u@h:port/db", "no port number"),
        ("postgresql://u@h:99999/db", "no port number"),
        ("postgresql://u@h:5432/", "names no database"),
    ],
)
def test_a_bad_database_address_is_refused(url: str, cure: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=cure):
        environment.database("DATABASE_URL", url)


@pytest.mark.parametrize(
    ("name", "value", "cure"),
    [
        ("ORCHESTRA_PORT", "http", "whole number"),
        ("DATABASE_URL", "mysql://u@h/db", "PostgreSQL only"),
        ("ORCHESTRA_SECRET_KEY_FILE", "/nowhere/key", "Name a readable file"),
        ("ORCHESTRA_VAR", "/proc/nowhere", "set ORCHESTRA_VAR to another folder"),
    ],
)
def test_a_command_answers_with_one_line(name: str, value: str, cure: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"],
        cwd=ROOT,
        env=os.environ | {name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert cure in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
