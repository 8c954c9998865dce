"""Third-party files are what the registry published, and no template speaks past the policy."""

import re
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MANIFESTS = [ROOT / "static/vendor/vendor.toml", ROOT / "tests/vendor/vendor.toml"]
FORBIDDEN = re.compile(
    r"<style|\sstyle=[\"']|\son[a-z]+=[\"']|hx-on|javascript:"
    r"|<script(?![^>]*\bsrc=)(?![^>]*application/json)",
    re.IGNORECASE,
)
# A component's attribute may be called style: it never reaches the page under that name.
NOT_MARKUP = re.compile(r"<c-[^>]*>|{#.*?#}|{% comment %}.*?{% endcomment %}", re.DOTALL)


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda path: path.parent.parent.name)
def test_vendored_files_match_their_sums(manifest: Path) -> None:
    packages = tomllib.loads(manifest.read_text())["package"]
    listed = {}
    for package in packages:
        assert package["licence"]
        assert package["version"] in next(iter(package["files"]))
        listed |= package["files"]
    found = {
        str(path.relative_to(manifest.parent)): sha256(path.read_bytes()).hexdigest()
        for path in manifest.parent.rglob("*")
        if path.is_file() and path != manifest
    }
    assert found == listed


def test_no_template_holds_inline_style_or_script() -> None:
    templates = list((ROOT / "templates").rglob("*.html"))
    assert len(templates) > 20
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group(0)}"
        for path in templates
        for found in FORBIDDEN.finditer(NOT_MARKUP.sub("", path.read_text()))
    ]
    assert wrong == []
