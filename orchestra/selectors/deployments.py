"""Reads about running applications."""

from datetime import datetime

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from inventory.choices import ResourceStatus
from inventory.foundation.errors import NotVisible
from inventory.foundation.models import Project, User
from inventory.foundation.permissions import Action, projects_where
from orchestra.choices import DeploymentState, OrderKind, OrderState, RunState
from orchestra.models import Deployment, DeploymentResource, Order, Run
from orchestra.selectors.orders import ON_ITS_WAY

ENDED = (DeploymentState.RETIRED, DeploymentState.FAILED)
RUN_ENDED = (RunState.SUCCEEDED, RunState.COMPENSATED, RunState.CANCELLED)


def visible_deployments(user: User) -> QuerySet[Deployment]:
    """Return the applications of all projects that the person may see, newest first.

    `copies` counts the resources that still exist.
    """
    return (
        Deployment.objects.filter(project__in=projects_where(user, Action.PROJECT_VIEW))
        .select_related("project__organisation", "pool", "owner", "offering_version__offering")
        .annotate(
            copies=Count(
                "links",
                filter=~Q(links__resource__status=ResourceStatus.GONE),
            )
        )
        .order_by("-pk")
    )


def deployment_detail(*, user: User, deployment_id: int) -> Deployment:
    """Return one application with its resources, requests and runs; NotVisible if none to see."""
    deployment = (
        visible_deployments(user)
        .prefetch_related("links__resource__provider", "orders", "runs")
        .filter(pk=deployment_id)
        .first()
    )
    if deployment is None:
        message = "There is no such application, or you have no role in its project."
        raise NotVisible(message)
    return deployment


def name_is_taken(*, project: Project, name: str) -> bool:
    """Say whether the project has a live application of that name."""
    return Deployment.objects.filter(project=project, name=name).exclude(state__in=ENDED).exists()


def live_links(deployment: Deployment) -> list[DeploymentResource]:
    """Return the application's copies that still exist, with their resources, by index."""
    return list(
        DeploymentResource.objects.filter(deployment=deployment)
        .exclude(resource__status=ResourceStatus.GONE)
        .select_related("resource")
        .order_by("component", "index", "pk")
    )


def run_in_progress(deployment: Deployment) -> Run | None:
    """Return the run that is changing the application now, if any."""
    return Run.objects.filter(deployment=deployment).exclude(state__in=RUN_ENDED).first()


def past_their_end(at: datetime) -> list[Deployment]:
    """Return the running applications whose agreed end is reached, the oldest first.

    Left out are those that are being given back, and those where somebody refused that since then:
    the answer stands.
    """
    answered = Order.objects.filter(
        deployment=OuterRef("pk"),
        kind=OrderKind.RETIRE,
        state__in=[OrderState.REJECTED, *ON_ITS_WAY],
        created_at__gte=OuterRef("lease_end_at"),
    )
    return list(
        Deployment.objects.filter(
            ~Exists(answered), state=DeploymentState.LIVE, lease_end_at__lte=at
        )
        .select_related("project__owner", "project__deputy")
        .order_by("lease_end_at", "pk")
    )


def lock_deployment(deployment_id: int) -> Deployment:
    """Return the application with its row locked until the transaction ends."""
    return (
        Deployment.objects.select_for_update(no_key=True, of=("self",))
        .select_related("project__organisation", "pool", "offering_version__offering", "owner")
        .get(pk=deployment_id)
    )
