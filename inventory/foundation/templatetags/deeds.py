"""The audit trail's actions in people's words: "order.place" is "Request: asked for"."""

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

register = template.Library()

THINGS = {
    "account": gettext_lazy("Paying account"),
    "account_defaults": gettext_lazy("Defaults of accounts"),
    "aggregate": gettext_lazy("Group of hosts"),
    "billing": gettext_lazy("Billing file"),
    "budget": gettext_lazy("Budget"),
    "capacity_defaults": gettext_lazy("Defaults of capacity"),
    "connection": gettext_lazy("Connection"),
    "deployment": gettext_lazy("Application"),
    "inventory": gettext_lazy("Capacity"),
    "invoice": gettext_lazy("Statement"),
    "lease_defaults": gettext_lazy("Defaults of terms"),
    "membership": gettext_lazy("Member"),
    "offering": gettext_lazy("Service"),
    "order": gettext_lazy("Request"),
    "period": gettext_lazy("Month"),
    "policy": gettext_lazy("Rule"),
    "pool": gettext_lazy("Pool"),
    "price": gettext_lazy("Price"),
    "profile": gettext_lazy("Profile"),
    "project": gettext_lazy("Project"),
    "project_request": gettext_lazy("Request for a project"),
    "provider": gettext_lazy("Host or device"),
    "quota": gettext_lazy("Quota"),
    "resource": gettext_lazy("Resource"),
    "role": gettext_lazy("Role"),
    "run": gettext_lazy("Progress"),
    "sku": gettext_lazy("Price item"),
    "step": gettext_lazy("Step"),
    "token": gettext_lazy("Access token"),
    "transfer": gettext_lazy("Hand-over"),
    "view": gettext_lazy("Saved view"),
}
DONE = {
    "activate": gettext_lazy("handed over"),
    "accept": gettext_lazy("accepted"),
    "add": gettext_lazy("added"),
    "agree": gettext_lazy("agreed to"),
    "approve": gettext_lazy("approved"),
    "ask": gettext_lazy("asked for"),
    "assign": gettext_lazy("assigned"),
    "cancel": gettext_lazy("cancelled"),
    "change": gettext_lazy("changed"),
    "choose": gettext_lazy("chosen"),
    "close": gettext_lazy("closed"),
    "confirm": gettext_lazy("confirmed"),
    "connect": gettext_lazy("connected"),
    "create": gettext_lazy("created"),
    "deactivate": gettext_lazy("taken out of use"),
    "delete": gettext_lazy("deleted"),
    "draft": gettext_lazy("drafted"),
    "edit": gettext_lazy("changed"),
    "expire": gettext_lazy("expired"),
    "export": gettext_lazy("exported"),
    "failed": gettext_lazy("failed"),
    "fulfilled": gettext_lazy("delivered"),
    "fulfilling": gettext_lazy("being delivered"),
    "grant": gettext_lazy("granted"),
    "import": gettext_lazy("imported"),
    "issue": gettext_lazy("issued"),
    "live": gettext_lazy("running"),
    "place": gettext_lazy("asked for"),
    "plan": gettext_lazy("planned"),
    "publish": gettext_lazy("published"),
    "refuse": gettext_lazy("did not fit"),
    "reject": gettext_lazy("rejected"),
    "release": gettext_lazy("given back"),
    "remove": gettext_lazy("removed"),
    "reopen": gettext_lazy("opened again"),
    "reserve": gettext_lazy("capacity held"),
    "retired": gettext_lazy("given back"),
    "retiring": gettext_lazy("being given back"),
    "revoke": gettext_lazy("revoked"),
    "save": gettext_lazy("saved"),
    "schedule": gettext_lazy("scheduled"),
    "set": gettext_lazy("set"),
    "set_members": gettext_lazy("members set"),
    "set_state": gettext_lazy("state set"),
    "set_traits": gettext_lazy("properties set"),
    "started": gettext_lazy("begun"),
    "submit": gettext_lazy("sent"),
    "succeeded": gettext_lazy("done"),
    "withdraw": gettext_lazy("withdrawn"),
}


@register.filter
def deed(action: str) -> str:
    """Write an action, "thing.verb" or "verb.thing", as words; what is unknown stays readable."""
    first, _dot, last = action.partition(".")
    thing, verb = (last, first) if last in THINGS and first not in THINGS else (first, last)
    what = THINGS.get(thing, thing.replace("_", " ").capitalize())
    done = DONE.get(verb, verb.replace("_", " "))
    return _("%(what)s: %(done)s") % {"what": what, "done": done}
