"""The map of the billing house."""

from django.urls import URLPattern

app_name = "billing"
urlpatterns: list[URLPattern] = []
