"""What two people of finance change, one after the other: corrections and prices."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from billing import pricing
from billing.api.base import refuse_project_token
from billing.filters import CorrectionFilter, PriceChangeFilter
from billing.models import BillingAccount, BillingPeriod, Correction, PriceBook, PriceChange
from billing.models import Sku as PriceItem
from billing.selectors.corrections import (
    correctable_periods,
    difference_of,
    managed_corrections,
)
from billing.selectors.price_lists import managed_issuers, managed_price_changes
from billing.serializers import (
    CorrectionInput,
    CorrectionSerializer,
    PriceChangeInput,
    PriceChangeSerializer,
)
from billing.services import (
    NewTier,
    prepare_correction,
    prepare_price_change,
    release_correction,
    release_price_change,
    withdraw_correction,
    withdraw_price_change,
)
from inventory.foundation.api import write_once
from inventory.foundation.clock import database_now
from inventory.foundation.pages import find
from inventory.foundation.periods import parse_month

KEY_HEADER = OpenApiParameter(
    "Idempotency-Key", str, OpenApiParameter.HEADER, required=True, description="One a write."
)


class MoneyEndpoint(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Any]):
    """What one person of finance prepares and another releases; no token of one project sees it."""

    def managed(self) -> QuerySet[Any]:
        """Return the rows that the caller manages."""
        raise NotImplementedError

    def get_queryset(self) -> QuerySet[Any]:
        """Return them, the newest first."""
        if getattr(self, "swagger_fake_view", False):
            fake: QuerySet[Any] = self.queryset  # type: ignore[assignment, arg-type]
            return fake
        refuse_project_token(self.request)
        return self.managed().order_by("-id")

    def answer(
        self, request: Request, act: Callable[[datetime], Any], *, status: int = 200
    ) -> Response:
        """Act once under the key and tell what became of it."""
        at = database_now()

        def do() -> tuple[int, dict[str, Any]]:
            made = act(at)
            found = self.managed().get(pk=made.pk)
            return status, dict(self.get_serializer(found).data)

        return write_once(request, at=at, do=do)


def read(shape: type[Any], request: Request) -> dict[str, Any]:
    """Return what was sent, checked."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class CorrectionEndpoint(MoneyEndpoint):
    """Corrections of closed months: see the difference, prepare, release, take back."""

    queryset = Correction.objects.none()
    serializer_class = CorrectionSerializer
    filterset_class = CorrectionFilter

    def managed(self) -> QuerySet[Correction]:
        """Return the corrections of the accounts that the caller manages."""
        return managed_corrections(user=self.request.user)  # type: ignore[arg-type]

    @extend_schema(
        request=CorrectionInput, responses={201: CorrectionSerializer}, parameters=[KEY_HEADER]
    )
    def create(self, request: Request) -> Response:
        """Prepare the correction of a closed month; somebody else releases it."""
        refuse_project_token(request)
        body = read(CorrectionInput, request)
        period = self._period(body["account"], body["month"])
        return self.answer(
            request,
            lambda at: prepare_correction(
                period=period,
                reason=body["reason"],
                at=at,
                actor=request.user,  # type: ignore[arg-type]
            ),
            status=201,
        )

    @extend_schema(
        responses=OpenApiTypes.OBJECT,
        parameters=[
            OpenApiParameter("account", str, required=True),
            OpenApiParameter("month", str, required=True, description="YYYY-MM"),
        ],
    )
    @action(detail=False)
    def difference(self, request: Request) -> Response:
        """Say what differs in a closed month, line by line; nothing is written."""
        refuse_project_token(request)
        asked = request.query_params
        period = self._period(asked.get("account", "")[:40], asked.get("month", "")[:7])
        found = difference_of(period=period)
        return Response(
            {
                "account": period.account.code,
                "month": f"{period.month:%Y-%m}",
                "before": pricing.plain(found.before),
                "after": pricing.plain(found.after),
                "difference": pricing.plain(found.cost),
                "failures": list(found.failures),
                "sha256": found.sha256,
                "lines": [
                    {
                        "line": str(line.identity),
                        "charge": line.related.pk if line.related else None,
                        "item": line.description,
                        "unit_price": pricing.plain(line.unit_price),
                        "quantity_before": pricing.plain(line.before),
                        "quantity_after": pricing.plain(line.after),
                        "cost": pricing.plain(line.cost),
                    }
                    for line in found.lines
                ],
            }
        )

    @extend_schema(request=None, responses=CorrectionSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Charge the difference in the open month; never one's own."""
        found = self.get_object()
        return self.answer(
            request,
            lambda at: release_correction(correction=found, at=at, actor=request.user),  # type: ignore[arg-type]
        )

    @extend_schema(request=None, responses=CorrectionSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take a prepared correction back."""
        found = self.get_object()

        def act(at: datetime) -> Correction:
            withdraw_correction(correction=found, at=at, actor=request.user)  # type: ignore[arg-type]
            return found

        return self.answer(request, act)

    def _period(self, account: str, month: str) -> BillingPeriod:
        found: BillingPeriod = find(
            correctable_periods(user=self.request.user),  # type: ignore[arg-type]
            account__code=account,
            month=parse_month(month),
        )
        return found


class PriceChangeEndpoint(MoneyEndpoint):
    """Another price from an instant on: prepare, release, take back."""

    queryset = PriceChange.objects.none()
    serializer_class = PriceChangeSerializer
    filterset_class = PriceChangeFilter

    def managed(self) -> QuerySet[PriceChange]:
        """Return the changes of the lists that the caller manages."""
        return managed_price_changes(user=self.request.user)  # type: ignore[arg-type]

    @extend_schema(
        request=PriceChangeInput, responses={201: PriceChangeSerializer}, parameters=[KEY_HEADER]
    )
    def create(self, request: Request) -> Response:
        """Prepare another price; somebody else releases it."""
        refuse_project_token(request)
        body = read(PriceChangeInput, request)
        issuers = managed_issuers(user=request.user)  # type: ignore[arg-type]
        book = find(PriceBook.objects.filter(entity__in=issuers), pk=body.pop("book"))
        sku = find(PriceItem.objects.select_related("meter"), code=body.pop("sku"))
        account, code = None, body.pop("account", None)
        if code:
            account = find(BillingAccount.objects.filter(entity__in=issuers), code=code)
        tiers = [NewTier(**tier) for tier in body.pop("tiers")]
        return self.answer(
            request,
            lambda at: prepare_price_change(
                book=book,
                sku=sku,
                account=account,
                tiers=tiers,
                at=at,
                actor=request.user,  # type: ignore[arg-type]
                **body,
            ),
            status=201,
        )

    @extend_schema(request=None, responses=PriceChangeSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Let it hold from its instant on; never one's own."""
        found = self.get_object()

        def act(at: datetime) -> PriceChange:
            release_price_change(change=found, at=at, actor=request.user)  # type: ignore[arg-type]
            return found

        return self.answer(request, act)

    @extend_schema(request=None, responses=PriceChangeSerializer, parameters=[KEY_HEADER])
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, pk: str) -> Response:  # noqa: ARG002
        """Take a prepared change back."""
        found = self.get_object()

        def act(at: datetime) -> PriceChange:
            withdraw_price_change(change=found, at=at, actor=request.user)  # type: ignore[arg-type]
            return found

        return self.answer(request, act)
