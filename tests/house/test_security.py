"""What every answer carries, and what a production start insists on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    name: value
    for name, value in os.environ.items()
    if name not in {"ORCHESTRA_INSECURE_LOOPBACK", "ORCHESTRA_DEMO", "ORCHESTRA_DEBUG"}
}


def run_in_production(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python as a production start would, without the loopback demo's exceptions."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=PRODUCTION | {"DJANGO_SETTINGS_MODULE": "orchestra.settings"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.django_db
def test_pages_carry_the_security_headers(client: Client) -> None:
    answer = client.get(reverse("foundation:login"), secure=True)
    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.django_db
def test_a_page_without_a_session_asks_to_sign_in(client: Client) -> None:
    answer = client.get("/", secure=True)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("foundation:login"))


def test_the_deployment_check_is_silent_in_production() -> None:
    done = run_in_production("manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_production_insists_on_https_and_closed_cookies() -> None:
    program = (
        "from django.conf import settings as s; print([s.SESSION_COOKIE_SECURE,"
        " s.CSRF_COOKIE_SECURE, s.SESSION_COOKIE_HTTPONLY, s.SECURE_SSL_REDIRECT,"
        " s.SECURE_HSTS_SECONDS > 0, s.DEBUG, s.DEMO])"
    )
    done = run_in_production("-c", program)
    assert done.stdout.strip() == "[True, True, True, True, True, False, False]", done.stderr
