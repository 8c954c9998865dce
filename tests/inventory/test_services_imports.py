"""Importing hosts: everything or nothing, faults by line and column, twice is once."""

from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from inventory.foundation.errors import Forbidden, NotVisible
from inventory.foundation.models import AuditEvent, Organisation, User
from inventory.models import Aggregate, CapacitySpan, Inventory, Pool, ResourceProvider
from inventory.services import ImportRefused, import_pool
from tests.cast import NOW
from tests.factories import make_pool

OWN = """\
name,parent,traits,rack,sharing,VCPU,VCPU.reserved,VCPU.ratio,MEMORY_MB,DISK_GB,GPU_MILLI
numa-0,host-1,NUMA,,,,,,,,
host-1,,SSD|AVX2,R1,no,64,4,4.5,262144,,
gpu-0,numa-0,GPU_A100,,,,,,,,1000
array,,,R1,yes,,,,,10000,
"""
TRACE = """\
sn,cpu_milli,memory_mib,gpu,model
node-0000,32000,262144,0,
node-0001,64000,262144,2,V100M32
"""
OPENB = Path(__file__).parents[3] / "shared" / "data" / "openb"


def write(folder: Path, text: str) -> Path:
    """Write the text to a file and return its path."""
    path = folder / "hosts.csv"
    path.write_text(text, encoding="utf-8")
    return path


def run(path: Path, *options: str) -> str:
    """Run the command and return what it said."""
    out = StringIO()
    call_command("import_pool", str(path), *options, stdout=out)
    return out.getvalue()


def test_our_own_file(tmp_path: Path, organisation: Organisation) -> None:
    path = write(tmp_path, OWN)
    said = run(path, "--pool", "Berlin", "--organisation", "acme")
    assert said == "Imported into Berlin: 4 new, 0 unchanged.\n"
    pool = Pool.objects.get(name="Berlin", slug="berlin", organisation=organisation)
    providers = {provider.name: provider for provider in pool.providers.all()}
    host = providers["host-1"]
    assert providers["gpu-0"].parent == providers["numa-0"]
    assert providers["gpu-0"].root == providers["numa-0"].root == host
    assert host.root is None
    assert {trait.name for trait in host.traits.all()} == {"SSD", "AVX2"}
    assert providers["array"].is_sharing
    cpus = Inventory.objects.get(provider=host, resource_class__name="VCPU")
    assert (cpus.total, cpus.reserved, cpus.allocation_ratio) == (64, 4, Decimal("4.5"))
    assert cpus.capacity == 270 == CapacitySpan.objects.get(inventory=cpus).capacity
    assert {each.name for each in Aggregate.objects.get(name="R1").providers.all()} == {
        "host-1",
        "array",
    }
    audit = AuditEvent.objects.get(action="pool.import")
    assert audit.changes == {"new": [0, 4], "changed": [0, 0]}


def test_the_public_traces_node_list(tmp_path: Path, organisation: Organisation) -> None:
    import_pool(path=write(tmp_path, TRACE), pool_name="openb", organisation=organisation, at=NOW)
    rows = Inventory.objects.order_by("provider__name", "resource_class__name").values_list(
        "provider__name", "provider__parent__name", "resource_class__name", "total"
    )
    assert list(rows) == [
        ("node-0000", None, "CPU_MILLI", 32000),
        ("node-0000", None, "MEMORY_MB", 262144),
        ("node-0001", None, "CPU_MILLI", 64000),
        ("node-0001", None, "MEMORY_MB", 262144),
        ("node-0001-gpu-0", "node-0001", "GPU_MILLI", 1000),
        ("node-0001-gpu-1", "node-0001", "GPU_MILLI", 1000),
    ]
    device = ResourceProvider.objects.get(name="node-0001-gpu-1")
    assert [trait.name for trait in device.traits.all()] == ["GPU_V100M32"]


@pytest.mark.parametrize("text", [OWN, TRACE])
def test_the_same_file_again_changes_nothing(
    tmp_path: Path, organisation: Organisation, text: str
) -> None:
    path = write(tmp_path, text)
    run(path, "--pool", "Berlin", "--organisation", "acme")

    def state() -> list[object]:
        return [
            list(model.objects.order_by("pk").values())
            for model in (ResourceProvider, Inventory, CapacitySpan, AuditEvent, Aggregate)
        ]

    before = state()
    assert run(path, "--pool", "Berlin") == "Imported into Berlin: 0 new, 4 unchanged.\n"
    assert state() == before


