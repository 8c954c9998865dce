"""The verbs of a service of the catalogue: create, draft a version, publish, withdraw."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max

from inventory.foundation.errors import Conflict, InvalidInput
from inventory.foundation.models import User
from inventory.foundation.permissions import Action, refusal, require_anywhere
from inventory.foundation.trail import record_audit
from inventory.models import Pool, ResourceClass, Trait
from inventory.selectors import pools_where
from orchestra.blueprints import amounts_of, pointer, resources_faults, schema_faults
from orchestra.choices import OfferingStatus
from orchestra.models import Offering, OfferingVersion

MOST_INSTANCES = 1_000


class NotADraft(Conflict):
    """What was published does not change; a new version does."""

    code = "not_a_draft"


@transaction.atomic
def create_offering(
    *, slug: str, name: str, category: str, summary: str, actor: User, at: datetime
) -> Offering:
    """Add a service to the catalogue; it is offered once a version of it is published.

    The actor changes some pool (operator). Raises InvalidInput by field.
    """
    require_anywhere(actor, Action.POOL_EDIT)
    offering = Offering(slug=slug, name=name, category=category, summary=summary)
    _clean(offering)
    offering.save(force_insert=True)
    record_audit(action="offering.create", subject=offering, at=at, actor=actor)
    return offering


@transaction.atomic
def edit_offering(
    *, offering: Offering, changes: Mapping[str, Any], actor: User, at: datetime
) -> Offering:
    """Change name, category or summary; the short name stays, requests refer to it.

    The actor changes some pool (operator). Raises InvalidInput by field.
    """
    require_anywhere(actor, Action.POOL_EDIT)
    unknown = sorted(set(changes) - {"name", "category", "summary"})
    if unknown:
        message = f"A service has no field {', '.join(unknown)} that may be changed."
        raise InvalidInput(message, fields=dict.fromkeys(unknown, "There is no such field."))
    offering = Offering.objects.select_for_update().get(pk=offering.pk)
    differences = {
        name: [getattr(offering, name), value]
        for name, value in changes.items()
        if getattr(offering, name) != value
    }
    for name, value in changes.items():
        setattr(offering, name, value)
    _clean(offering)
    if differences:
        offering.save()
        record_audit(
            action="offering.edit", subject=offering, at=at, actor=actor, changes=differences
        )
    return offering


@transaction.atomic
def draft_version(
    *,
    offering: Offering,
    resource_kind: str,
    resources: Mapping[str, int],
    pools: Sequence[Pool],
    actor: User,
    at: datetime,
    parameters: Mapping[str, Any] | None = None,
    required_traits: Sequence[str] = (),
    max_instances: int = 50,
    minutes_to_deliver: int = 5,
) -> OfferingVersion:
    """Write the next version as a draft. The actor operates every one of its pools.

    Raises InvalidInput; `fields` are names, or names with a JSON Pointer ("parameters/type").
    """
    require_anywhere(actor, Action.POOL_EDIT)
    Offering.objects.select_for_update().get(pk=offering.pk)
    last = offering.versions.aggregate(last=Max("number"))["last"] or 0
    version = OfferingVersion(
        offering=offering,
        number=last + 1,
        resource_kind=resource_kind,
        resources=resources,
        parameters={} if parameters is None else parameters,
        required_traits=list(required_traits),
        max_instances=max_instances,
        minutes_to_deliver=minutes_to_deliver,
    )
    _check_version(version)
    _check_pools(pools, actor)
    version.save(force_insert=True)
    version.pools.set(pools)
    record_audit(action="offering.draft", subject=version, at=at, actor=actor)
    return version


@transaction.atomic
def publish_version(*, version: OfferingVersion, actor: User, at: datetime) -> OfferingVersion:
    """Offer a draft from now on; the version offered until now is withdrawn. Twice is once.

    Raises NotADraft for a withdrawn version, InvalidInput by JSON Pointer.
    """
    version = _locked(version)
    _check_pools(list(version.pools.all()), actor)
    if version.status == OfferingStatus.PUBLISHED:
        return version
    if version.status != OfferingStatus.DRAFT:
        message = f"{version} was withdrawn. Draft a new version instead."
        raise NotADraft(message)
    _check_version(version)
    for former in version.offering.versions.filter(status=OfferingStatus.PUBLISHED):
        former.status = OfferingStatus.DEPRECATED
        former.save(update_fields=["status"])
    version.status, version.published_at = OfferingStatus.PUBLISHED, at
    version.save(update_fields=["status", "published_at"])
    record_audit(action="offering.publish", subject=version, at=at, actor=actor)
    return version


@transaction.atomic
def withdraw(*, version: OfferingVersion, actor: User, at: datetime, reason: str) -> None:
    """Offer a version no longer. What runs of it stays; plans made from it may still be decided."""
    version = _locked(version)
    _check_pools(list(version.pools.all()), actor)
    if version.status == OfferingStatus.DEPRECATED:
        return
    version.status = OfferingStatus.DEPRECATED
    version.save(update_fields=["status"])
    record_audit(action="offering.withdraw", subject=version, at=at, actor=actor, reason=reason)


def _locked(version: OfferingVersion) -> OfferingVersion:
    Offering.objects.select_for_update().get(pk=version.offering_id)
    return OfferingVersion.objects.select_related("offering").get(pk=version.pk)


def _check_pools(pools: Sequence[Pool], actor: User) -> None:
    if not pools:
        message = "Name at least one pool that delivers it."
        raise InvalidInput(message, fields={"pools": message})
    operated = pools_where(actor, Action.POOL_EDIT).filter(pk__in=[pool.pk for pool in pools])
    if operated.count() < len({pool.pk for pool in pools}):
        raise refusal(Action.POOL_EDIT)


def _check_version(version: OfferingVersion) -> None:
    class_names = frozenset(ResourceClass.objects.values_list("name", flat=True))
    faults = {
        f"resources{path}": text
        for path, text in resources_faults(version.resources, class_names=class_names).items()
    } | {
        f"parameters{path}": text
        for path, text in schema_faults(version.parameters, class_names=class_names).items()
    }
    known = set(Trait.objects.values_list("name", flat=True))
    for index, trait in enumerate(version.required_traits):
        if trait not in known:
            faults[f"required_traits{pointer(index)}"] = "There is no such property."
    if not 1 <= version.max_instances <= MOST_INSTANCES:
        faults["max_instances"] = f"Must be 1 to {MOST_INSTANCES:,}."
    if not faults and not _can_hold(version):
        faults["resources"] = "One copy would hold nothing: give an amount or a choice of one."
    if faults:
        raise InvalidInput(next(iter(faults.values())), fields=faults)
    _clean(version, exclude=("resources", "parameters", "required_traits", "offering"))


def _can_hold(version: OfferingVersion) -> bool:
    """Say whether one copy with the largest choices holds anything."""
    largest = {
        name: field["maximum"]
        for name, field in version.parameters.get("properties", {}).items()
        if "x-resource-class" in field
    }
    return bool(amounts_of(version, largest))


def _clean(instance: Offering | OfferingVersion, exclude: Sequence[str] = ()) -> None:
    try:
        instance.full_clean(exclude=exclude)
    except ValidationError as error:
        faults = {field: " ".join(messages) for field, messages in error.message_dict.items()}
        raise InvalidInput(next(iter(faults.values())), fields=faults) from error
