"""The whole street on the public trace, as a user would type it: `make street`.

Hosts in, 8,152 requests replayed, five months closed, one exported twice and given to the official
validator. Needs an empty ORCHESTRA_VAR or database; prints what each part took and writes
`var/bench/street.json`. It ends with an error where a figure is not what the trace asks for.
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
OPENB = SHARED / "data" / "openb"
VAR = Path(os.environ.get("ORCHESTRA_VAR") or ROOT / "var")
MONTHS = ("2026-01", "2026-02", "2026-03", "2026-04", "2026-05")
ORDERS = 8152
MINUTES = 20


class Street:
    """Runs the commands one after the other and keeps what they took."""

    def __init__(self) -> None:
        self.figures: dict[str, float] = {}

    def run(self, name: str, *command: str) -> str:
        """Run one command of manage.py, add its seconds to `name`, return its last line."""
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        took = time.monotonic() - begin
        if done.returncode:
            sys.exit(f"manage.py {' '.join(command)} failed: {done.stdout[-2000:]}")
        key = f"{name}_seconds"
        self.figures[key] = self.figures.get(key, 0) + took
        last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
        say(f"{took:8.1f} s  manage.py {' '.join(command)}")
        return last


def say(line: str) -> None:
    """Print at once, for whoever waits."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """Walk the street and say what it took."""
    if not OPENB.exists():
        sys.exit(f"The public trace is not there ({OPENB}).")
    street = Street()
    street.run("migrate", "migrate", "--verbosity", "0")
    begin = time.monotonic()
    hosts = str(OPENB / "openb_node_list_all_node.csv")
    street.run("import", "import_pool", hosts, "--pool", "openb", "--organisation", "trace")
    trace = str(OPENB / "openb_pod_list_default.csv")
    last = street.run(
        "replay", "replay", trace, "--pool", "openb", "--start", "2026-01-01", "--json"
    )
    report = json.loads(last)
    say(last)
    for month in MONTHS:
        say(street.run("close", "close_period", month))
    first, second = (export(street, name) for name in ("first", "second"))
    total = time.monotonic() - begin
    street.figures["total_seconds"] = total
    validated = validate(first)
    faults = [
        text
        for is_wrong, text in (
            (report["orders"] != ORDERS, f"{report['orders']} orders, not {ORDERS}"),
            (report["placed"] != ORDERS - 1, f"{report['placed']} placed, not {ORDERS - 1}"),
            (report["refused"] != {"empty_interval": 1}, f"refused: {report['refused']}"),
            (report["overallocated"] != 0, f"overallocated: {report['overallocated']}"),
            (report["difference"] != "0", f"difference: {report['difference']}"),
            (first.read_bytes() != second.read_bytes(), "the second export is another file"),
            (validated not in (0, None), f"the validator ends with {validated}"),
            (total >= MINUTES * 60, f"it took {total / 60:.1f} minutes, not under {MINUTES}"),
        )
        if is_wrong
    ]
    write(street.figures, report, validated)
    if faults:
        sys.exit("; ".join(faults))


def export(street: Street, name: str) -> Path:
    """Export May into a folder of its own and return the file."""
    folder = VAR / "street" / name
    folder.mkdir(parents=True)
    street.run("export", "export_billing", "2026-05", "--format", "focus-1.2", "--out", str(folder))
    (file,) = folder.glob("*.csv")
    return file


def validate(file: Path) -> int | None:
    """Return the official validator's exit code, None where it is not here."""
    script = SHARED / "tools" / "focus_1_2.sh"
    if not script.exists():
        say("The official validator is not here; the file was not given to it.")
        return None
    done = subprocess.run(["bash", str(script), str(file)], check=False)
    say(f"The official validator of FOCUS 1.2 ends with {done.returncode}.")
    return done.returncode


def write(figures: dict[str, float], report: dict[str, object], validated: int | None) -> None:
    """Write the figures beside those of the benchmarks."""
    conditions = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_at_end": os.getloadavg()[0],
        "report": report,
        "validator": validated,
    }
    folder = VAR / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    rounded = {name: round(value, 1) for name, value in figures.items()}
    found = {"conditions": conditions, "figures": rounded}
    (folder / "street.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    say(json.dumps(rounded))


if __name__ == "__main__":
    main()
