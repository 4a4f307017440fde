"""Lifetime value at full size: bench/results/value.csv.

A million simulated customers in a process of its own (fit of both models, values with intervals from 100 futures), and CDNOW: the seconds of a fit, the
estimates beside the published ones, and the holdout of 39 weeks. Figures of pymc-marketing were published or measured elsewhere; it is not run here.
"""
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _results import process, row, write

MILLION, FUTURES, RUNS = 1_000_000, 100, 3


def customers(n: int, seed: int = 0):
    "n customers by the models' own story, seen for up to two years."
    import numpy as np
    from segtutorial.value import draw_customers
    table, rng = draw_customers(n, 730, random_state=seed), np.random.default_rng([seed, 1])
    x, rate = table["x"], rng.gamma(4, 1 / 15_000, n)
    return table.assign(t_x=np.floor(table["t_x"]), m_x=np.where(x > 0, rng.standard_gamma(np.maximum(6 * x, 1)) / rate / np.maximum(x, 1), np.nan))


def million(path: str) -> None:
    "Fits both models on the stored table and values every customer; the process that is measured."
    import pandas as pd
    from segtutorial.value import BGNBD, GammaGamma, lifetime_value
    table = pd.read_pickle(path)
    lifetime_value(table, BGNBD().fit(table), GammaGamma().fit(table), n=FUTURES)


def cdnow() -> dict:
    "Seconds of a fit, and how far the holdout's figures lie from what came."
    import numpy as np
    from segtutorial.public import fetch_cdnow, on_machine
    from segtutorial.value import BGNBD, GammaGamma, repeat_orders
    if not on_machine("cdnow_sample"):
        return {}
    discs = fetch_cdnow(sample=True)
    table = repeat_orders(discs.behaviors, "1997-10-01", discs.timezone)
    both = repeat_orders(discs.behaviors, "1998-07-01", discs.timezone).set_index("user_id").loc[table["user_id"], "x"].to_numpy()
    came, spent = both - table["x"].to_numpy(), {"orders": [], "money": []}
    for _ in range(7):
        for name, make in (("orders", BGNBD), ("money", GammaGamma)):
            started = time.perf_counter()
            make().fit(table)
            spent[name].append(time.perf_counter() - started)
    model = BGNBD().fit(table)
    mean, futures = model.expected(table, 273), model.simulate(table, 273, n=1000)
    median, top = np.median(futures, axis=1), np.argsort(-mean)[:round(len(mean) / 10)]
    rng, places = np.random.default_rng(0), []
    below, equal = (futures < came[:, None]).mean(1), (futures == came[:, None]).mean(1)
    for _ in range(20):
        place = below + rng.random(len(came)) * equal
        places.append(float(((place > 0.05) & (place < 0.95)).mean()))
    return {"spent": spent, "bias": float(mean.sum() / came.sum() - 1) * 100, "mae": float(np.abs(mean - came).mean()), "median mae": float(np.abs(median - came).mean()),
            "top": float(came[top].sum() / came.sum()), "inside": statistics.median(places)}


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "customers.pkl")
        subprocess.run([sys.executable, __file__, "make", path], check=True)
        runs = [process([sys.executable, __file__, "million", path]) for _ in range(RUNS)]
    task = "1,000,000 customers, fit and value"
    rows += [row(task, f"seconds, {FUTURES} futures", [seconds for seconds, _ in runs], 60), row(task, "peak memory, GiB", [memory for _, memory in runs], 2, peer="pymc-marketing at 200,000 (its issue 1077)", peers_value="over 40")]
    found = json.loads(subprocess.run([sys.executable, __file__, "cdnow"], check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    one = found.get
    task = "CDNOW sample, 39 weeks"
    rows += [row(task, "seconds of a fit, BG/NBD", found and found["spent"]["orders"], 1, peer="pymc-marketing, MAP", peers_value=43),
             row(task, "seconds of a fit, Gamma-Gamma", found and found["spent"]["money"], 1)]
    task = "CDNOW sample, next 39 weeks, BG/NBD"
    for metric, name, peer in (("total bias, %, mean forecast", "bias", -12.1), ("mean absolute error, mean forecast", "mae", 0.785), ("mean absolute error, median forecast", "median mae", 0.671),
                               ("share of repeat orders by the top tenth", "top", 0.467), ("share inside 90 % intervals", "inside", "")):
        target, at_most = {"median mae": (0.67, True), "top": (0.50, False)}.get(name, (None, True))
        rows.append(row(task, metric, [one(name)] if found else None, target, at_most, peer="measured before" if peer != "" else "", peers_value=peer))
    write("value", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"]:
        customers(MILLION).to_pickle(sys.argv[2])
    elif sys.argv[1:2] == ["million"]:
        million(sys.argv[2])
    elif sys.argv[1:2] == ["cdnow"]:
        print(json.dumps(cdnow()))
    else:
        main()
