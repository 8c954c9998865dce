"""Changes of a running application: resize, extend, end, each with its effect before it is asked.

The form shows what it would do while it is filled in; the request's own page shows the plan, and
there it is sent. Ending asks for the name to be typed, because what ends is deleted.
"""

from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from inventory.choices import ResourceStatus
from inventory.foundation.clock import database_now
from inventory.foundation.errors import InvalidInput, NotVisible
from inventory.foundation.pages import MAX_ID, FormPage
from inventory.foundation.permissions import Action, require
from orchestra.choices import Alteration
from orchestra.forms import CHOICE, ChangeForm, EndForm, ExtendForm, ResizeForm
from orchestra.models import Deployment, Offering, OfferingVersion, Order
from orchestra.policies import by_rule, reasons_of
from orchestra.selectors.catalogue import sizes_for
from orchestra.selectors.changes import differences
from orchestra.selectors.deployments import deployment_detail
from orchestra.selectors.orders import deciders, visible_orders
from orchestra.services.changes import (
    preview_change,
    request_end,
    request_extension,
    request_resize,
)
from orchestra.services.deployments import NotLive


def live_deployment(viewer: Any, pk: int) -> Deployment:
    """Return an application that runs and that the viewer may order for."""
    found = deployment_detail(user=viewer, deployment_id=min(pk, MAX_ID))
    require(viewer, Action.ORDER_PLACE, found.project)
    if not found.is_live:
        message = _("%(name)s is “%(state)s”: only a running application can be changed.") % {
            "name": found,
            "state": found.get_state_display().lower(),
        }
        raise NotLive(message)
    return found


class ChangePage(FormPage):
    """What the forms of all changes share."""

    template_name = "orchestra/changes/form.html"
    form_class: ClassVar[Any] = ChangeForm
    alteration: ClassVar[Alteration]
    heading: ClassVar[Any]
    submit = gettext_lazy("Show what will happen")

    @property
    def back(self) -> str:
        """Return to the application."""
        return reverse("orchestra:application", args=[self.kwargs["pk"]])

    def load(self) -> None:
        """Find the application and refuse who may not order for it."""
        self.found = live_deployment(self.viewer, self.kwargs["pk"])

    def initial(self) -> dict[str, Any]:
        """Return the state of the application that the form is about."""
        return {"version": self.found.generation}

    def context(self) -> dict[str, Any]:
        """Return the application and where its effect is asked."""
        pk, what = self.found.pk, str(self.alteration)
        return {
            "title": self.heading % self.found.name,
            "subtitle": f"{self.found.offering_version.offering} · {self.found.project}",
            "application": self.found,
            "alteration": what,
            "live": live_of(self.found),
            "estimate_url": reverse("orchestra:deployment-estimate", args=[pk, what]),
        }

    def ask(self, form: Any) -> Order:
        """Make the one domain call."""
        raise NotImplementedError

    def act(self, form: Any) -> str:
        """Ask for the change, and show its plan."""
        return reverse("orchestra:request", args=[self.ask(form).pk])


class DeploymentResize(ChangePage):
    """Another size, in place."""

    form_class = ResizeForm
    alteration = Alteration.RESIZE
    heading = gettext_lazy("Resize %s")

    def initial(self) -> dict[str, Any]:
        """Start from an earlier request (`?again=12`), or from what runs."""
        values = dict(self.found.parameters)
        again = self.request.GET.get("again", "")
        offering = ""
        if again.isascii() and again.isdecimal() and len(again) < 19:
            before = visible_orders(self.viewer).filter(pk=int(again), deployment=self.found)
            for order in before:
                values |= order.parameters
                if order.offering_version_id != self.found.offering_version_id:
                    offering = order.offering_version.offering.slug
        chosen = {CHOICE + name: value for name, value in values.items()}
        return super().initial() | chosen | {"offering": offering}

    def form_arguments(self) -> dict[str, Any]:
        """Return the services that it could become, and the one whose choices are shown."""
        slug = self.request.POST.get("offering", "") or self.initial()["offering"]
        return size_arguments(self.found, slug)

    def ask(self, form: ResizeForm) -> Order:
        """Ask for the other size."""
        return request_resize(
            deployment=self.found,
            requester=self.viewer,
            offering=offering_of(self.found, form.cleaned_data["offering"]),
            parameters=form.parameters(),
            business_reason=form.cleaned_data["reason"],
            version=form.cleaned_data["version"],
            at=database_now(),
        )


