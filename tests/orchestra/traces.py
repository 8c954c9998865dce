"""Small traces for the replay's tests, and an oracle that knows nothing of placement."""

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from django.core.management import call_command

from inventory.models import Allocation, Pool, ResourceProvider
from orchestra.choices import OrderKind
from orchestra.models import Order
from orchestra.replay import TraceRequest
from orchestra.replay.stage import Stage

START = datetime(2026, 1, 1, tzinfo=UTC)
HOSTS = """\
sn,cpu_milli,memory_mib,gpu,model
node-0,16000,65536,2,T4
node-1,16000,65536,4,G2
node-2,8000,32768,0,
"""
HEADING = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,creation_time,deletion_time"
PRICES = {"CPU_MILLI": Fraction(28, 10**6), "MEMORY_MB": Fraction(35, 1024 * 10**4)}
PRICES["GPU_MILLI"] = Fraction(95, 10**5)


def make_hosts(folder: Path, *, pool: str, organisation: str = "acme") -> Pool:
    """Import three small hosts as a pool."""
    path = folder / "hosts.csv"
    path.write_text(HOSTS, encoding="utf-8")
    call_command("import_pool", str(path), "--pool", pool, "--organisation", organisation)
    return Pool.objects.get(name=pool)


def write_trace(folder: Path, *lines: str, heading: str = HEADING) -> Path:
    """Write a trace of the given lines."""
    path = folder / "trace.csv"
    path.write_text("\n".join([heading, *lines]) + "\n", encoding="utf-8")
    return path


def crowded_trace(folder: Path, *, requests: int, seed: int = 7) -> Path:
    """Write a trace that asks for more than three small hosts have, now and then."""
    dice = random.Random(seed)
    lines, second = [], 0
    for number in range(requests):
        second += dice.randrange(0, 40_000)
        gpus = dice.choice([0, 1, 1, 1, 2, 4])
        share = {0: 0, 1: dice.choice([250, 470, 1000])}.get(gpus, 1000)
        length = dice.choice([0] if number == 5 else [1, 3_600, 90_000, 400_000])
        cpu, memory = dice.randrange(500, 9000), dice.randrange(512, 30_000)
        lines.append(f"r-{number},{cpu},{memory},{gpus},{share},,LS,{second},{second + length}")
    return write_trace(folder, *lines)


@dataclass
class Box:
    """A host as a plain loop sees it: what is free of processor, memory and each GPU."""

    cpu: int = 0
    memory: int = 0
    gpus: dict[int, int] = field(default_factory=dict)

    def fits(self, request: TraceRequest) -> bool:
        """Say whether the request would go onto this host."""
        if self.cpu < request.cpu_milli or self.memory < request.memory_mib:
            return False
        if request.gpu_milli <= 1000:
            return not request.gpu_milli or any(
                free >= request.gpu_milli for free in self.gpus.values()
            )
        whole = sum(free == 1000 for free in self.gpus.values())
        return whole >= request.gpu_milli // 1000


def wrongly_refused(stage: Stage, requests: list[TraceRequest]) -> list[str]:
    """Return the requests that were refused for want of room although some host had it.

    Counted anew from the hosts' sizes and what the placed requests hold at each instant.
    """
    instants = {
        order.name: order.created_at
        for order in Order.objects.filter(
            project=stage.project, kind=OrderKind.CREATE, refusal__code="capacity"
        )
    }
    held = list(
        Allocation.objects.filter(provider__pool=stage.pool).values_list(
            "provider_id", "resource_class__name", "amount", "held_from", "held_to"
        )
    )
    wanted = {request.name: request for request in requests}
    return [
        name
        for name, at in instants.items()
        if any(box.fits(wanted[name]) for box in _boxes(stage.pool, held, at).values())
    ]


def over_full(stage: Stage) -> list[tuple[datetime, int]]:
    """Return the instants and hosts at which more is held than there is."""
    rows = Allocation.objects.filter(provider__pool=stage.pool)
    held = list(
        rows.values_list("provider_id", "resource_class__name", "amount", "held_from", "held_to")
    )
    return [
        (at, pk)
        for at in sorted({row[3] for row in held})
        for pk, box in _boxes(stage.pool, held, at).items()
        if min([box.cpu, box.memory, *box.gpus.values()]) < 0
    ]


def _boxes(
    pool: Pool, held: list[tuple[int, str, int, datetime, datetime | None]], at: datetime
) -> dict[int, Box]:
    taken: dict[tuple[int, str], int] = defaultdict(int)
    for provider_id, name, amount, start, end in held:
        if start <= at and (end is None or at < end):
            taken[provider_id, name] += amount
    boxes: dict[int, Box] = {}
    hosts = ResourceProvider.objects.filter(pool=pool).order_by("pk")
    for pk, root, name, total in hosts.values_list(
        "pk", "root_id", "inventories__resource_class__name", "inventories__total"
    ):
        free = total - taken[pk, name]
        box = boxes.setdefault(root or pk, Box())
        if name == "CPU_MILLI":
            box.cpu = free
        elif name == "MEMORY_MB":
            box.memory = free
        else:
            box.gpus[pk] = free
    return boxes
