"""The verbs of a rule: create it, and let another version of it come into force."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from inventory.foundation.errors import Conflict, InvalidInput, StaleEdit
from inventory.foundation.models import Organisation, Project, User
from inventory.foundation.trail import record_audit
from orchestra.models import Policy, PolicyVersion
from orchestra.policies import rule_faults
from orchestra.services.scopes import require_scope


class NotLater(Conflict):
    """A version comes into force after the one before it."""

    code = "not_later"


@transaction.atomic
def create_policy(
    *,
    slug: str,
    name: str,
    rule: Mapping[str, Any],
    actor: User,
    at: datetime,
    organisation: Organisation | None = None,
    project: Project | None = None,
) -> PolicyVersion:
    """Make a rule for a project, an organisation or (neither named) everywhere, in force at once.

    The actor owns the scope; everywhere is the administrator's. Raises InvalidInput by field.
    """
    policy = Policy(slug=slug, name=name, organisation=organisation, project=project)
    require_scope(actor=actor, organisation=policy.organisation, project=policy.project)
    _check_rule(rule)
    try:
        policy.full_clean()
    except ValidationError as error:
        faults = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error
    policy.save(force_insert=True)
    return _add(policy, rule, actor=actor, at=at)


@transaction.atomic
def change_rule(
    *,
    policy: Policy,
    rule: Mapping[str, Any],
    actor: User,
    at: datetime,
    number: int | None = None,
) -> PolicyVersion:
    """Let another version of the rule hold from `at` on; plans under the old one need a new plan.

    `number` is the version that the actor saw (None: whichever). Raises InvalidInput by JSON
    Pointer ("rule/max_days"), NotLater, StaleEdit where there is a newer version.
    """
    policy = Policy.objects.select_for_update(of=("self",)).get(pk=policy.pk)
    require_scope(actor=actor, organisation=policy.organisation, project=policy.project)
    last = policy.versions.aggregate(last=Max("number"))["last"] or 0
    if number is not None and number != last:
        message = "This rule was changed since you opened it. Open it again to see how."
        raise StaleEdit(message)
    _check_rule(rule)
    for version in policy.versions.filter(during__contains=at):
        if version.during.lower >= at:
            message = "A version that comes into force at that very instant is there already."
            raise NotLater(message)
        version.during = (version.during.lower, at)
        version.save(update_fields=["during"])
    return _add(policy, rule, actor=actor, at=at)


def _add(policy: Policy, rule: Mapping[str, Any], *, actor: User, at: datetime) -> PolicyVersion:
    if policy.versions.filter(during__startswith__gt=at).exists():
        message = "A later version of this rule is there already."
        raise NotLater(message)
    last = policy.versions.order_by("-number").first()
    version = PolicyVersion.objects.create(
        policy=policy,
        number=(policy.versions.aggregate(last=Max("number"))["last"] or 0) + 1,
        rule=dict(rule),
        during=(at, None),
        created_by=actor,
        created_at=at,
    )
    record_audit(
        action="policy.change",
        subject=version,
        at=at,
        actor=actor,
        project=policy.project,
        organisation=policy.organisation,
        changes={"rule": [last.rule if last else None, version.rule]},
    )
    return version


def _check_rule(rule: Mapping[str, Any]) -> None:
    faults = {f"rule{path}": text for path, text in rule_faults(rule).items()}
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
