"""Write the old applications in bulk: the rows that the services and the engine would have written.

A hundred applications of a year would take them minutes. Only what is over and settled is written
here; `tests/orchestra/test_demo.py` compares it with what the services write for a newer request.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F

from billing.selectors import Quote, QuoteLine, quote
from inventory.choices import AllocationState, ResourceStatus
from inventory.models import Allocation, Resource, ResourceProvider, ResourceState
from inventory.placement import Candidate, Piece
from orchestra import policies
from orchestra.blueprints import (
    COMPONENT,
    amounts_of,
    create_steps,
    digest,
    instance_names,
    plan_document,
)
from orchestra.choices import (
    AttemptOutcome,
    Decision,
    DeploymentState,
    OrderKind,
    OrderState,
    Phase,
    RunState,
    StepState,
)
from orchestra.demo.chronicle import Chronicle
from orchestra.demo.deeds import Copy, Deed
from orchestra.demo.estate import App
from orchestra.demo.people import Company
from orchestra.demo.places import Places, Spot
from orchestra.demo.supply import Supply
from orchestra.demo.telling import tell
from orchestra.models import (
    Approval,
    Attempt,
    Deployment,
    DeploymentResource,
    Effect,
    Order,
    Plan,
    Run,
    Step,
)
from orchestra.providers import registry
from orchestra.providers.base import CreateRequest, Provider, ResourceSpec
from orchestra.services.plans import COST_STEP, VALID_FOR, billing_zone, cost_of
from orchestra.steps import CREATE, RESERVE, handler_of

WORKER = "demo"
DECIDED_AFTER = timedelta(minutes=95)
BATCH = 500


class Historian:
    """Writes the old applications; everything in the order of time, one bulk insert a table."""

    def __init__(self, *, company: Company, supply: Supply) -> None:
        self.company = company
        self.supply = supply
        self.chronicle = Chronicle(worker=f"worker {WORKER}")
        self.places = Places.read()

    @transaction.atomic
    def write(self, apps: Sequence[App]) -> None:
        """Write all of them as they are while they run."""
        deeds = self._orders(sorted(apps, key=lambda app: (app.start, app.project, app.name)))
        copies = self._copies(deeds)
        self._plans(deeds, copies)
        self._runs(deeds, copies)
        self._held(copies)
        for deed in deeds:
            tell(self.chronicle, deed, copies[deed.deployment.pk])
        self.chronicle.write()

    # --- requests and applications ---------------------------------------------------------------

    def _orders(self, apps: Sequence[App]) -> list[Deed]:
        """Write applications and their requests; numbers follow the time of asking."""
        deployments = Deployment.objects.bulk_create(self._deployment(app) for app in apps)
        deeds = []
        for app, deployment in zip(apps, deployments, strict=True):
            order = self._order(app, deployment)
            deeds.append(Deed(app, deployment, order))
        Order.objects.bulk_create(deed.order for deed in deeds)
        return deeds

    def _deployment(self, app: App) -> Deployment:
        version = self.supply.versions[app.service]
        return Deployment(
            project=self.company.projects[app.project],
            pool=self.supply.pools[app.pool],
            offering_version=version,
            name=app.name,
            application=app.name,
            environment=app.environment,
            owner=self.company.requester(app.project),
            state=DeploymentState.LIVE,
            parameters=self._choices(app),
            instances=app.copies,
            generation=1,
            lease_end_at=app.lease_end,
            created_at=app.start,
        )

    def _choices(self, app: App) -> dict[str, Any]:
        fields = self.supply.versions[app.service].parameters["properties"]
        image = {"image": fields["image"]["default"]} if "image" in fields else {}
        return {"disk": app.disk} | image

    def _order(self, app: App, deployment: Deployment) -> Order:
        return Order(
            kind=OrderKind.CREATE,
            state=OrderState.FULFILLED,
            project=deployment.project,
            requester=deployment.owner,
            offering_version=deployment.offering_version,
            pool=deployment.pool,
            deployment=deployment,
            name=app.name,
            application=app.name,
            environment=app.environment,
            business_reason=app.reason,
            instances=app.copies,
            parameters=deployment.parameters,
            end_at=app.lease_end,
            version=2,
            created_at=app.start - DECIDED_AFTER,
            decided_at=app.start,
            finished_at=app.start,
        )

    # --- what will happen, and who allowed it ----------------------------------------------------

    def _plans(self, deeds: Sequence[Deed], copies: dict[int, list[Copy]]) -> None:
        for deed in deeds:
            deed.plan = self._plan(deed, copies[deed.deployment.pk])
        Plan.objects.bulk_create((deed.plan for deed in deeds), batch_size=BATCH)
        for deed in deeds:
            deed.approval = self._approval(deed)
        Approval.objects.bulk_create(deed.approval for deed in deeds)

    def _plan(self, deed: Deed, copies: Sequence[Copy]) -> Plan:
        app, order = deed.app, deed.order
        amounts = amounts_of(order.offering_version, order.parameters)
        quoted = self._quote(app, amounts, deed.placed_at)
        most = quoted.monthly.quantize(COST_STEP, rounding="ROUND_CEILING")
        decisions = self._decisions(app, quoted, deed.placed_at)
        document = plan_document(
            order=order,
            amounts=amounts,
            prices=[line.price_id for line in quoted.lines],
            max_monthly_cost=most,
            currency=quoted.currency,
            policy=[decision.said() for decision in decisions],
            steps=create_steps(app.name, app.copies),
        )
        return Plan(
            order=order,
            number=1,
            document=document,
            sha256=digest(document),
            placement=[asdict(_candidate(copy)) for copy in copies],
            quote=quoted.as_dict(),
            currency=quoted.currency,
            monthly_cost=most,
            term_cost=quoted.term,
            max_monthly_cost=most,
            decisions=[decision.as_dict() for decision in decisions],
            created_at=deed.placed_at,
            created_by=order.requester,
            valid_until=deed.placed_at + VALID_FOR,
        )

    def _quote(self, app: App, amounts: dict[str, int], at: datetime) -> Quote:
        line = QuoteLine(
            kind=self.supply.versions[app.service].resource_kind, amounts=amounts, count=app.copies
        )
        project = self.company.projects[app.project]
        return quote(project=project, lines=[line], start=at, end=app.lease_end)

    def _decisions(self, app: App, quoted: Quote, at: datetime) -> tuple[policies.Decision, ...]:
        """Return what the rules of that time say."""
        project = self.company.projects[app.project]
        case = policies.Case(
            monthly=quoted.monthly,
            cost=cost_of(quoted),
            currency=quoted.currency,
            start=at,
            end=app.lease_end,
            budget=None,
            zone=billing_zone(project=project, at=at),
        )
        return policies.evaluate(project=project, case=case, at=at)

    def _approval(self, deed: Deed) -> Approval:
        if policies.by_rule(deed.plan.decisions) is not None:
            message = f"{deed.app.name} of {deed.app.project} would have needed no approver"
            raise ValueError(message)
        return Approval(
            plan=deed.plan,
            plan_sha256=deed.plan.sha256,
            requester=deed.order.requester,
            approver=self.company.people["ana"],
            decision=Decision.APPROVE,
            reason=deed.app.answer,
            decided_at=deed.done_at,
        )

    # --- copies ----------------------------------------------------------------------------------

    def _copies(self, deeds: Sequence[Deed]) -> dict[int, list[Copy]]:
        """Write every copy with what it holds, by application."""
        copies = [copy for deed in deeds for copy in self._copies_of(deed)]
        Resource.objects.bulk_create((copy.resource for copy in copies), batch_size=BATCH)
        found: dict[int, list[Copy]] = {deed.deployment.pk: [] for deed in deeds}
        owners = iter(copies)
        links = []
        for deed in deeds:
            for index in range(deed.app.copies):
                copy = next(owners)
                found[deed.deployment.pk].append(copy)
                links.append(
                    DeploymentResource(
                        deployment=deed.deployment,
                        component=COMPONENT,
                        index=index,
                        resource=copy.resource,
                    )
                )
        DeploymentResource.objects.bulk_create(links, batch_size=BATCH)
        return found

    def _copies_of(self, deed: Deed) -> Iterator[Copy]:
        app, order = deed.app, deed.order
        amounts = amounts_of(order.offering_version, order.parameters)
        for name in instance_names(app.name, app.copies):
            host, spots = self.places.put(
                pool_id=order.pool_id,
                amounts=amounts,
                start=app.start,
                end=app.lease_end,
            )
            resource = Resource(
                project=order.project,
                pool=order.pool,
                provider=host,
                kind=order.offering_version.resource_kind,
                name=name,
                status=ResourceStatus.RUNNING,
                environment=app.environment,
                application=app.name,
                generation=4,
                created_at=app.start,
                delivered_at=app.start,
                lease_end_at=app.lease_end,
            )
            yield Copy(app, resource, host, spots)

    def _held(self, copies: dict[int, list[Copy]]) -> None:
        """Write states, allocations and spans, and what the provider calls each copy."""
        everything = [copy for some in copies.values() for copy in some]
        for copy in everything:
            copy.resource.external_ref = copy.handle.ref
            copy.resource.attributes = dict(copy.handle.attributes)
        Resource.objects.bulk_update(
            [copy.resource for copy in everything], ["external_ref", "attributes"], batch_size=BATCH
        )
        ResourceState.objects.bulk_create(
            ResourceState(
                resource=copy.resource,
                state=ResourceStatus.RUNNING,
                during=DateTimeTZRange(copy.app.start, None),
            )
            for copy in everything
        )
        held = [_allocation(copy, spot) for copy in everything for spot in copy.spots.values()]
        Allocation.objects.bulk_create(held, batch_size=BATCH)
        self.places.write_spans()
        touched = {allocation.provider_id for allocation in held}
        ResourceProvider.objects.filter(pk__in=touched).update(generation=F("generation") + 1)

    # --- how it was done -------------------------------------------------------------------------

    def _runs(self, deeds: Sequence[Deed], copies: dict[int, list[Copy]]) -> None:
        for deed in deeds:
            deed.run = self._run(deed)
        Run.objects.bulk_create((deed.run for deed in deeds), batch_size=BATCH)
        provider = self._provider()
        for deed in deeds:
            deed.steps = self._steps(deed, copies[deed.deployment.pk], provider)
        Step.objects.bulk_create((one for deed in deeds for one in deed.steps), batch_size=BATCH)
        Attempt.objects.bulk_create(
            (
                Attempt(
                    step=step,
                    fence=step.fence,
                    worker=WORKER,
                    started_at=deed.done_at,
                    ended_at=deed.done_at,
                    outcome=AttemptOutcome.DONE,
                )
                for deed in deeds
                for step in deed.steps
                if step.action != RESERVE
            ),
            batch_size=BATCH,
        )
        Effect.objects.bulk_create(
            (
                Effect(step=step, phase=step.phase, kind=kind, at=deed.done_at)
                for deed in deeds
                for step in deed.steps
                for kind in _effects(step)
            ),
            batch_size=BATCH,
        )

    def _run(self, deed: Deed) -> Run:
        return Run(
            order=deed.order,
            plan=deed.plan,
            deployment=deed.deployment,
            deployment_generation=1,
            action=deed.order.kind,
            change_kind=deed.order.change_kind,
            state=RunState.SUCCEEDED,
            plan_sha256=deed.plan.sha256,
            snapshot=deed.plan.document,
            effective_at=deed.done_at,
            requested_by=deed.order.requester,
            created_at=deed.done_at,
            started_at=deed.done_at,
            finished_at=deed.done_at,
        )

    def _provider(self) -> Provider:
        connection = self.supply.connection
        folder = settings.VAR_DIR / connection.kind / connection.name
        return registry.build(
            connection.kind,
            {"state_dir": str(folder), **connection.options},
            settings.ORCHESTRA_PROVIDERS,
        )

    def _steps(self, deed: Deed, copies: Sequence[Copy], provider: Provider) -> list[Step]:
        """Return the run's steps, all done; what they make is really made."""
        steps = []
        for ordinal, planned in enumerate(deed.plan.document["steps"], start=1):
            action, copy = planned["action"], copies[planned["index"]]
            handler = handler_of(action=action, version=1, phase=Phase.FORWARD)
            calls = handler is not None and handler.touches_provider
            step = Step(
                run=deed.run,
                key=planned["key"],
                ordinal=ordinal,
                component=planned["component"],
                index=planned["index"],
                action=action,
                label=planned["label"][:120],
                needs=planned["needs"],
                state=StepState.DONE,
                resource=None if action == RESERVE else copy.resource,
                connection=self.supply.connection if calls else None,
                idempotency_key=f"{deed.run.correlation_id}/{planned['key']}",
                fence=0 if action == RESERVE else 1,
                intent_at=deed.done_at if calls else None,
                started_at=None if action == RESERVE else deed.done_at,
                finished_at=deed.done_at,
            )
            if action == CREATE:
                step.inputs = {"spec": _spec(deed, copy)}
                spec = ResourceSpec(**step.inputs["spec"] | {"host": copy.host.name})
                request = CreateRequest(key=step.idempotency_key, fence=1, spec=spec)
                copy.handle = provider.create(request)
                step.external_ref = copy.handle.ref
                attributes = dict(copy.handle.attributes)
                step.outcome = {"ref": copy.handle.ref, "attributes": attributes}
            steps.append(step)
        return steps


