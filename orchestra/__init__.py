"""What was asked, who allowed it, and what is being done: the conductor's house."""

from orchestra.celery import app as celery_app

__all__ = ["celery_app"]
