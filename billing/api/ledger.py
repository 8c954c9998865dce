"""The ledger to read: usage, charges and how each came about, months, statements, files."""

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing.api.base import ReadEndpoint
from billing.filters import (
    ChargeFilter,
    ExportFilter,
    LineFilter,
    PeriodFilter,
    StatementFilter,
    UsageFilter,
)
from billing.models import (
    BillingExport,
    BillingPeriod,
    Charge,
    Invoice,
    InvoiceLine,
    UsageRecord,
)
from billing.selectors import explain, visible_charges, visible_invoices
from billing.selectors.visibility import (
    managed_months,
    visible_exports,
    visible_lines,
    visible_usage,
)
from billing.serializers import (
    BillingExportSerializer,
    BillingPeriodSerializer,
    ChargeSerializer,
    InvoiceLineSerializer,
    InvoiceSerializer,
    UsageRecordSerializer,
)


class UsageEndpoint(ReadEndpoint):
    """What the projects whose costs the caller sees have used, as it was recorded."""

    queryset = UsageRecord.objects.none()
    serializer_class = UsageRecordSerializer
    filterset_class = UsageFilter
    project = "project"

    def visible(self) -> QuerySet[UsageRecord]:
        """Return the visible usage in one query."""
        return visible_usage(self.request.user)  # type: ignore[arg-type]


class ChargeEndpoint(ReadEndpoint):
    """The ledger's lines of the projects whose costs the caller may see, newest first."""

    queryset = Charge.objects.none()
    serializer_class = ChargeSerializer
    filterset_class = ChargeFilter
    project = "project"

    def visible(self) -> QuerySet[Charge]:
        """Return the visible charges in one query."""
        rows = visible_charges(self.request.user)  # type: ignore[arg-type]
        return rows.select_related("account", "project", "sku", "period", "invoice")

    @extend_schema(responses=OpenApiTypes.OBJECT)
    @action(detail=True)
    def explanation(self, _request: Request, pk: str | None = None) -> Response:  # noqa: ARG002
        """Say how the amount came about, recomputed now from what was held."""
        return Response(explain(charge=self.get_object()).as_dict())


class PeriodEndpoint(ReadEndpoint):
    """The months of the accounts whose money the caller manages."""

    queryset = BillingPeriod.objects.none()
    serializer_class = BillingPeriodSerializer
    filterset_class = PeriodFilter

    def visible(self) -> QuerySet[BillingPeriod]:
        """Return the periods with their sums."""
        return managed_months(self.request.user)  # type: ignore[arg-type]


class InvoiceEndpoint(ReadEndpoint):
    """The statements and invoices that the caller may see."""

    queryset = Invoice.objects.none()
    serializer_class = InvoiceSerializer
    filterset_class = StatementFilter

    def visible(self) -> QuerySet[Invoice]:
        """Return the visible documents."""
        return visible_invoices(self.request.user)  # type: ignore[arg-type]


class InvoiceLineEndpoint(ReadEndpoint):
    """The printed lines of these documents."""

    queryset = InvoiceLine.objects.none()
    serializer_class = InvoiceLineSerializer
    filterset_class = LineFilter

    def visible(self) -> QuerySet[InvoiceLine]:
        """Return the lines of the visible documents."""
        return visible_lines(self.request.user)  # type: ignore[arg-type]


class ExportEndpoint(ReadEndpoint):
    """The files that the caller wrote; for who manages the money of every account, all."""

    queryset = BillingExport.objects.none()
    serializer_class = BillingExportSerializer
    filterset_class = ExportFilter

    def visible(self) -> QuerySet[BillingExport]:
        """Return the visible files."""
        return visible_exports(self.request.user)  # type: ignore[arg-type]
