"""What other houses' pages show of money."""

from typing import Any

from django import template

from billing.selectors.resources import ResourceCost, cost_of_resource
from inventory.foundation.clock import database_now
from inventory.foundation.permissions import Action, may
from inventory.models import Resource

register = template.Library()


@register.simple_tag(takes_context=True)
def resource_cost(context: dict[str, Any], resource: Resource) -> list[ResourceCost] | None:
    """Return what a resource cost, by currency; None for who may not see its project's costs."""
    if not may(context["request"].user, Action.COST_VIEW, resource.project):
        return None
    return cost_of_resource(resource=resource, at=database_now())
