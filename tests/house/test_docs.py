"""What the documents point to exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
# `folder/file.ext` in code font, from the root of the repository; var/ comes with the first start.
PATH = re.compile(
    r"`((?:orchestra|billing|inventory|templates|static|tests|docs|deploy|\.ci)/[\w./-]+)`"
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_paths_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    missing = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    missing += [path for path in PATH.findall(text) if not (ROOT / path).exists()]
    assert missing == []


def test_no_two_decisions_share_a_number() -> None:
    numbers = [int(path.name[:4]) for path in ROOT.glob("docs/adr/*.md")]
    assert len(numbers) == len(set(numbers)) > 5


def test_every_decision_fits_on_a_card() -> None:
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in ROOT.glob("docs/adr/*.md")
    }
    assert {name: lines for name, lines in lengths.items() if lines > 25} == {}
