"""Who issues, who pays for what, and what may be spent, to read."""

from django.db.models import QuerySet

from billing.api.base import ReadEndpoint
from billing.filters import AccountFilter, BillingFilter, BudgetFilter, IssuerFilter
from billing.models import BillingAccount, Budget, IssuingEntity, ProjectBilling
from billing.selectors import visible_accounts
from billing.selectors.visibility import visible_billings, visible_budgets, visible_issuers
from billing.serializers import (
    BillingAccountSerializer,
    BudgetSerializer,
    IssuingEntitySerializer,
    ProjectBillingSerializer,
)


class IssuerEndpoint(ReadEndpoint):
    """Who issues to the accounts that the caller may see."""

    queryset = IssuingEntity.objects.none()
    serializer_class = IssuingEntitySerializer
    filterset_class = IssuerFilter

    def visible(self) -> QuerySet[IssuingEntity]:
        """Return the visible issuers."""
        return visible_issuers(self.request.user)  # type: ignore[arg-type]


class AccountEndpoint(ReadEndpoint):
    """The paying accounts whose statements the caller may see."""

    queryset = BillingAccount.objects.none()
    serializer_class = BillingAccountSerializer
    filterset_class = AccountFilter

    def visible(self) -> QuerySet[BillingAccount]:
        """Return the visible accounts."""
        return visible_accounts(self.request.user).select_related("owner")  # type: ignore[arg-type]


class ProjectBillingEndpoint(ReadEndpoint):
    """Which account pays for a project, paid and will pay."""

    queryset = ProjectBilling.objects.none()
    serializer_class = ProjectBillingSerializer
    filterset_class = BillingFilter
    project = "project"

    def visible(self) -> QuerySet[ProjectBilling]:
        """Return those of the projects whose costs the caller may see."""
        return visible_billings(self.request.user)  # type: ignore[arg-type]


class BudgetEndpoint(ReadEndpoint):
    """The budgets of the caller's projects and accounts, each version of them."""

    queryset = Budget.objects.none()
    serializer_class = BudgetSerializer
    filterset_class = BudgetFilter
    project = "project"

    def visible(self) -> QuerySet[Budget]:
        """Return the visible budgets."""
        return visible_budgets(self.request.user)  # type: ignore[arg-type]
