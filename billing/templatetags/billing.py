"""How exact amounts are written, and what other houses' pages show of money."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django import template
from django.utils.formats import date_format, number_format
from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from billing import pricing
from billing.charts import budget_figure, history_figure
from billing.models import Budget, Charge
from billing.selectors.histories import budget_course, cost_history, current_budgets
from billing.selectors.resources import ResourceCost, cost_of_resource
from inventory.foundation.clock import database_now
from inventory.foundation.figures import Figure
from inventory.foundation.models import Project
from inventory.foundation.permissions import Action, may
from inventory.foundation.templatetags.portal import NOTHING, money, quantity
from inventory.models import Resource

register = template.Library()

SIX_DECIMALS = Decimal("0.000001")
THREE_DECIMALS = Decimal("0.001")


@register.simple_tag(takes_context=True)
def resource_cost(context: dict[str, Any], resource: Resource) -> list[ResourceCost] | None:
    """Return what a resource cost, by currency; None for who may not see its project's costs."""
    if not may(context["request"].user, Action.COST_VIEW, resource.project):
        return None
    return cost_of_resource(resource=resource, at=database_now())


@register.simple_tag(takes_context=True)
def resource_cost_figure(context: dict[str, Any], resource: Resource) -> Figure | None:
    """Return what a resource cost over time; None for who may not see its project's costs."""
    if not may(context["request"].user, Action.COST_VIEW, resource.project):
        return None
    charges = Charge.objects.filter(resource=resource)
    return history_figure(history=cost_history(charges=charges, by="item", at=database_now()))


@register.simple_tag(takes_context=True)
def budget_figures(context: dict[str, Any], project: Project) -> list[tuple[Budget, Figure]]:
    """Return how the project's budgets burn down; none for who may not see its costs."""
    if not may(context["request"].user, Action.COST_VIEW, project):
        return []
    at = database_now()
    return [
        (budget, budget_figure(course=budget_course(budget=budget, at=at)))
        for budget in current_budgets(project=project, at=at)
    ]


@register.simple_tag
def exact(number: Decimal | None) -> str:
    """Write a number with all the decimals it has."""
    if number is None:
        return NOTHING
    plain = Decimal(pricing.plain(number))
    return number_format(plain, use_l10n=True, force_grouping=True).replace("-", "−")


@register.simple_tag
def fraction(number: Fraction) -> str:
    """Write a fraction as a decimal of at most six decimals."""
    return exact(pricing.on_grid(number, SIX_DECIMALS))


@register.simple_tag
def short_quantity(number: Decimal, unit: str) -> SafeString:
    """Write a quantity to three decimals: the charges have it in full."""
    return quantity(number.quantize(THREE_DECIMALS), unit)


@register.simple_tag
def money_text(amount: Decimal, currency: str) -> str:
    """Write an amount as plain text, for an attribute."""
    return strip_tags(money(amount, currency))


@register.simple_tag
def month_range(first: date, last: date) -> str:
    """Write a range of months: "May 2026" or "April 2026 – May 2026"."""
    if first == last:
        return date_format(first, "F Y")
    return f"{date_format(first, 'F Y')} – {date_format(last, 'F Y')}"


@register.filter
def minus(number: Decimal, other: Decimal) -> Decimal:
    """Return the exact difference."""
    return number - other