def _candidate(copy: Copy) -> Candidate:
    pieces = tuple(
        Piece(spot.inventory.provider_id, spot.inventory.pk, name, spot.amount, "")
        for name, spot in copy.spots.items()
    )
    return Candidate(copy.host.pk, copy.host.name, pieces)


def _allocation(copy: Copy, spot: Spot) -> Allocation:
    app = copy.app
    return Allocation(
        resource=copy.resource,
        inventory=spot.inventory,
        provider_id=spot.inventory.provider_id,
        resource_class_id=spot.inventory.resource_class_id,
        amount=spot.amount,
        state=AllocationState.ACTIVE,
        held_from=app.start,
        held_to=app.lease_end,
        active_from=app.start,
    )


def _effects(step: Step) -> tuple[str, ...]:
    if step.action == RESERVE:
        return ("reserve",)
    handler = handler_of(action=step.action, version=1, phase=Phase.FORWARD)
    return handler.effects if handler is not None else ()


def _spec(deed: Deed, copy: Copy) -> dict[str, Any]:
    return {
        "name": copy.resource.name,
        "kind": copy.resource.kind,
        "amounts": deed.plan.document["placement"]["amounts"],
        "parameters": deed.plan.document["parameters"],
        "tags": {
            "project": deed.order.project.slug,
            "application": copy.resource.application,
            "environment": copy.resource.environment,
        },
    }
