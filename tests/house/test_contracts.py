"""The one-way street and the few habits that a linter does not know."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
HOUSES = ("inventory", "billing", "orchestra")
MONEY = (
    "inventory/capacity.py",
    "billing/pricing.py",
    "billing/models.py",
    "billing/services*",
    "billing/selectors*",
    "billing/exports*",
    # A figure's values stay exact: inventory/foundation/figures.py alone makes them places on a
    # screen, and nothing reads them back.
    "*/charts.py",
)
LONGEST_FILE = 600


def sources(*patterns: str) -> list[Path]:
    """Return our own Python files under the patterns, without migrations."""
    found = []
    for pattern in patterns:
        for path in ROOT.glob(pattern):
            found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [path for path in found if "migrations" not in path.parts]


def nodes(path: Path) -> Iterator[ast.AST]:
    """Return every node of a file's syntax tree."""
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def test_imports_go_down_the_street_only() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("path", sources(*MONEY), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_float_near_money_or_capacity(path: Path) -> None:
    floats = [
        f"{path.name}:{node.lineno}"
        for node in nodes(path)
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.Attribute) and node.attr == "FloatField")
    ]
    assert floats == []


def test_only_the_bell_sends_a_message() -> None:
    rung = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources(*HOUSES)
        if path != ROOT / "orchestra" / "bell.py"
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in {"send_task", "delay", "apply_async"}
    ]
    assert rung == []


def test_no_business_hides_in_signals() -> None:
    """The one receiver gives the application's role its rights after a migrate."""
    connected = {
        str(path.relative_to(ROOT))
        for path in sources(*HOUSES)
        for node in nodes(path)
        if isinstance(node, ast.ImportFrom)
        and node.module in {"django.db.models.signals", "django.dispatch"}
    }
    assert connected <= {"inventory/foundation/apps.py"}


def test_services_take_the_time_as_an_argument() -> None:
    """Business time comes in as `at`; only the doors ask the database for it."""
    asked = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources("*/services*", "inventory/foundation/services*", "billing/pricing.py")
        for node in nodes(path)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)
        in {"now", "utcnow", "today", "database_now"}
    ]
    assert asked == []


def test_no_file_is_too_long_to_read() -> None:
    files = sources(*HOUSES, "tests")
    files += [*ROOT.glob("templates/**/*.html"), *ROOT.glob("static/js/*.js")]
    files += ROOT.glob("static/css/*.css")
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in files
    }
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_settings_stay_on_a_few_screens() -> None:
    lines = (ROOT / "orchestra" / "settings.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 250


@pytest.mark.parametrize("name", ["utils", "common", "helpers"])
def test_there_is_no_drawer_for_everything(name: str) -> None:
    assert not [path for house in HOUSES for path in (ROOT / house).rglob(f"{name}*")]
