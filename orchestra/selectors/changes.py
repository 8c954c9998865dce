"""Reads about changes of running applications: what a plan says of before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from inventory.capacity import amount_text
from inventory.selectors import class_words


@dataclass(frozen=True)
class Difference:
    """One line of a change: what it is about, before and after; `is_moment` for dates."""

    label: str
    before: Any
    after: Any
    is_moment: bool = False

    @property
    def is_same(self) -> bool:
        """Say whether nothing changes here."""
        return bool(self.before == self.after)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return service, amounts of one copy and end, before and after, as a plan keeps them.

    What stays is there too, so that nobody has to guess; amounts in their largest unit.
    """
    names = sorted({*before["amounts"], *after["amounts"]})
    words = class_words(names)
    found = [Difference(_("Service"), _service(before), _service(after))]
    for name in names:
        unit = words[name].unit if name in words else ""
        label = words[name].label if name in words else name
        found.append(
            Difference(
                _("%s of one copy") % label,
                amount_text(amount=before["amounts"].get(name, 0), unit=unit),
                amount_text(amount=after["amounts"].get(name, 0), unit=unit),
            )
        )
    ends = (_moment(before["end_at"]), _moment(after["end_at"]))
    found.append(Difference(_("Ends"), *ends, is_moment=True))
    return found


def _service(said: Mapping[str, Any]) -> str:
    return f"{said['offering']['name']} {said['offering']['version']}"


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
