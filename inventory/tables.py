"""The columns of the inventory's lists."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django_tables2.utils import Accessor

from inventory.capacity import amount_text
from inventory.choices import AllocationState, ProviderState, ResourceStatus
from inventory.foundation.tables import (
    BadgeColumn,
    LinkColumn,
    PortalTable,
    QuantityColumn,
    TextColumn,
    WhenColumn,
    YesColumn,
)
from inventory.foundation.templatetags.portal import NOTHING, quantity
from inventory.models import Pool
from inventory.selectors import ClassUse, PoolCapacity
from inventory.templatetags.inventory import amount_tag, meter


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
    name = LinkColumn(to="inventory:host", verbose_name=_("Name"))
    state = BadgeColumn(choices=ProviderState, verbose_name=_("State"))
    uses = UseColumn(verbose_name=_("Used"), orderable=False, empty_values=())

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class PoolOfColumn(LinkColumn):
    """The pool of a row, leading to its page; `pool` is the accessor of the pool."""

    def __init__(self, *args: Any, pool: str = "pool", **kwargs: Any) -> None:
        super().__init__(
            *args,
            to="inventory:pool",
            pick=lambda record: Accessor(pool).resolve(record).slug,
            accessor=pool,
            order_by=(f"{pool}__name",),
            verbose_name=_("Pool"),
            **kwargs,
        )


class AllHostsTable(PortalTable):
    """The hosts, storage and devices of all pools that a person may look into."""

    caption = _("Hosts, storage and devices")
    name = LinkColumn(to="inventory:host", verbose_name=_("Name"))
    pool = PoolOfColumn()
    state = BadgeColumn(choices=ProviderState, verbose_name=_("State"))
    parent = TextColumn(verbose_name=_("Part of"), order_by=("parent__name",), hide_narrow=True)
    is_sharing = YesColumn(verbose_name=_("Serves other hosts"), hide_narrow=True)
    external_ref = TextColumn(verbose_name=_("Known outside as"), visible=False)
    warranty_end_date = WhenColumn(verbose_name=_("Warranty ends"), style="day", visible=False)
    support_end_date = WhenColumn(verbose_name=_("Support ends"), style="day", visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class MembersColumn(QuantityColumn):
    """How many hosts a row stands for, leading to them; `of` is the filter of the hosts."""

    def __init__(self, *args: Any, of: str, **kwargs: Any) -> None:
        self.of = of
        super().__init__(*args, **kwargs)

    def render(self, value: Any, record: Any) -> SafeString:
        """Draw the link; nothing where there is none to see."""
        if not value:
            return NOTHING
        address = f"{reverse('inventory:hosts')}?{self.of}={record.pk}"
        return format_html('<a href="{}">{}</a>', address, quantity(value))


class TraitTable(PortalTable):
    """The properties of hosts."""

    caption = _("Properties")
    name = TextColumn(verbose_name=_("Property"))
    description = TextColumn(verbose_name=_("Means"), hide_narrow=True)
    pools = TextColumn(verbose_name=_("In pools"))
    hosts = MembersColumn(of="trait", verbose_name=_("Hosts"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class GroupTable(PortalTable):
    """Racks, zones, power feeds and other groups of hosts."""

    caption = _("Groups of hosts")
    name = LinkColumn(to="inventory:host-group", verbose_name=_("Group"))
    kind = TextColumn(accessor="get_kind_display", order_by=("kind",), verbose_name=_("Kind"))
    hosts = MembersColumn(of="group", verbose_name=_("Hosts"))

    class Meta(PortalTable.Meta):
        order_by = ("name",)


class AmountColumn(QuantityColumn):
    """An amount of capacity in its largest unit; a file keeps the plain number beside the unit."""

    def render(self, value: Any, record: Any) -> SafeString:
        """Draw it."""
        return amount_tag(value, record.resource_class.unit)


class HeldTable(PortalTable):
    """What is held of which kind of capacity, by what, and when."""

    caption = _("Capacity held")
    resource = LinkColumn(
        to="inventory:resource",
        pick=lambda record: record.resource_id,
        order_by=("resource__name",),
        verbose_name=_("Resource"),
    )
    project = TextColumn(
        accessor="resource__project__name", verbose_name=_("Project"), hide_narrow=True
    )
    pool = PoolOfColumn(pool="resource__pool", hide_narrow=True)
    resource_class = TextColumn(order_by=("resource_class__label",), verbose_name=_("Kind"))
    amount = AmountColumn(verbose_name=_("Amount"), beside=("unit",))
    unit = TextColumn(accessor="resource_class__unit", verbose_name=_("Unit"), visible=False)
    state = BadgeColumn(choices=AllocationState, verbose_name=_("State"))
    host = TextColumn(verbose_name=_("On"), hide_narrow=True)
    held_from = WhenColumn(verbose_name=_("From"), style="day", hide_narrow=True)
    held_to = WhenColumn(verbose_name=_("To"), style="day", hide_narrow=True)
    active_from = WhenColumn(verbose_name=_("In use from"), visible=False)
    active_to = WhenColumn(verbose_name=_("In use to"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("-held_from",)


class QuotaTable(PortalTable):
    """The most that projects and organisations may hold, and what is held of it."""

    caption = _("Quotas")
    holder = TextColumn(verbose_name=_("Project or organisation"))
    resource_class = TextColumn(order_by=("resource_class__label",), verbose_name=_("Kind"))
    limit = AmountColumn(verbose_name=_("Limit"), beside=("unit",))
    used = AmountColumn(verbose_name=_("Held now"))
    left = AmountColumn(verbose_name=_("Left"))
    unit = TextColumn(accessor="resource_class__unit", verbose_name=_("Unit"), visible=False)

    class Meta(PortalTable.Meta):
        order_by = ("holder", "resource_class")


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
