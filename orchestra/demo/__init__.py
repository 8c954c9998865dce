"""A believable world to try Orchestra with: the same for the same day, made by the services."""

from orchestra.demo.load import DemoReport, load_demo
from orchestra.demo.people import PASSWORD, PEOPLE, STRANGER
from orchestra.demo.reset import empty_demo

__all__ = ["PASSWORD", "PEOPLE", "STRANGER", "DemoReport", "empty_demo", "load_demo"]
