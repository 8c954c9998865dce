"""Every template compiles, whether a page of today uses it or not."""

from pathlib import Path

import pytest
from django.template.loader import get_template
from django.templatetags.static import static

TEMPLATES = Path(__file__).parents[2] / "templates"
NAMES = sorted(
    str(path.relative_to(TEMPLATES))
    for path in TEMPLATES.rglob("*")
    if path.suffix in {".html", ".txt"}
)


@pytest.mark.parametrize("name", NAMES)
def test_the_template_compiles(name: str) -> None:
    assert get_template(name)


def test_static_addresses_need_no_collected_files() -> None:
    assert static("css/base.css") == "/static/css/base.css"
