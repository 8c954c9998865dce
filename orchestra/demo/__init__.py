"""A believable world to try Orchestra with: the same for the same day, made by the services."""

from orchestra.demo.load import DemoReport, load_demo
from orchestra.demo.people import PASSWORD, PEOPLE

__all__ = ["PASSWORD", "PEOPLE", "DemoReport", "load_demo"]