class DeploymentExtend(ChangePage):
    """A later end."""

    form_class = ExtendForm
    alteration = Alteration.EXTEND
    heading = gettext_lazy("Extend %s")

    def initial(self) -> dict[str, Any]:
        """Start from the end that is agreed."""
        return super().initial() | {"end_at": self.found.lease_end_at}

    def ask(self, form: ExtendForm) -> Order:
        """Ask for the later end."""
        return request_extension(
            deployment=self.found,
            requester=self.viewer,
            end_at=form.cleaned_data["end_at"],
            business_reason=form.cleaned_data["reason"],
            version=form.cleaned_data["version"],
            at=database_now(),
        )


class DeploymentEnd(ChangePage):
    """An earlier end, or the end now: says what is deleted and what it saves."""

    form_class = EndForm
    alteration = Alteration.END
    heading = gettext_lazy("End %s")
    submit = gettext_lazy("End and delete")

    def initial(self) -> dict[str, Any]:
        """Nothing is filled in: an empty end means now."""
        return {}

    def form_arguments(self) -> dict[str, Any]:
        """Return the name that must be typed."""
        return {"name": self.found.name}

    def ask(self, form: EndForm) -> Order:
        """Ask for the end; by rule it is approved at once."""
        return request_end(
            deployment=self.found,
            requester=self.viewer,
            end_at=form.cleaned_data["end_at"],
            business_reason=form.cleaned_data["reason"],
            at=database_now(),
        )


def size_arguments(found: Deployment, slug: str) -> dict[str, Any]:
    """Return what the form of another size is made from."""
    sizes = list(sizes_for(found))
    chosen: OfferingVersion = next(
        (size for size in sizes if size.offering.slug == slug), found.offering_version
    )
    others = [size for size in sizes if size.pk != found.offering_version_id]
    return {"sizes": others, "version": chosen}


def offering_of(found: Deployment, slug: str) -> Offering | None:
    """Return the chosen service; None keeps the one that runs."""
    if not slug:
        return None
    return next(size.offering for size in sizes_for(found) if size.offering.slug == slug)


def live_of(found: Deployment) -> list[Any]:
    """Return the copies that still exist, in their order."""
    live = [link for link in found.links.all() if link.resource.status != ResourceStatus.GONE]
    return sorted(live, key=lambda link: (link.component, link.index, link.pk))


@require_POST
def deployment_estimate(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Answer a change's form while it is filled in; what is typed is never an error."""
    if what not in Alteration.values:
        raise NotVisible(_("There is nothing at this address that you may see."))
    viewer: Any = request.user
    found = live_deployment(viewer, pk)
    alteration = Alteration(what)
    names: dict[str, Any] = {"application": found, "alteration": what}
    arguments: dict[str, Any] = {}
    form: Any
    if alteration is Alteration.RESIZE:
        slug = request.POST.get("offering", "")
        form = ResizeForm(request.POST, **size_arguments(found, slug))
        form.is_valid()
        chosen = form.cleaned_data.get("offering", "")
        arguments = {"parameters": form.parameters(), "offering": offering_of(found, chosen)}
    else:
        form = ExtendForm(request.POST) if what == "extend" else EndForm(request.POST, name="")
        form.is_valid()
        arguments = {"end_at": form.cleaned_data.get("end_at")}
    names["hint"] = next(
        (errors[0] for name, errors in form.errors.items() if name.startswith(HINTED)), ""
    )
    if not names["hint"]:
        try:
            names |= drawn(found, alteration, arguments, viewer)
        except InvalidInput as fault:
            names["hint"] = fault.message
    return render(request, "orchestra/changes/form.html#estimate", names)


HINTED = (CHOICE, "offering", "end_at")


def drawn(
    found: Deployment, alteration: Alteration, arguments: dict[str, Any], viewer: Any
) -> dict[str, Any]:
    """Return what the effect's drawing reads."""
    at = database_now()
    if alteration is Alteration.END and arguments["end_at"] is None:
        arguments = {"end_at": at}
    change = preview_change(
        deployment=found, viewer=viewer, alteration=alteration, at=at, **arguments
    )
    said = [decision.as_dict() for decision in change.decisions]
    needs_approval = by_rule(said) is None
    people = deciders(project=found.project, requester=viewer, at=at) if needs_approval else ()
    budget = change.budget
    return {
        "change": change,
        "rows": differences(change.before.as_dict(), change.after.as_dict()),
        "saved": -change.cost,
        "budget_used": budget.amount - budget.free if budget else 0,
        "needs_approval": needs_approval,
        "reasons": reasons_of(said),
        "approvers": [str(person) for person in people][:5],
    }
