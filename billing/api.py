"""Billing's endpoints: charges and how each came about, read only."""

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.filters import ChargeFilter
from billing.models import Charge
from billing.selectors import explain, visible_charges
from billing.serializers import ChargeSerializer
from inventory.foundation.api import within_token


class ChargeEndpoint(viewsets.ReadOnlyModelViewSet[Charge]):
    """The ledger's lines of the projects whose costs the caller may see, newest first."""

    queryset = Charge.objects.none()
    serializer_class = ChargeSerializer
    filterset_class = ChargeFilter

    def get_queryset(self) -> QuerySet[Charge]:
        """Return the visible charges in one query."""
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        rows = visible_charges(self.request.user)  # type: ignore[arg-type]
        rows = rows.select_related("account", "project", "sku", "period", "invoice")
        return within_token(self.request, rows, project="project").order_by("-id")

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def explanation(self, _request: Request, pk: str | None = None) -> Response:  # noqa: ARG002
        """Say how the amount came about, recomputed now from what was held."""
        return Response(explain(charge=self.get_object()).as_dict())
