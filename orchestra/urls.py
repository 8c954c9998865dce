"""The site map: the cellar, the three houses and the administration.

`pages` are the conductor's own; the other houses keep theirs in their `urls.py`.
"""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import URLPattern, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import DefaultRouter

from billing.api import register as register_money
from inventory.api import (
    AggregateEndpoint,
    HeldEndpoint,
    HostEndpoint,
    PoolEndpoint,
    QuotaEndpoint,
    ResourceClassEndpoint,
    ResourceEndpoint,
    TraitEndpoint,
)
from inventory.foundation.endpoints import AuditEndpoint, EventEndpoint, SavedViewEndpoint
from inventory.foundation.people_endpoints import (
    MembershipEndpoint,
    OrganisationEndpoint,
    PersonEndpoint,
)
from inventory.foundation.project_endpoints import ProjectRequestEndpoint, RoleEndpoint
from inventory.foundation.urls import urlpatterns as cellar
from orchestra.api import (
    AcceptableTransferEndpoint,
    ClosableProjectEndpoint,
    DeploymentEndpoint,
    OrderEndpoint,
    RunEndpoint,
)
from orchestra.endpoints import (
    DecisionEndpoint,
    DefaultsEndpoint,
    FreezeEndpoint,
    HealthEndpoint,
    NoticeEndpoint,
    OfferingEndpoint,
    RuleEndpoint,
    TermEndpoint,
    WindowEndpoint,
)
from orchestra.views import (
    applications,
    approvals,
    calendar,
    defaults,
    notices,
    orders,
    projects,
    runs,
    tokens,
)
from orchestra.views.catalogue import Catalogue
from orchestra.views.changes import (
    DeploymentEnd,
    DeploymentExtend,
    DeploymentResize,
    deployment_estimate,
)
from orchestra.views.connections import ConnectionPage, Connections
from orchestra.views.health import HealthPage
from orchestra.views.start import Start

