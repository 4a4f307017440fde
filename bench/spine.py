"""How long the way from a log to a report takes, and what a second `make run` loses to set-up:
bench/results/spine.csv.

Whole processes, as a user starts them, each task five times in turn. There is no peer: no other
tool makes this report.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _results import ROOT, process, row, write

RUNS = 5
COMMAND = [sys.executable, "-m", "segtutorial"]
SETTINGS = """
name = "Online Retail"
timezone = "Europe/London"
currency = "GBP"
[behaviors]
file = "online_retail.csv.gz"
money = "yuan"
negative_quantity = "return"
constants = { action = "buy" }
[behaviors.columns]
user_id = "CustomerID"
item_id = "StockCode"
order_id = "InvoiceNo"
ts = "InvoiceDate"
price = "UnitPrice"
quantity = "Quantity"
"""


def main() -> None:
    source = (
        Path(os.environ.get("SEGTUTORIAL_DATA", ROOT.parent / "shared" / "data"))
        / "online_retail"
        / "online_retail.csv.gz"
    )
    times: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "retail"
        folder.mkdir()
        (folder / "columns.toml").write_text(SETTINGS, encoding="utf-8")
        tasks = {
            "import segtutorial": [
                sys.executable,
                "-c",
                "import segtutorial, sys; sys.exit('torch' in sys.modules)",
            ],
            "python alone": [sys.executable, "-c", "pass"],
            "set-up of a second make run": ["make", "-s", "setup"],
            "shipped shop to report": [
                *COMMAND,
                "run",
                "--data",
                str(ROOT / "data"),
                "--out",
                f"{scratch}/shipped",
                "--overwrite",
            ],
            "simulate 3,000 users": [
                *COMMAND,
                "simulate",
                "--out",
                f"{scratch}/simulated",
                "--overwrite",
            ],
        }
        if source.exists():
            (folder / source.name).symlink_to(source.resolve())
            tasks["Online Retail to report"] = [
                *COMMAND,
                "run",
                "--data",
                str(folder),
                "--out",
                f"{scratch}/report",
                "--overwrite",
            ]
        else:
            print("skipped: online_retail is not in SEGTUTORIAL_DATA")
        subprocess.run(
            tasks["import segtutorial"], check=True, cwd=ROOT
        )  # the first import compiles; it is not counted
        for _ in range(RUNS):
            for task, command in tasks.items():
                times.setdefault(task, []).append(process(command, cwd=ROOT))

    def seconds(task):
        return [s for s, _ in times.get(task, [])]

    bare = min(seconds("python alone"))
    write(
        "spine",
        [
            row("Online Retail to report", "seconds", seconds("Online Retail to report"), 60),
            row(
                "Online Retail to report",
                "peak memory, GiB",
                [m for _, m in times.get("Online Retail to report", [])],
                2,
            ),
            row("shipped shop to report", "seconds", seconds("shipped shop to report"), 30),
            row(
                "set-up of a second make run", "seconds", seconds("set-up of a second make run"), 2
            ),
            row(
                "import segtutorial",
                "seconds over python's own start",
                [max(s - bare, 0) for s in seconds("import segtutorial")],
                0.3,
            ),
            row("simulate 3,000 users, 180 days", "seconds", seconds("simulate 3,000 users")),
        ],
    )


if __name__ == "__main__":
    main()
