"""What `make stress` does much of, and the tests a little: runs that are killed, and shops of every
small size.
"""

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from segtutorial import cli, pipeline
from segtutorial.core import folders
from segtutorial.core.folders import MARK, foreign
from segtutorial.core.section import ReportWarning
from segtutorial.shop import Shop, simulate_shop, write_shop

ROOT = Path(__file__).resolve().parent.parent
NOTES = "notes.txt"  # a file of the user's in the folder of the report
SENTENCE = re.compile(r"\b(nan|inf|NaN|None|NaT|<NA>|&lt;NA&gt;)\b|Traceback")


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by name, with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Killing:
    """One folder with a report and a note of the user's, in which runs are stopped at random
    moments.

    The old report is in English, the new one in Chinese, so that they can be told apart.
    """

    def __init__(self, home: Path, seed: int):
        self.home, self.out, self.rng = home, home / "report", np.random.default_rng(seed)
        shop = simulate_shop(150, 30, 60, 5)
        self.data = write_shop(shop, home.parent / f"{home.name}-shop")
        pipeline.run(
            shop, home.parent / f"{home.name}-warm", progress=False
        )  # all libraries are loaded: faults meet our own calls
        self.home.mkdir()
        self.whole, start = {}, time.monotonic()
        for lang in ("en", "zh"):
            self._command(lang).communicate()
            self.whole[lang] = bytes_of(self.out)
        self.seconds = (time.monotonic() - start) / 2
        self.lang = "zh"
        (self.out / NOTES).write_text("mine")

    def _command(self, lang: str, **also: str) -> subprocess.Popen:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **also}
        arguments = ["run", "--data", self.data, "--out", self.out, "--overwrite", "--lang", lang]
        return subprocess.Popen(
            [sys.executable, "-m", "segtutorial", *map(str, arguments)],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def state(self) -> str:
        """Which report is there: 'en', 'zh', or what is wrong."""
        found = bytes_of(self.out) if self.out.exists() else {}
        notes = [path for path in self.home.rglob(NOTES) if path.read_bytes() == b"mine"]
        if len(notes) != 1:
            return f"the user's note is there {len(notes)} times"
        found.pop(NOTES, None)
        return next(
            (lang for lang, whole in self.whole.items() if whole == found),
            "a report that is neither the old nor the new one",
        )

    def kill(self, how: signal.Signals) -> str:
        """Starts the run of the other language and stops it at a random moment; 'old', 'new', or
        what is wrong.
        """
        other = {"en": "zh", "zh": "en"}[self.lang]
        started = self._command(other)
        time.sleep(self.rng.uniform(0, 1.05) * self.seconds)
        started.send_signal(how)
        _, said = started.communicate()
        return self._after(other, said, gone=how == signal.SIGINT)

    def fault(self, nth: int, error: BaseException) -> str:
        """Runs in this process, with a fault at the nth call that changes the disk; 'old', 'new',
        or what is wrong.
        """
        other, count = {"en": "zh", "zh": "en"}[self.lang], [0]

        def wrapped(true):
            def call(*given, **named):
                count[0] += 1
                if count[0] == nth:
                    raise error
                return true(*given, **named)

            return call

        places = [
            (os, "rename"),
            (os, "replace"),
            (folders, "_exchange"),
            (folders, "_take_home"),
            (Path, "mkdir"),
            (Path, "unlink"),
            (Path, "rmdir"),
            (Path, "write_text"),
            (Path, "chmod"),
            (pd.DataFrame, "to_csv"),
        ]
        kept = [(place, name, getattr(place, name)) for place, name in places]
        said = b""
        try:
            for place, name, true in kept:
                setattr(place, name, wrapped(true))
            code = cli.main(
                [
                    "run",
                    "--data",
                    str(self.data),
                    "--out",
                    str(self.out),
                    "--overwrite",
                    "--lang",
                    other,
                ]
            )
            said = b"" if code in (0, 1, 130) else b"Traceback"
        finally:
            for place, name, true in kept:
                setattr(place, name, true)
        return self._after(other, said, gone=False)

    def _after(self, other: str, said: bytes, gone: bool) -> str:
        state = self.state()
        if b"Traceback" in said:
            return f"a traceback: {said[-500:].decode(errors='replace')}"
        if state not in ("en", "zh"):
            return state
        lying = [path.name for path in self.home.iterdir() if path != self.out]
        if gone and lying:
            return f"after Ctrl-C there is also {lying}"
        verdict = "new" if state == other else "old"
        self.lang = state
        return verdict

    def next_run(self) -> str:
        """After the next run to the end: '' where the report is the new one and nothing else lies
        about.
        """
        other = {"en": "zh", "zh": "en"}[self.lang]
        started = self._command(other)
        _, said = started.communicate()
        lying = [path.name for path in self.home.iterdir() if path != self.out]
        if started.returncode or self.state() != other or lying or foreign(self.out) != [NOTES]:
            return (
                f"the next run: {started.returncode}, {self.state()}, {lying}, "
                f"{said[-300:].decode(errors='replace')}"
            )
        self.lang = other
        return ""


def kills(home: Path, n: int, seed: int = 0) -> tuple[Counter, list[str]]:
    """Stops `n` runs: kill -9, Ctrl-C and faults in the process in turn, and lets every fifth be
    followed by a run to the end.

    Returns how often the old and the new report were found afterwards, by way of stopping, and what
    was wrong.
    """
    killing, found, wrong = Killing(home, seed), Counter(), []
    for k in range(n):
        way = ("kill -9", "Ctrl-C", "fault")[k % 3]
        if way == "fault":
            errors = (KeyboardInterrupt(), OSError(28, "No space left on device"), MemoryError())
            verdict = killing.fault(int(killing.rng.integers(1, 90)), errors[k // 3 % 3])
        else:
            verdict = killing.kill(signal.SIGKILL if way == "kill -9" else signal.SIGINT)
        found[way, verdict] += verdict in ("old", "new")
        if verdict not in ("old", "new"):
            wrong.append(f"{k} ({way}): {verdict}")
        if k % 5 == 4 and (said := killing.next_run()):
            wrong.append(f"{k} ({way}), then {said}")
    if said := killing.next_run():
        wrong.append(said)
    return found, wrong


# shops of every small size


def odd(shop: Shop, kind: int, rng: np.random.Generator) -> Shop:
    """The shop as it is, or with something that real small shops have: one of nine kinds."""
    log = shop.behaviors
    buys = log["action"] == "buy"
    if kind == 1:
        log = log.assign(price=log["price"].where(log["price"].isna(), 990))  # one price
    elif kind == 2:
        log = log[
            ~buys | log["user_id"].isin(log.loc[buys, "user_id"].drop_duplicates().head(2))
        ]  # two customers
    elif kind == 3:
        log = log[buys]  # only buys
    elif kind == 4:
        log = log.assign(price=pd.array([pd.NA] * len(log), "Int64"))  # no prices
    elif kind == 5:
        log = log[~buys | ~log["user_id"].duplicated()]  # hardly anybody comes again
    elif kind == 6:
        log = log.assign(ts=log["ts"] // 86_400 * 86_400 + 3_600)  # days, no times
    elif kind == 7:
        log = log.assign(
            order_id=pd.array([pd.NA] * len(log), "Int64"),
            user_id=log["user_id"].where(rng.random(len(log)) < 0.7),
        )
    elif kind == 8:
        weeks = log["ts"].min() + 604_800 * np.arange(
            1 + (log["ts"].max() - log["ts"].min()) // 604_800
        )
        users = log.loc[buys, "user_id"].unique()[:60]  # everybody, every seventh day
        log = pd.DataFrame(
            {
                "user_id": np.repeat(users, len(weeks)),
                "item_id": log["item_id"].iloc[0],
                "action": "buy",
                "ts": np.tile(weeks, len(users)),
                "quantity": 1,
                "price": 1_000 + np.repeat(np.arange(len(users)), len(weeks)),
                "order_id": np.arange(len(users) * len(weeks)),
                "coupon": None,
            }
        )
    tables = {"products": None} if kind == 3 else {"reviews": None} if kind == 4 else {}
    return Shop(
        log.reset_index(drop=True),
        **{"products": shop.products, "reviews": shop.reviews, "name": f"{shop.name}, kind {kind}"}
        | tables,
    )


def small_shop(seed: int) -> Shop:
    """A shop of 50 to 600 users and 20 to 120 days, in one of nine kinds."""
    rng = np.random.default_rng(seed)
    shop = simulate_shop(
        int(rng.integers(50, 601)),
        int(rng.integers(5, 81)),
        int(rng.integers(20, 121)),
        seed,
        dirt=float(rng.choice([0, 0, 0.03])),
    )
    return odd(shop, seed % 9, rng)


def report_faults(shop: Shop, out: Path) -> list[str]:
    """What is wrong with the report of a shop: an error, a warning, a value that only a program
    would print, a table with inf; [] where nothing is.
    """
    wrong = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            folder = pipeline.run(shop, out, progress=False).parent
        except Exception as error:
            return [f"{type(error).__name__}: {error}"]
    wrong += [
        f"warning: {one.message}"
        for one in caught
        if issubclass(one.category, ReportWarning | RuntimeWarning)
    ]
    page = (folder / "index.html").read_text(encoding="utf-8")
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    wrong += [
        f"the page says {text[max(found.start() - 60, 0) : found.end() + 20]!r}"
        for found in SENTENCE.finditer(text)
    ]
    for path in folder.glob("*.csv"):
        table = pd.read_csv(path, encoding="utf-8-sig", low_memory=False)
        numbers = table.select_dtypes("number")
        if np.isinf(numbers.to_numpy(dtype=float, na_value=0)).any():
            wrong.append(f"{path.name} has inf")
    if (folder / "lifetime.csv").exists():
        values = pd.read_csv(folder / "lifetime.csv", encoding="utf-8-sig")[
            ["expected_orders", "value", "low", "high"]
        ]
        if values.isna().any(axis=None):
            wrong.append("lifetime.csv has nan")
    assert (folder / MARK).exists()
    return wrong


def shops(home: Path, seeds: range) -> list[str]:
    """What is wrong with the reports of small shops, by seed."""
    wrong = []
    for seed in seeds:
        shop = small_shop(seed)
        wrong += [
            f"seed {seed} ({shop.name}): {fault}" for fault in report_faults(shop, home / f"{seed}")
        ]
    return wrong
