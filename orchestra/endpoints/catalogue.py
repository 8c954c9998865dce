"""The endpoints of services, rules and decisions, to read."""

from django.db.models import QuerySet

from inventory.foundation.api import ReadEndpoint, is_narrow, within_token
from orchestra.filters import CatalogueFilters, DecisionFilters, RuleFilters
from orchestra.models import Approval, OfferingVersion, PolicyVersion
from orchestra.selectors.catalogue import catalogue
from orchestra.selectors.orders import visible_decisions
from orchestra.selectors.policies import visible_rules
from orchestra.serializers import DecisionSerializer, OfferingSerializer, RuleSerializer


class OfferingEndpoint(ReadEndpoint[OfferingVersion]):
    """The services that the caller may order, each with its version and pools of now."""

    queryset = OfferingVersion.objects.none()
    serializer_class = OfferingSerializer
    filterset_class = CatalogueFilters
    lookup_field = "offering__slug"
    lookup_url_kwarg = "slug"

    def rows(self) -> QuerySet[OfferingVersion]:
        """Return the catalogue, by category and name."""
        return catalogue(self.caller)


class RuleEndpoint(ReadEndpoint[PolicyVersion]):
    """What rules said when, of the places whose defaults the caller sees."""

    queryset = PolicyVersion.objects.none()
    serializer_class = RuleSerializer
    filterset_class = RuleFilters

    def rows(self) -> QuerySet[PolicyVersion]:
        """Return the visible versions, newest first."""
        if is_narrow(self.request):
            return self.queryset
        return visible_rules(self.caller).order_by("-pk")


class DecisionEndpoint(ReadEndpoint[Approval]):
    """Who or which rule decided what, newest first."""

    queryset = Approval.objects.none()
    serializer_class = DecisionSerializer
    filterset_class = DecisionFilters

    def rows(self) -> QuerySet[Approval]:
        """Return the visible decisions."""
        rows = visible_decisions(self.caller)
        return within_token(self.request, rows, project="plan__order__project").order_by("-pk")
