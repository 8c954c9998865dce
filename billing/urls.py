"""The map of the billing house."""

from django.urls import path

from billing import views
from billing.views import corrections, payers, price_changes

app_name = "billing"
urlpatterns = [
    path("costs/", views.Costs.as_view(), name="costs"),
    path("costs.csv", views.CostsFile.as_view(), name="costs-csv"),
    path("costs/resources/<int:pk>.csv", views.ResourceCostFile.as_view(), name="resource-cost"),
    path("costs/budgets/<int:pk>.csv", views.BudgetFile.as_view(), name="budget-csv"),
    path("usage/", views.Usage.as_view(), name="usage"),
    path("charges/", views.Charges.as_view(), name="charges"),
    path("charges/<int:pk>/", views.ChargeDetail.as_view(), name="charge"),
    path("statements/", views.Statements.as_view(), name="statements"),
    path("statements/<int:pk>/", views.StatementDetail.as_view(), name="statement"),
    path("statements/<int:pk>.csv", views.StatementFile.as_view(), name="statement-csv"),
    path("statements/running/<int:pk>/", views.RunningStatementPage.as_view(), name="running"),
    path("payers/", payers.Payers.as_view(), name="payers"),
    path("accounts/<int:pk>/", payers.AccountPage.as_view(), name="account"),
    path("projects/<int:pk>/payer/", payers.ChoosePayer.as_view(), name="payer"),
    path("prices/", views.Prices.as_view(), name="prices"),
    path("prices/<int:pk>/", price_changes.PricePage.as_view(), name="price"),
    path("prices/<int:pk>/change/", price_changes.ChangePrice.as_view(), name="price-new"),
    path("price-changes/", price_changes.PriceChanges.as_view(), name="price-changes"),
    path(
        "price-changes/<int:pk>/",
        price_changes.PriceChangePage.as_view(),
        name="price-change",
    ),
    path("corrections/", corrections.Corrections.as_view(), name="corrections"),
    path("corrections/<int:pk>/", corrections.CorrectionPage.as_view(), name="correction"),
    path("months/<int:pk>/correct/", corrections.CorrectMonth.as_view(), name="correction-new"),
    path("months/", views.Periods.as_view(), name="periods"),
    path("months/<str:month>/", views.MonthDetail.as_view(), name="month"),
    path("months/<int:pk>/close/", views.ClosePeriod.as_view(), name="close"),
    path("exports/<str:month>/", views.Export.as_view(), name="export"),
]