def test_a_changed_file_changes_what_it_names(tmp_path: Path, organisation: Organisation) -> None:
    run(write(tmp_path, OWN), "--pool", "Berlin", "--organisation", "acme")
    changed = OWN.replace(",64,4,4.5,", ",32,0,1,") + "host-2,,,,,8,,,,,\n"
    said = run(write(tmp_path, changed), "--pool", "Berlin")
    assert said == "Imported into Berlin: 1 new, 1 changed, 3 unchanged.\n"
    cpus = Inventory.objects.get(provider__name="host-1", resource_class__name="VCPU")
    assert cpus.capacity == 32
    assert CapacitySpan.objects.get(inventory=cpus, during__upper_inf=True).capacity == 32


def test_a_dry_run_writes_nothing(tmp_path: Path, organisation: Organisation) -> None:
    path = write(tmp_path, OWN)
    said = run(path, "--pool", "Berlin", "--organisation", "acme", "--dry-run")
    assert said == "Would import into Berlin: 4 new, 0 unchanged.\n"
    assert not Pool.objects.exists()
    assert not AuditEvent.objects.exists()


FAULTY = f"""\
name,parent,traits,rack,sharing,VCPU,VCPU.ratio,MEMORY_MB
,,,,,1,,
{"x" * 121},,,,,1,,
=cmd,,,,,1,,
host,nowhere,ssd,,maybe,-1,0,1.5
host,,,,,2147483648,NaN,1e3
loop-a,loop-b,,,,,,
loop-b,loop-a,,,,,,
short,,
"""


def test_every_fault_is_reported_at_once(tmp_path: Path, organisation: Organisation) -> None:
    with pytest.raises(ImportRefused) as caught:
        import_pool(
            path=write(tmp_path, FAULTY), pool_name="Berlin", organisation=organisation, at=NOW
        )
    assert [str(fault) for fault in caught.value.faults] == [
        "line 2, column name: is empty; a name is needed",
        "line 3, column name: has 121 characters; at most 120 are allowed",
        "line 4, column name: Must not start with = + - @ or hold a tab or NUL: "
        "spreadsheets would run it.",
        "line 5, column MEMORY_MB: '1.5' is not a whole number",
        "line 5, column VCPU: -1 is not between 1 and 2,147,483,647",
        "line 5, column VCPU.ratio: '0' is not a ratio such as 1 or 4.5 (four decimals)",
        "line 5, column parent: nowhere is neither in the file nor in the pool",
        "line 5, column sharing: 'maybe' is neither yes nor no",
        "line 5, column traits: 'ssd' is not a property such as SSD or GPU_A100",
        "line 6, column MEMORY_MB: '1e3' is not a whole number",
        "line 6, column VCPU: 2147483648 is not between 1 and 2,147,483,647",
        "line 6, column VCPU.ratio: 'NaN' is not a ratio such as 1 or 4.5 (four decimals)",
        "line 6, column name: host stands in line 5 too",
        "line 7, column parent: loop-a is inside itself",
        "line 8, column parent: loop-b is inside itself",
        "line 9: has 3 cells, the heading has 8",
    ]
    assert "nothing was imported" in caught.value.message
    assert not Pool.objects.exists()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1: the file is empty; it needs a heading"),
        ("name,VCPU\n", "line 1: the file has a heading but no rows"),
        ("VCPU\n1\n", "line 1, column name: this column is missing"),
        ("name,color\na,b\n", "line 1, column color: is not known"),
        ("name,VCPU,VCPU\na,1,1\n", "line 1, column VCPU: stands twice"),
        ("name,VCPU.ratio\na,1\n", "line 1, column VCPU.ratio: needs the column VCPU"),
        ("name,VCPU,VCPU.reserved\na,4,5\n", "line 2, column VCPU.reserved: 5 is not between 0"),
        (TRACE + "n,1,1,2,\n", "line 4, column model: is empty, but the host has GPUs"),
        (TRACE + "n,1,1,9999999,V\n", "line 4, column gpu: 9999999 is not between 0 and 1,024"),
        (TRACE + "node-0000,1,1,0,\n", "line 4, column name: node-0000 stands in line 2 too"),
    ],
)
def test_one_fault_in_a_file(
    tmp_path: Path, organisation: Organisation, text: str, fault: str
) -> None:
    with pytest.raises(ImportRefused) as caught:
        import_pool(
            path=write(tmp_path, text), pool_name="Berlin", organisation=organisation, at=NOW
        )
    assert [str(each)[: len(fault)] for each in caught.value.faults] == [fault]


def test_hosts_do_not_move_by_import(tmp_path: Path, organisation: Organisation) -> None:
    run(write(tmp_path, OWN), "--pool", "Berlin", "--organisation", "acme")
    moved = "name,parent,sharing\ngpu-0,host-1,\narray,,no\n"
    with pytest.raises(CommandError) as caught:
        run(write(tmp_path, moved), "--pool", "Berlin")
    assert "line 2, column parent: gpu-0 is in numa-0 and cannot be moved" in str(caught.value)
    assert "line 3, column sharing: array is shared; that is fixed" in str(caught.value)


