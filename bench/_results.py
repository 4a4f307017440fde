"""What every benchmark shares: whole-process timing, the machine's name, and the table in
bench/results/.
"""

import csv
import os
import platform
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIELDS = "task metric ours low high peer peers_value target met n_runs".split()
FIELDS += "machine device date commit".split()


def machine() -> str:
    """The processor, the cores this process may use, and the memory: what a figure must be read
    with.
    """
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = (
        os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        if hasattr(os, "sysconf")
        else 0
    )
    return (
        f"{names[0] if names else platform.processor() or platform.machine()}, {cores} cores, "
        f"{memory:.0f} GiB, Python {platform.python_version()}"
    )


def commit() -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    changed = subprocess.run(
        ["git", "status", "--porcelain", "--", "segtutorial", "bench/*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return (found.stdout.strip() or "none") + ("+" if changed.stdout.strip() else "")


def process(command: list[str], **options) -> tuple[float, float]:
    """Seconds and peak memory (GiB) of one run of a command, by the system's own account of the
    finished process.
    """
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    errors = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}: {errors.decode()[-500:]}")
    return time.perf_counter() - start, usage.ru_maxrss / 2**20


def row(
    task: str,
    metric: str,
    values: list[float] | None,
    target: float | None = None,
    at_most: bool = True,
    peer: str = "",
    peers_value: float | str = "",
) -> dict:
    """One figure: the median of `values` with their range, held against a target; None where it was
    not measured.
    """
    out = {
        "task": task,
        "metric": metric,
        "peer": peer,
        "peers_value": peers_value,
        "target": "" if target is None else target,
        "machine": machine(),
        "device": "cpu",
        "date": date.today().isoformat(),
        "commit": commit(),
        "n_runs": len(values or []),
        "ours": "",
        "low": "",
        "high": "",
        "met": "not measured",
    }
    if values:
        out.update(
            zip(
                ("ours", "low", "high"),
                (f"{x:.3g}" for x in (statistics.median(values), min(values), max(values))),
            )
        )
        ours = statistics.median(values)
        out["met"] = (
            ""
            if target is None
            else "yes"
            if (ours <= target if at_most else ours >= target)
            else "no"
        )
    return out


def write(name: str, rows: list[dict]) -> None:
    """The rows as bench/results/NAME.csv, and on the screen."""
    path = ROOT / "bench" / "results" / f"{name}.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, FIELDS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    for line in rows:
        print(
            f"{line['task']:32s} {line['metric']:22s} {line['ours']:>8} "
            f"({line['low']}–{line['high']}, n={line['n_runs']})  target {line['target']}: "
            f"{line['met']}"
        )
    print(f"written to {path.relative_to(ROOT)}")
