#!/usr/bin/env python
"""Run one of Orchestra's management commands."""

import os
import sys

if sys.version_info < (3, 12):  # noqa: UP036 - the line that an older Python gets to read
    sys.exit(
        "Orchestra needs Python 3.12 or newer. Run `make env`, then .venv/bin/python manage.py."
    )

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestra.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Settings: {error}")
