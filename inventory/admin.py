# ruff: noqa: ARG002 - the signatures are Django's
"""The operator's desk: configuration goes through the services, what they own is only shown."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from inventory.choices import ProviderState
from inventory.foundation.admin import KeptAdmin, ReadOnlyAdmin, RefusingAdmin, person
from inventory.foundation.clock import database_now
from inventory.models import (
    Aggregate,
    Allocation,
    CapacityDefaults,
    CapacitySpan,
    FormerKind,
    Inventory,
    Pool,
    Quota,
    Resource,
    ResourceClass,
    ResourceProvider,
    ResourceState,
    Trait,
)
from inventory.services import (
    remove_inventory,
    remove_quota,
    save_pool,
    save_provider,
    save_word,
    set_inventory,
    set_members,
    set_provider_state,
    set_quota,
    set_traits,
)


@admin.register(Pool)
class PoolAdmin(KeptAdmin):
    """Pools."""

    list_display = ("name", "organisation", "region", "zone", "spare_hosts", "is_open")
    list_select_related = ("organisation",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}

    def save_model(self, request: HttpRequest, obj: Pool, form: Any, change: bool) -> None:
        """Save by the service."""
        save_pool(pool=obj, at=database_now(), actor=person(request))


@admin.register(ResourceProvider)
class ResourceProviderAdmin(KeptAdmin):
    """Hosts, storage and devices. Where one stands is fixed once it is made."""

    list_display = ("name", "pool", "parent", "state", "is_sharing")
    list_filter = ("pool", "state", "is_sharing")
    list_select_related = ("pool", "parent")
    search_fields = ("name",)
    autocomplete_fields = ("parent", "traits")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show, but do not offer, what cannot be changed."""
        return ("pool", "parent", "is_sharing") if obj else ()

    def save_model(
        self, request: HttpRequest, obj: ResourceProvider, form: Any, change: bool
    ) -> None:
        """Save by the services; the state has a verb of its own."""
        at, wanted = database_now(), ProviderState(obj.state)
        if change:
            obj.state = ProviderState(form.initial["state"])
        save_provider(provider=obj, at=at, actor=person(request))
        if wanted != obj.state:
            set_provider_state(provider=obj, state=wanted, at=at, actor=person(request))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the properties by the service."""
        set_traits(
            provider=form.instance,
            traits=list(form.cleaned_data["traits"]),
            at=database_now(),
            actor=person(request),
        )


class InventoryForm(forms.ModelForm):
    """The figures, and which generation of the host they were read at."""

    generation = forms.IntegerField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = Inventory
        fields = (
            "provider",
            "resource_class",
            "total",
            "reserved",
            "min_unit",
            "max_unit",
            "step_size",
            "allocation_ratio",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ratio = self.fields.get("allocation_ratio")
        if ratio is not None:
            ratio.required = False
            ratio.help_text = "Empty: the default, or for what is there its own."
        if self.instance.pk is None:
            self.initial["allocation_ratio"] = None
        if self.instance.pk:
            self.fields["generation"].initial = self.instance.provider.generation


@admin.register(Inventory)
class InventoryAdmin(RefusingAdmin):
    """How much of a class a host has."""

    form = InventoryForm
    list_display = (
        "provider",
        "resource_class",
        "total",
        "reserved",
        "allocation_ratio",
        "capacity",
    )
    list_filter = ("resource_class", "provider__pool")
    list_select_related = ("provider", "resource_class")
    search_fields = ("provider__name",)
    autocomplete_fields = ("provider",)
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show, but do not offer, what cannot be changed."""
        return ("provider", "resource_class") if obj else ()

    def save_model(self, request: HttpRequest, obj: Inventory, form: Any, change: bool) -> None:
        """Save by the service: it may shrink below use, and refuses a stale edit."""
        saved = set_inventory(
            provider=obj.provider,
            resource_class=obj.resource_class,
            total=obj.total,
            reserved=obj.reserved,
            min_unit=obj.min_unit,
            max_unit=obj.max_unit,
            step_size=obj.step_size,
            allocation_ratio=obj.allocation_ratio,
            generation=form.cleaned_data["generation"],
            at=database_now(),
            actor=person(request),
        )
        obj.pk = saved.pk

    def get_deleted_objects(
        self, objs: Sequence[Any] | QuerySet[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Ask about the inventory alone: its spans go with it, and the service checks the rest."""
        return [str(obj) for obj in objs], {"inventory": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Inventory) -> None:
        """Remove by the service: it refuses what was ever held."""
        remove_inventory(inventory=obj, at=database_now(), actor=person(request))


@admin.register(Quota)
class QuotaAdmin(RefusingAdmin):
    """Limits of projects and organisations."""

    list_display = ("project", "organisation", "resource_class", "limit")
    list_select_related = ("project", "organisation", "resource_class")
    actions = None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Show, but do not offer, whose quota of what it is."""
        return ("project", "organisation", "resource_class") if obj else ()

    def save_model(self, request: HttpRequest, obj: Quota, form: Any, change: bool) -> None:
        """Save by the service."""
        saved = set_quota(
            project=obj.project,
            organisation=obj.organisation,
            resource_class=obj.resource_class,
            limit=obj.limit,
            at=database_now(),
            actor=person(request),
        )
        obj.pk = saved.pk

    def delete_model(self, request: HttpRequest, obj: Quota) -> None:
        """Lift it by the service."""
        remove_quota(quota=obj, at=database_now(), actor=person(request))


class WordAdmin(KeptAdmin):
    """Kinds of capacity, properties and groups."""

    search_fields = ("name",)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save by the service."""
        save_word(word=obj, at=database_now(), actor=person(request))


@admin.register(ResourceClass)
class ResourceClassAdmin(WordAdmin):
    """Kinds of capacity."""

    list_display = ("name", "label", "unit", "description")


@admin.register(Trait)
class TraitAdmin(WordAdmin):
    """Properties."""

    list_display = ("name", "description")


@admin.register(Aggregate)
class AggregateAdmin(WordAdmin):
    """Racks, zones, power feeds and other groups."""

    list_display = ("name", "kind")
    list_filter = ("kind",)
    autocomplete_fields = ("providers",)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Save the members by the service."""
        set_members(
            aggregate=form.instance,
            providers=list(form.cleaned_data["providers"]),
            at=database_now(),
            actor=person(request),
        )


@admin.register(CapacitySpan)
class CapacitySpanAdmin(ReadOnlyAdmin):
    """What is used when."""

    list_display = ("inventory", "during", "used", "capacity", "shortfall")
    list_select_related = ("inventory__provider", "inventory__resource_class")
    search_fields = ("inventory__provider__name",)


@admin.register(Resource)
class ResourceAdmin(ReadOnlyAdmin):
    """What projects hold."""

    list_display = ("name", "project", "pool", "kind", "status", "provider", "delivered_at")
    list_filter = ("status", "pool", "kind")
    list_select_related = ("project", "pool", "provider")
    search_fields = ("name", "external_ref")


@admin.register(ResourceState)
class ResourceStateAdmin(ReadOnlyAdmin):
    """In which state a resource was, and when."""

    list_display = ("resource", "state", "during")
    list_select_related = ("resource",)
    search_fields = ("resource__name",)


@admin.register(FormerKind)
class FormerKindAdmin(ReadOnlyAdmin):
    """What a resource was called on the bill before it was changed, and when."""

    list_display = ("resource", "kind", "during")
    list_select_related = ("resource",)
    search_fields = ("resource__name", "kind")
    ordering = ("-pk",)


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """What is held of what, from whom, and when."""

    list_display = (
        "resource",
        "resource_class",
        "amount",
        "provider",
        "state",
        "held_from",
        "held_to",
        "active_from",
        "active_to",
    )
    list_filter = ("state", "resource_class")
    list_select_related = ("resource", "resource_class", "provider")
    search_fields = ("resource__name", "provider__name")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Allocation]:
        """Show the newest first."""
        return super().get_queryset(request).order_by("-pk")


@admin.register(CapacityDefaults)
class CapacityDefaultsAdmin(ReadOnlyAdmin):
    """Which ratios held when where nobody said; the portal's page Defaults changes them."""

    list_display = ("organisation", "number", "cpu_ratio", "memory_ratio", "set_by", "set_at")
    list_filter = ("organisation",)
    list_select_related = ("organisation", "set_by")
    ordering = ("-pk",)