def test_the_command_names_the_cure(tmp_path: Path, organisation: Organisation) -> None:
    path = write(tmp_path, OWN)
    for options, cure in [
        ((str(tmp_path / "none.csv"), "--pool", "B"), "There is no file"),
        ((str(tmp_path), "--pool", "B"), "Name a readable CSV file"),
        ((str(path), "--pool", "B", "--organisation", "nobody"), "Known: acme."),
        ((str(path), "--pool", "=B", "--organisation", "acme"), "spreadsheets would run it"),
    ]:
        with pytest.raises(CommandError) as caught:
            run(Path(options[0]), *options[1:])
        assert cure in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"name,VCPU\n\xff\xfe,1\n")
    with pytest.raises(CommandError, match="UTF-8"):
        run(path, "--pool", "B", "--organisation", "acme")


def test_who_may_import(
    tmp_path: Path, organisation: Organisation, operator: User, owner: User, stranger: User
) -> None:
    path = write(tmp_path, TRACE)
    make_pool(organisation, name="Berlin", hosts=0)
    for actor, refusal in ((owner, Forbidden), (stranger, NotVisible)):
        with pytest.raises(refusal):
            import_pool(path=path, pool_name="Berlin", at=NOW, actor=actor)
    assert import_pool(path=path, pool_name="Berlin", at=NOW, actor=operator).new == 4


@pytest.mark.skipif(not OPENB.exists(), reason="../shared/data/openb is not on this machine")
def test_the_whole_trace(organisation: Organisation) -> None:
    path = OPENB / "openb_node_list_all_node.csv"
    report = import_pool(path=path, pool_name="openb", organisation=organisation, at=NOW)
    assert (report.new, report.unchanged) == (1523 + 6212, 0)
    again = import_pool(path=path, pool_name="openb", at=NOW)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 7735)


@pytest.mark.django_db
def test_the_first_organisation_is_made_with_its_pool(tmp_path: Path) -> None:
    path = write(tmp_path, TRACE)
    with pytest.raises(CommandError, match="--organisation"):
        run(path, "--pool", "Trace")
    run(path, "--pool", "Trace", "--organisation", "acme")
    assert Organisation.objects.get(slug="acme").name == "Acme"
    with pytest.raises(CommandError, match=r"no organisation 'other'. Known: acme"):
        run(path, "--pool", "Other", "--organisation", "other")
    # The only organisation need not be named.
    run(path, "--pool", "Second")
    assert Pool.objects.get(name="Second").organisation.slug == "acme"


PICKS = [
    (("--gpu-only",), ["node-1", "node-3", "node-4"]),
    (("--every", "2"), ["node-0", "node-2", "node-4"]),
    (("--gpu-only", "--every", "2"), ["node-1", "node-4"]),
    (("--gpu-only", "--every", "2", "--limit", "1"), ["node-1"]),
    (("--limit", "9"), ["node-0", "node-1", "node-2", "node-3", "node-4"]),
]


@pytest.mark.parametrize(("options", "hosts"), PICKS)
def test_a_small_pool_of_a_large_file(
    tmp_path: Path, organisation: Organisation, options: tuple[str, ...], hosts: list[str]
) -> None:
    rows = (
        "node-0,8,8,0,",
        "node-1,8,8,1,T4",
        "node-2,8,8,0,",
        "node-3,8,8,2,T4",
        "node-4,8,8,3,T4",
    )
    path = write(tmp_path, "sn,cpu_milli,memory_mib,gpu,model\n" + "\n".join(rows) + "\n")
    run(path, "--pool", "Small", "--organisation", "acme", *options)
    found = ResourceProvider.objects.filter(pool__name="Small").order_by("pk")
    assert [host.name for host in found.filter(parent=None)] == hosts
    gpus = sum({"node-1": 1, "node-3": 2, "node-4": 3}.get(host, 0) for host in hosts)
    assert found.exclude(parent=None).count() == gpus


def test_picking_nothing_and_picking_wrongly(tmp_path: Path, organisation: Organisation) -> None:
    path = write(tmp_path, "sn,cpu_milli,memory_mib,gpu,model\nnode-0,8,8,0,\n")
    with pytest.raises(CommandError, match="is left by what you asked for"):
        run(path, "--pool", "Small", "--organisation", "acme", "--gpu-only")
    for option in ("--every", "--limit"):
        for value in ("0", "-1", "x"):
            with pytest.raises(CommandError, match="not a whole number of at least 1"):
                run(path, "--pool", "Small", "--organisation", "acme", f"{option}={value}")
