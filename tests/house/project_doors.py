"""What the permission table's rows about projects need: a request, a hand-over, what is sent."""

from typing import Any
from uuid import uuid4

from billing.models import ProjectBilling
from inventory.foundation.clock import database_now
from inventory.foundation.models import Project, ProjectRequest, ProjectTransfer, RoleGrant, User
from inventory.foundation.services import hand_over, request_project


def make_wishes(*, project: Project, member: User, approver: User) -> None:
    """Let the member ask for a project, and the owner hand this one to the approver."""
    at = database_now()
    request_project(
        organisation=project.organisation,
        name="Search",
        slug="search",
        description="A search for the shop",
        owner=project.owner,
        deputy=project.deputy,
        cost_centre="4712",
        actor=member,
        at=at,
    )
    hand_over(project=project, kind="owner", user=approver, reason="Ok", actor=project.owner, at=at)


def project_addresses(*, project: Project, role: RoleGrant) -> dict[str, dict[str, Any]]:
    """Return what each route about projects names."""
    asked = {"pk": ProjectRequest.objects.values_list("pk", flat=True).get()}
    transfer = {"pk": ProjectTransfer.objects.values_list("pk", flat=True).get()}
    its, held = {"pk": project.pk}, {"pk": role.pk}
    named = {
        "foundation:project": its,
        "foundation:project-edit": its,
        "foundation:project-close": its,
        "foundation:project-reopen": its,
        "foundation:project-move": its,
        "foundation:project-roles": its,
        "foundation:hand-over": its,
        "foundation:grant": its,
        "billing:payer": its,
        "foundation:organisation": {"pk": project.organisation_id},
        "api:organisation-detail": {"pk": project.organisation_id},
        "api:person-detail": {"pk": project.owner_id},
        "foundation:project-request": asked,
        "foundation:project-request-decide": asked,
        "foundation:project-request-withdraw": asked,
        "foundation:transfer": transfer,
        "foundation:transfer-answer": transfer,
        "foundation:transfer-withdraw": transfer,
        "foundation:role": held,
        "foundation:role-change": held,
        "foundation:revoke": held,
        "api:role-detail": held,
        "api:role-revoke": held,
    }
    for name in ("detail", "close", "reopen"):
        named[f"api:project-{name}"] = its
    for name in ("detail", "approve", "reject", "withdraw"):
        named[f"api:project-request-{name}"] = asked
    for name in ("detail", "accept", "decline", "withdraw"):
        named[f"api:project-transfer-{name}"] = transfer
    return named


def project_contents(*, project: Project, newcomer: User) -> dict[str, dict[str, Any]]:
    """Return what each write about projects sends."""
    key = {"idempotency_key": uuid4().hex}
    why = {"reason": "As agreed"} | key
    answering = {
        "name": project.name,
        "description": "For customers",
        "owner": project.owner_id,
        "deputy": project.deputy_id,
        "cost_centre": "4712",
    }
    fresh = {"name": "New", "slug": "new", "organisation": project.organisation_id}
    told = {
        "organisation_id": project.organisation_id,
        "name": "New",
        "slug": "new",
        "description": "For customers",
        "owner": project.owner.username,
        "deputy": project.deputy.username,
        "cost_centre": "4712",
    }
    account = ProjectBilling.objects.values_list("account", flat=True).filter(project=project)
    role = {"role": "auditor"} | why
    return {
        "foundation:project-new": answering | fresh | key,
        "foundation:project-edit": answering | {"version": project.version},
        "foundation:project-close": why | {"confirm_name": project.name},
        "foundation:project-reopen": why,
        "foundation:project-move": why,
        "foundation:hand-over": why | {"kind": "deputy", "user": newcomer.pk},
        "foundation:request-project": answering | fresh | key,
        "foundation:project-request-decide": answering
        | {"name": "Search", "slug": "search", "decision": "approve", "answer": ""}
        | key,
        "foundation:transfer-answer": {"decision": "approve", "answer": ""} | key,
        "foundation:grant": {"user": newcomer.pk, "role": "member"} | key,
        "foundation:role-change": role,
        "foundation:revoke": why,
        "foundation:member-add": {
            "organisation": project.organisation_id,
            "person": newcomer.username,
        }
        | key,
        "billing:payer": {"account": account.first()} | why,
        "api:project-list": told,
        "api:project-detail": {"name": "Shop two"},
        "api:project-close": {"confirm_name": project.name, "reason": "Over"},
        "api:project-reopen": {"reason": "Again"},
        "api:project-request-list": told,
        "api:project-request-approve": {},
        "api:project-request-reject": {"answer": "Use the shop's"},
        "api:project-transfer-list": {
            "project_id": project.pk,
            "kind": "deputy",
            "user": newcomer.username,
            "reason": "Ok",
        },
        "api:project-transfer-decline": {"answer": "Too much"},
        "api:role-list": {
            "project_id": project.pk,
            "user": newcomer.username,
            "role": "member",
        },
        "api:role-detail": {"role": "auditor", "reason": "Moved"},
        "api:role-revoke": {"reason": "Left"},
    }
