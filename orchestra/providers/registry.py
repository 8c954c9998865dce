"""Find a provider by its kind: a settings mapping first, then installed entry points."""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from orchestra.providers.base import Provider

GROUP = "orchestra.providers"


class UnknownProvider(LookupError):
    """No provider of that kind is configured or installed."""


def kinds(mapping: Mapping[str, str]) -> list[str]:
    """Return every kind that can be built, sorted."""
    return sorted({*mapping, *(point.name for point in entry_points(group=GROUP))})


def provider_class(kind: str, mapping: Mapping[str, str]) -> type[Provider]:
    """Return the class of a kind; `mapping` is ORCHESTRA_PROVIDERS (kind to dotted path).

    Raises UnknownProvider, whose message says where to configure it.
    """
    if kind in mapping:
        module, _, name = mapping[kind].rpartition(".")
        found: Any = getattr(import_module(module), name)
    else:
        points = entry_points(group=GROUP, name=kind)
        if not points:
            message = (
                f"There is no provider of the kind {kind!r}. Add it to ORCHESTRA_PROVIDERS, or "
                f"install a package that offers it. Known: {', '.join(kinds(mapping)) or 'none'}."
            )
            raise UnknownProvider(message)
        found = next(iter(points)).load()
    if not (isinstance(found, type) and issubclass(found, Provider)):
        message = f"{kind!r} names {found!r}, which is not a provider class."
        raise UnknownProvider(message)
    return found


def build(kind: str, options: Mapping[str, Any], mapping: Mapping[str, str]) -> Provider:
    """Return a provider of the kind, set up with the connection's options."""
    return provider_class(kind, mapping)(options)
