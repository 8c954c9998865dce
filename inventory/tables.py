"""The columns of the inventory's lists."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from inventory.capacity import amount_text
from inventory.choices import ProviderState, ResourceStatus
from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
)
from inventory.models import Pool
from inventory.selectors import ClassUse, PoolCapacity
from inventory.templatetags.inventory import meter


class ResourceTable(PortalTable):
    """The resources that a person sees: what runs first, what is gone last."""

    caption = _("Resources")
    name = LinkColumn(to="inventory:resource", verbose_name=_("Name"))
    status = BadgeColumn(choices=ResourceStatus, verbose_name=_("State"))
    project = TextColumn(verbose_name=_("Project"), order_by=("project__name",))
    kind = TextColumn(verbose_name=_("Kind"), visible=False)
    application = TextColumn(verbose_name=_("Application"), hide_narrow=True)
    environment = TextColumn(verbose_name=_("Environment"), hide_narrow=True)
    pool = LinkColumn(
        to="inventory:pool",
        pick=lambda record: record.pool.slug,
        verbose_name=_("Pool"),
        order_by=("pool__name",),
        hide_narrow=True,
    )
    delivered_at = WhenColumn(verbose_name=_("Delivered"), style="day", visible=False)
    lease_end_at = WhenColumn(verbose_name=_("Ends"), style="day")


class UseColumn(TextColumn):
    """Used of capacity, kind by kind: a small bar with its figures in words."""

    def render(self, value: tuple[ClassUse, ...]) -> SafeString:
        """Draw one bar for each kind of capacity."""
        return format_html_join(
            "",
            "{}",
            (
                [meter(label=use.label, note=use_text(use), part=use.used, whole=use.capacity)]
                for use in value
            ),
        )

    def value(self, **kwargs: Any) -> str:
        """Return the figures as text for the file."""
        uses: tuple[ClassUse, ...] = kwargs["value"]
        return "; ".join(f"{use.label}: {use.used} of {use.capacity} {use.unit}" for use in uses)


class HostTable(PortalTable):
    """The hosts and shared storage of a pool."""

    caption = _("Hosts, storage and devices")
    name = TextColumn(verbose_name=_("Name"))
    state = BadgeColumn(choices=ProviderState, verbose_name=_("State"))
    uses = UseColumn(verbose_name=_("Used"), orderable=False, empty_values=())

    class Meta(PortalTable.Meta):
        order_by = ("name",)


def use_text(use: ClassUse) -> str:
    """Say how much of the capacity is used, in the largest whole units."""
    used = amount_text(amount=use.used, unit=use.unit)
    return f"{used} of {amount_text(amount=use.capacity, unit=use.unit)}"


class CapacityTable(PortalTable):
    """The capacity of pools by kind, as physical units and as what may be held."""

    caption = _("Capacity")
    pool = TextColumn(verbose_name=_("Pool"))
    kind = TextColumn(verbose_name=_("Kind"))
    unit = TextColumn(verbose_name=_("Unit"))
    physical = QuantityColumn(verbose_name=_("Physical"))
    overhead = QuantityColumn(verbose_name=_("Host overhead"))
    capacity = QuantityColumn(verbose_name=_("Capacity"))
    used = QuantityColumn(verbose_name=_("Held"))
    spare = QuantityColumn(verbose_name=_("Kept spare"))
    closed = QuantityColumn(verbose_name=_("On closed hosts"))
    free = QuantityColumn(verbose_name=_("Free to sell"))


def capacity_lines(*, pool: Pool, rows: Iterable[PoolCapacity]) -> list[dict[str, Any]]:
    """Return the pool's capacity as the rows of CapacityTable."""
    return [
        {
            "pool": pool.name,
            "kind": row.resource_class.label,
            "unit": row.resource_class.unit,
            "physical": row.physical,
            "overhead": row.overhead,
            "capacity": row.capacity,
            "used": row.used,
            "spare": row.spare,
            "sellable": row.capacity - row.spare,
            "closed": row.closed,
            "free": row.free,
            "over": over_commit(row),
        }
        for row in rows
    ]


def over_commit(row: PoolCapacity) -> Decimal | None:
    """Return how many times over the physical capacity is sold; None when it is sold once."""
    physical = row.physical - row.overhead
    if row.capacity <= physical or not physical:
        return None
    return (Decimal(row.capacity) / physical).quantize(Decimal("0.01")).normalize()
