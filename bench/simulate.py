"""How long large shops take to make and to read, and how much memory: bench/results/simulate.csv.

Whole processes, as a user starts them, in turn. There is no peer: no other tool makes this shop.
"""

import subprocess
import sys
import tempfile

from _results import ROOT, process, row, write

RUNS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
COMMAND = [sys.executable, "-m", "segtutorial"]
LARGE = "from segtutorial.simulator import simulate_shop; simulate_shop(100_000, 300, 90)"
MILLION = "14000"  # users: 180 days of them are a little over a million events


def main() -> None:
    times: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        tasks = {
            "100,000 users, 90 days": [sys.executable, "-c", LARGE],
            "a million events to files": [
                *COMMAND,
                "simulate",
                "--users",
                MILLION,
                "--out",
                f"{scratch}/shop",
                "--overwrite",
            ],
            "a million events to report": [
                *COMMAND,
                "run",
                "--data",
                f"{scratch}/shop",
                "--out",
                f"{scratch}/report",
                "--overwrite",
            ],
        }
        subprocess.run(
            [sys.executable, "-c", "import segtutorial.cli"], check=True, cwd=ROOT
        )  # the first import compiles; it is not counted
        for _ in range(RUNS):
            for task, command in tasks.items():
                times.setdefault(task, []).append(process(command, cwd=ROOT))
        print(f"the shop of {MILLION} users:", counted(f"{scratch}/shop"), "events")
    targets = {
        "100,000 users, 90 days": (60, 4),
        "a million events to files": (60, None),
        "a million events to report": (None, None),
    }
    write(
        "simulate",
        [
            line
            for task, (seconds, memory) in targets.items()
            for line in (
                row(task, "seconds", [s for s, _ in times[task]], seconds),
                row(task, "peak memory, GiB", [m for _, m in times[task]], memory),
            )
        ],
    )


def counted(folder: str) -> str:
    """How many events the shop in a folder has, read as `segtutorial run` reads it."""
    code = (
        "import sys; from segtutorial.load import load_shop; "
        "print(f'{len(load_shop(sys.argv[1]).behaviors):,}')"
    )
    return subprocess.run(
        [sys.executable, "-c", code, folder], check=True, cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
