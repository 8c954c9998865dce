"""When an application would end, in words for whoever fills in a request."""

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from inventory.foundation.models import Project
from orchestra.choices import Environment
from orchestra.policies import longest_term
from orchestra.selectors.defaults import lease_rules


def term_words(*, project: Project, environment: str, at: datetime) -> str:
    """Say what an empty end means in the project and environment, and what the latest end is.

    `environment` may be anything: what is not known yet is answered for those that end by
    themselves.
    """
    rules = lease_rules(organisation_id=project.organisation_id, at=at)
    if environment != Environment.PRODUCTION:
        known = {"test": _("A test ends"), "development": _("Development ends")}
        words = ngettext(
            "%(what)s after %(days)s day where none is named.",
            "%(what)s after %(days)s days where none is named.",
            rules.lease_days,
        ) % {
            "what": known.get(environment, _("Test and development end")),
            "days": rules.lease_days,
        }
    elif project.end_date is not None:
        words = _("Production needs one here.")
    else:
        words = ngettext(
            "Where none is named, production is confirmed anew every %s month.",
            "Where none is named, production is confirmed anew every %s months.",
            rules.confirm_months,
        ) % (rules.confirm_months)
    said = [words]
    most = longest_term(project=project, at=at)
    if most is not None:
        said.append(ngettext("At most %s day.", "At most %s days in all.", most) % most)
    if project.end_date is not None:
        day = date_format(project.end_date, "j F Y")
        said.append(_("%(project)s ends on %(day)s.") % {"project": project, "day": day})
    return " ".join(said)