pages: list[URLPattern] = [
    path("", Start.as_view(), name="start"),
    path("catalogue/", Catalogue.as_view(), name="catalogue"),
    path("catalogue/<slug:slug>/request/", orders.RequestNew.as_view(), name="request-new"),
    path("catalogue/<slug:slug>/estimate/", orders.request_estimate, name="request-estimate"),
    path("requests/", orders.Requests.as_view(), name="requests"),
    path("requests/<int:pk>/", orders.RequestPage.as_view(), name="request"),
    path("requests/<int:pk>/edit/", orders.RequestEdit.as_view(), name="request-edit"),
    path("requests/<int:pk>/submit/", orders.request_submit, name="request-submit"),
    path("requests/<int:pk>/cancel/", orders.request_cancel, name="request-cancel"),
    path("decisions/", approvals.Decisions.as_view(), name="decisions"),
    path("approvals/", approvals.Approvals.as_view(), name="approvals"),
    path("approvals/<int:pk>/", approvals.ApprovalPage.as_view(), name="approval"),
    path("applications/", applications.Applications.as_view(), name="applications"),
    path("applications/<int:pk>/", applications.ApplicationPage.as_view(), name="application"),
    path(
        "applications/<int:pk>/confirm/",
        applications.application_confirm,
        name="application-confirm",
    ),
    path(
        "applications/<int:pk>/resize/",
        DeploymentResize.as_view(),
        name="deployment-resize",
    ),
    path(
        "applications/<int:pk>/extend/",
        DeploymentExtend.as_view(),
        name="deployment-extend",
    ),
    path("applications/<int:pk>/end/", DeploymentEnd.as_view(), name="deployment-end"),
    path(
        "applications/<int:pk>/<slug:what>/estimate/",
        deployment_estimate,
        name="deployment-estimate",
    ),
    path("progress/", runs.Runs.as_view(), name="runs"),
    path("progress/<int:pk>/", runs.RunPage.as_view(), name="run"),
    path("progress/<int:pk>/timeline/", runs.run_timeline, name="run-timeline"),
    path("progress/<int:pk>/log/", runs.run_log, name="run-log"),
    path("progress/<int:pk>/steer/", runs.run_steer, name="run-steer"),
    path("progress/<int:pk>/steps/<int:step>/retry/", runs.step_retry, name="step-retry"),
    path("progress/<int:pk>/steps/<int:step>/skip/", runs.step_skip, name="step-skip"),
    path("progress/<int:pk>/steps/<int:step>/resolve/", runs.step_resolve, name="step-resolve"),
    path("tokens/", tokens.Tokens.as_view(), name="tokens"),
    path("tokens/<str:key>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("connections/", Connections.as_view(), name="connections"),
    path("connections/<int:pk>/", ConnectionPage.as_view(), name="connection"),
    path("freezes/", calendar.Freezes.as_view(), name="freezes"),
    path("freezes/new/", calendar.FreezeNew.as_view(), name="freeze-new"),
    path("freezes/<int:pk>/", calendar.FreezePage.as_view(), name="freeze"),
    path("freezes/<int:pk>/edit/", calendar.FreezeEdit.as_view(), name="freeze-edit"),
    path("freezes/<int:pk>/end/", calendar.freeze_end, name="freeze-end"),
    path("freezes/<int:pk>/remove/", calendar.freeze_remove, name="freeze-remove"),
    path("change-windows/", calendar.Windows.as_view(), name="windows"),
    path("change-windows/new/", calendar.WindowNew.as_view(), name="window-new"),
    path("change-windows/<int:pk>/", calendar.WindowPage.as_view(), name="window"),
    path("change-windows/<int:pk>/edit/", calendar.WindowEdit.as_view(), name="window-edit"),
    path("change-windows/<int:pk>/end/", calendar.window_end, name="window-end"),
    path("change-windows/<int:pk>/remove/", calendar.window_remove, name="window-remove"),
    path("notices/", notices.Notices.as_view(), name="notices"),
    path("notices/read/", notices.notices_read, name="notices-read"),
    path("notices/<int:pk>/read/", notices.notice_read, name="notice-read"),
    path("defaults/", defaults.Defaults.as_view(), name="defaults"),
    path("defaults/<int:pk>/", defaults.Defaults.as_view(), name="defaults-of"),
    path("defaults/<int:pk>/terms/", defaults.ChangeTerms.as_view(), name="defaults-terms"),
    path(
        "defaults/<int:pk>/capacity/", defaults.ChangeCapacity.as_view(), name="defaults-capacity"
    ),
    path(
        "defaults/<int:pk>/accounts/", defaults.ChangeAccounts.as_view(), name="defaults-accounts"
    ),
    path("rules/", defaults.Rules.as_view(), name="rules"),
    path("defaults/<int:pk>/rules/new/", defaults.RuleNew.as_view(), name="defaults-rule-new"),
    path(
        "defaults/<int:pk>/rules/<int:policy>/",
        defaults.RuleChange.as_view(),
        name="defaults-rule",
    ),
    path("health/", HealthPage.as_view(), name="health"),
]

# Of the cellar's noun Project these pages need to know what a project holds: the cellar cannot.
project_pages: list[URLPattern] = [
    path("projects/<int:pk>/", projects.ProjectPage.as_view(), name="project"),
    path("projects/<int:pk>/close/", projects.CloseProject.as_view(), name="project-close"),
    path("hand-overs/<int:pk>/answer/", projects.AnswerTransfer.as_view(), name="transfer-answer"),
]

router = DefaultRouter(use_regex_path=False)
router.include_root_view = router.include_format_suffixes = False
router.register("orders", OrderEndpoint, basename="order")
router.register("runs", RunEndpoint, basename="run")
router.register("applications", DeploymentEndpoint, basename="deployment")
router.register("resources", ResourceEndpoint, basename="resource")
router.register("held", HeldEndpoint, basename="held")
router.register("quotas", QuotaEndpoint, basename="quota")
router.register("resource-classes", ResourceClassEndpoint, basename="resource-class")
router.register("properties", TraitEndpoint, basename="trait")
router.register("pools", PoolEndpoint, basename="pool")
router.register("hosts", HostEndpoint, basename="host")
router.register("host-groups", AggregateEndpoint, basename="host-group")
register_money(router)
router.register("projects", ClosableProjectEndpoint, basename="project")
router.register("project-requests", ProjectRequestEndpoint, basename="project-request")
router.register("project-transfers", AcceptableTransferEndpoint, basename="project-transfer")
router.register("roles", RoleEndpoint, basename="role")
router.register("people", PersonEndpoint, basename="person")
router.register("memberships", MembershipEndpoint, basename="membership")
router.register("organisations", OrganisationEndpoint, basename="organisation")
router.register("views", SavedViewEndpoint, basename="view")
router.register("audit", AuditEndpoint, basename="audit")
router.register("events", EventEndpoint, basename="event")

router.register("notices", NoticeEndpoint, basename="notice")
router.register("applications", TermEndpoint, basename="term")
router.register("defaults", DefaultsEndpoint, basename="defaults")
router.register("services", OfferingEndpoint, basename="offering")
router.register("rules", RuleEndpoint, basename="rule")
router.register("decisions", DecisionEndpoint, basename="decision")
router.register("freezes", FreezeEndpoint, basename="freeze")
router.register("change-windows", WindowEndpoint, basename="change-window")
router.register("health", HealthEndpoint, basename="health")

# The framework takes its views out of the middleware's demand to sign in: the API itself answers a
# stranger with 401 as a problem document. The page about it is for browsers.
docs = SpectacularSwaggerSplitView.as_view(url_name="api:schema")
api = [
    path("docs/", login_required(docs), name="docs"),
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    *router.urls,
]

urlpatterns = [
    path("api/v1/", include((api, "api"))),
    path("", include((pages, "orchestra"))),
    path("", include(([*project_pages, *cellar], "foundation"))),
    path("", include("inventory.urls")),
    path("", include("billing.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "inventory.foundation.views.bad_request"
handler403 = "inventory.foundation.views.permission_denied"
handler404 = "inventory.foundation.views.page_not_found"
handler500 = "inventory.foundation.views.server_error"
