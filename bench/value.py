"""Lifetime value at full size: bench/results/value.csv.

A million simulated customers in a process of its own (fit of both models, values with intervals
from 100 futures; with BG/NBD and with Pareto/NBD); CDNOW: the seconds of a fit, in turn; what came
on CDNOW's next 39 weeks and Online Retail's next quarter beside every forecast, with 95 % intervals
by drawing customers as `low` and `high`; the share of what came inside 90 % intervals; and the
probability alive beside the truth of simulated shops.

The peers, lifetimes and pymc-marketing, need another pandas than this library: let
SEGTUTORIAL_PEERS name the Python of an environment that has them, and they are run in turn with
ours; without it their cells are empty. Parts (speed, trials, choice, truths) can be named; rows of
the others then stay.
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _results import ROOT, process, row, write

MILLION, FUTURES, RUNS = 1_000_000, 100, 3


def customers(n: int, seed: int = 0):
    """n customers by the models' own story, seen for up to two years."""
    import numpy as np

    from segtutorial.value import draw_customers

    table, rng = draw_customers(n, 730, random_state=seed), np.random.default_rng([seed, 1])
    x, rate = table["frequency"], rng.gamma(4, 1 / 15_000, n)
    return table.assign(
        t_x=np.floor(table["recency"]),
        m_x=np.where(
            x > 0, rng.standard_gamma(np.maximum(6 * x, 1)) / rate / np.maximum(x, 1), np.nan
        ),
    )


def million(path: str, story: str) -> None:
    """Fits both models on the stored table and values every customer: what is measured."""
    import pandas as pd

    from segtutorial import value

    table = pd.read_pickle(path)
    value.lifetime_value(
        table, getattr(value, story)().fit(table), value.GammaGamma().fit(table), n=FUTURES
    )


def peer(name: str, path: str) -> dict:
    """Run by the peers' Python: seconds of a fit, and of fit and value (a point for each customer;
    no intervals), on the columns stored in a file.
    """
    import warnings

    import numpy as np
    import pandas as pd

    warnings.filterwarnings("ignore")
    stored = np.load(path)
    x, t_x, T, m = (
        stored["frequency"].astype(float),
        stored["recency"],
        stored["T"],
        stored["monetary_value"],
    )
    if name == "pymc-marketing":
        from pymc_marketing import clv

        started = time.perf_counter()
        clv.BetaGeoModel(
            pd.DataFrame(
                {
                    "customer_id": np.arange(len(x)),
                    "frequency": x.astype(int),
                    "recency": t_x,
                    "T": T,
                }
            )
        ).fit(method="map", progressbar=False)
        return {"BGNBD": time.perf_counter() - started}
    import lifetimes

    started, out = time.perf_counter(), {}
    model = lifetimes.BetaGeoFitter().fit(x, t_x, T)
    out["BGNBD"] = time.perf_counter() - started
    some = (x > 0) & (m > 0)
    spend = lifetimes.GammaGammaFitter().fit(x[some], m[some] / 100)
    spend.conditional_expected_average_profit(
        x, np.nan_to_num(m) / 100
    ) * model.conditional_expected_number_of_purchases_up_to_time(365, x, t_x, T)
    out["all"] = time.perf_counter() - started
    if len(x) < 100_000:
        started = time.perf_counter()
        lifetimes.ParetoNBDFitter().fit(x, t_x, T)
        out["ParetoNBD"] = time.perf_counter() - started
    return out


def inside(futures, came, n: int = 20) -> float:
    """Share of what came inside the middle 90 % of its futures, the place of ties by chance; the
    mean of n such draws.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    below, equal = (futures < came[:, None]).mean(1), (futures == came[:, None]).mean(1)
    place = below[:, None] + rng.random((len(came), n)) * equal[:, None]
    return float(((place > 0.05) & (place < 0.95)).mean())


def fits(path: str) -> dict:
    """Seconds of the fits on CDNOW's sample, in turn, and its columns stored at `path` for the
    peers.
    """
    import numpy as np

    from segtutorial.core.datasets import fetch_cdnow
    from segtutorial.core.fetching import on_machine
    from segtutorial.value import BGNBD, GammaGamma, ParetoNBD, repeat_orders

    if not on_machine("cdnow_sample"):
        return {}
    discs = fetch_cdnow(sample=True)
    table, spent = repeat_orders(discs.behaviors, "1997-10-01", discs.timezone), {}
    np.savez(
        path,
        **{
            name: table[name].to_numpy() for name in ("frequency", "recency", "T", "monetary_value")
        },
    )
    for _ in range(7):
        for make in (BGNBD, ParetoNBD, GammaGamma):
            started = time.perf_counter()
            make().fit(table)
            spent.setdefault(make.__name__, []).append(time.perf_counter() - started)
    return spent


def trial(name: str) -> dict:
    """The forecasts of chapter 06f beside what came, and the share inside the 90 % intervals of
    both stories.
    """
    from segtutorial.core.datasets import fetch_cdnow, fetch_online_retail
    from segtutorial.core.fetching import on_machine
    from segtutorial.value import BGNBD, GammaGamma, ParetoNBD, forecast_scores, forecasts

    if not on_machine(name):
        return {}
    shop, as_of, days, cleaned = (
        (fetch_cdnow(sample=True), "1997-10-01", 273, True)
        if name == "cdnow_sample"
        else (fetch_online_retail(), "2011-09-10", 91, False)
    )
    made, out = forecasts(shop, as_of, days, cleaned), {}
    table = made.cut.customers
    for unit, said, came in (
        ("orders", made.orders, table["orders_after"].to_numpy()),
        ("money", made.money / 100, table["spent_after"].to_numpy() / 100),
    ):
        out[unit] = (
            forecast_scores(said, came, ranks=("RFM score",), n=1000)
            .astype(object)
            .where(lambda rows: rows.notna(), None)
            .to_dict("index")
        )
    out["inside"] = {}
    for story in (BGNBD().fit(table), ParetoNBD().fit(table)):
        orders = story.simulate(table, days, n=1000)
        out["inside"][type(story).__name__] = [
            inside(orders, table["orders_after"].to_numpy()),
            inside(
                GammaGamma().fit(table).simulate(table, orders), table["spent_after"].to_numpy()
            ),
        ]
    return out


def choice() -> dict:
    """How `Combination` was chosen: mean Poisson deviance of orders in the 13 weeks before the
    holdout, of CDNOW's customers outside the sample.
    """
    import numpy as np

    from segtutorial.core.datasets import fetch_cdnow
    from segtutorial.core.fetching import on_machine
    from segtutorial.value import BGNBD, Combination, ParetoNBD, hold_out

    if not (on_machine("cdnow") and on_machine("cdnow_sample")):
        return {}
    shop, sample = fetch_cdnow(), set(fetch_cdnow(sample=True).behaviors["master_id"])
    shop.behaviors = shop.behaviors[~shop.behaviors["user_id"].isin(sample)]
    cut = hold_out(shop, "1997-07-02", 91, cleaned=True)
    table, came = cut.customers, cut.customers["orders_after"].to_numpy()
    said = {
        "BG/NBD": BGNBD().fit(table),
        "Pareto/NBD": ParetoNBD().fit(table),
        "combination without money": Combination(money=False).fit(
            cut.past.behaviors, "1997-07-02", shop.timezone
        ),
        "combination": Combination().fit(cut.past.behaviors, "1997-07-02", shop.timezone),
    }
    means = {name: model.expected(table, 91) for name, model in said.items()}
    return {
        name: float(
            2
            * np.mean(
                np.where(came > 0, came * np.log(np.maximum(came, 1) / mean), 0) - (came - mean)
            )
        )
        for name, mean in means.items()
    }


def truth() -> dict:
    """Simulated customers: coverage of 90 % intervals of orders, and the probability alive beside
    the truth and beside the best that can be said, AUC and Brier score.
    """
    import numpy as np

    from segtutorial.clean import clean
    from segtutorial.metrics.binary import auc
    from segtutorial.shop import simulate_shop
    from segtutorial.value import (
        BGNBD,
        ParetoNBD,
        alive_at_rates,
        draw_customers,
        repeat_orders,
        simulate_pareto_nbd,
    )

    out, shops = {"inside": []}, []
    for seed in range(5):
        table = draw_customers(6000, 365, 90, random_state=seed)
        out["inside"].append(
            inside(BGNBD().fit(table).simulate(table, 90, n=1000), table["later"].to_numpy())
        )
    for seed in range(5):
        table = simulate_pareto_nbd(6000, 365, random_state=seed)
        known = alive_at_rates(
            table["pace"], table["leaving"], table["T"] - table["recency"]
        ).to_numpy()
        shops.append(
            ("customers by the story of Pareto/NBD", table, table["there"].to_numpy(), known)
        )
        shop = simulate_shop(n_users=3000, n_items=300, days=366, random_state=seed)
        table = repeat_orders(clean(shop).shop.behaviors, "2025-01-01")
        people = shop.truth["users"].set_index("user_id").loc[table["user_id"]]
        leaving = np.minimum(
            np.exp(-3 * people["mood"].to_numpy()) / people["life_days"].to_numpy(), 0.5
        )
        pace = (people["visit_rate"] * people["order_rate"]).to_numpy()
        shops.append(
            (
                "the course's shop",
                table,
                people["left_day"].isna().to_numpy(),
                alive_at_rates(pace, leaving, (table["T"] - table["recency"]).to_numpy()),
            )
        )
    out["alive"] = {}
    for kind, table, there, known in shops:
        for name, said in (
            ("Pareto/NBD", ParetoNBD().fit(table).probability_alive(table)),
            ("BG/NBD", BGNBD().fit(table).probability_alive(table)),
            ("who knows each customer's rates", known),
        ):
            found = (
                out["alive"].setdefault(kind, {}).setdefault(name, {"AUC": [], "Brier score": []})
            )
            found["AUC"].append(auc(there, said))
            found["Brier score"].append(float(((said - there) ** 2).mean()))
    return out


def trial_rows(task: str, found: dict, unit: str) -> list[dict]:
    """A row for each forecast and figure, with its interval."""
    rows = []
    names = list(found[unit]) if found else ["combination"]
    for name in names:
        one = found[unit][name] if found else {}
        for metric, key in (
            (f"total bias, %, of {unit}", "bias"),
            (f"mean absolute error of {unit}", "mae"),
            (f"share of {unit} by the top tenth", "top"),
        ):
            if found and (one[key] is None or name == "perfect" and key != "top"):
                continue
            factor, target, at_most, peer, theirs = 100 if key == "bias" else 1, None, True, "", ""
            if task.startswith("CDNOW") and unit == "orders":
                target, at_most = {
                    ("combination", "top"): (0.5, False),
                    ("BG/NBD median", "mae"): (0.67, True),
                }.get((name, key), (None, True))
                peer, theirs = {
                    ("combination", "bias"): ("BG/NBD, measured before", -12.1),
                    ("combination", "top"): ("BG/NBD, measured before", 0.467),
                    ("BG/NBD median", "mae"): ("BG/NBD median, measured before", 0.671),
                }.get((name, key), ("", ""))
            line = row(
                task,
                f"{metric}, {name}",
                [factor * one[key]] if found else None,
                target,
                at_most,
                peer=peer,
                peers_value=theirs,
            )
            if found:
                line |= {
                    "low": f"{factor * one[key + '_low']:.3g}",
                    "high": f"{factor * one[key + '_high']:.3g}",
                }
            rows.append(line)
    return rows


def child(*arguments: str, python: str = sys.executable) -> dict:
    return json.loads(
        subprocess.run(
            [python, __file__, *arguments], check=True, capture_output=True, text=True
        ).stdout.splitlines()[-1]
    )


def speed() -> list[dict]:
    """Seconds and memory, with the peers in turn."""
    rows, peers = [], os.environ.get("SEGTUTORIAL_PEERS")
    runs, theirs = {"BGNBD": [], "ParetoNBD": []}, []
    with tempfile.TemporaryDirectory() as folder:
        path, columns = str(Path(folder) / "customers.pkl"), str(Path(folder) / "columns.npz")
        subprocess.run([sys.executable, __file__, "make", path, columns], check=True)
        for _ in range(RUNS):
            for story in runs:
                runs[story].append(process([sys.executable, __file__, "million", path, story]))
            theirs += [process([peers, __file__, "peer", "lifetimes", columns])] if peers else []
        spent, others = [], {"lifetimes": [], "pymc-marketing": []}
        for _ in range(RUNS):  # in turn
            spent.append(child("fits", columns))
            for name in others if peers and spent[-1] else ():
                others[name].append(child("peer", name, columns, python=peers))
    task, ratio = (
        "1,000,000 customers, fit and value",
        "times as fast as the peer (process; theirs without intervals)",
    )
    for story, name, target in (
        ("BGNBD", "BG/NBD", (60, 2)),
        ("ParetoNBD", "Pareto/NBD", (None, None)),
    ):
        with_peer = (
            {"peer": "lifetimes", "peers_value": f"{statistics.median(t for t, _ in theirs):.3g}"}
            if theirs and story == "BGNBD"
            else {}
        )
        rows.append(
            row(
                task,
                f"seconds, {FUTURES} futures, {name}",
                [seconds for seconds, _ in runs[story]],
                target[0],
                **with_peer,
            )
        )
        with_peer = (
            {"peer": "pymc-marketing at 200,000 (its issue 1077)", "peers_value": "over 40"}
            if story == "BGNBD"
            else {}
        )
        rows.append(
            row(
                task,
                f"peak memory, GiB, {name}",
                [memory for _, memory in runs[story]],
                target[1],
                **with_peer,
            )
        )
    rows.append(
        row(
            task,
            f"{ratio}, BG/NBD",
            [other / ours for (ours, _), (other, _) in zip(runs["BGNBD"], theirs)],
            peer="lifetimes",
        )
    )
    task = "CDNOW sample, 39 weeks"
    for story, name in (
        ("BGNBD", "BG/NBD"),
        ("ParetoNBD", "Pareto/NBD"),
        ("GammaGamma", "Gamma-Gamma"),
    ):
        ours = [statistics.median(one[story]) for one in spent if one]
        rows.append(row(task, f"seconds of a fit, {name}", ours, 1))
        for other in others:
            found = [one[story] for one in others[other] if story in one]
            if found:
                rows.append(
                    row(
                        task,
                        f"times as fast as the peer, of a fit, {name}",
                        [b / a for a, b in zip(ours, found)],
                        peer=other,
                        peers_value=f"{statistics.median(found):.3g}",
                    )
                )
    return rows


def trials() -> list[dict]:
    """Every forecast on both holdouts."""
    rows = []
    for name, task, units in (
        ("cdnow_sample", "CDNOW sample, next 39 weeks", ("orders", "money")),
        ("online_retail", "Online Retail, next quarter", ("orders", "money")),
    ):
        found = child("trial", name)
        for unit in units:
            rows += trial_rows(task, found, unit)
        for story, label in (("BGNBD", "BG/NBD"), ("ParetoNBD", "Pareto/NBD")):
            for k, unit in enumerate(("orders", "money")):
                rows.append(
                    row(
                        task,
                        f"share of {unit} inside 90 % intervals, {label}",
                        [found["inside"][story][k]] if found else None,
                    )
                )
    return rows


def chosen() -> list[dict]:
    return [
        row(
            "CDNOW, other customers, 13 weeks before",
            f"Poisson deviance of orders, {name}",
            [deviance],
        )
        for name, deviance in child("choice").items()
    ]


def truths() -> list[dict]:
    """Simulated customers, of whom all is known."""
    rows = []
    known = child("truth")
    rows.append(
        row(
            "simulated customers, 90 days",
            "distance of the share of orders inside 90 % intervals from 0.9",
            [abs(share - 0.9) for share in known["inside"]],
            0.02,
        )
    )
    rows.append(
        row(
            "simulated customers, 90 days",
            "share of orders inside 90 % intervals, BG/NBD",
            known["inside"],
        )
    )
    for kind, names in known["alive"].items():
        for name, figures in names.items():
            for metric, values in figures.items():
                rows.append(row(f"alive, {kind}", f"{metric}, {name}", values))
    return rows


PARTS = {
    "speed": (speed, ("1,000,000 customers", "CDNOW sample, 39 weeks")),
    "trials": (trials, ("CDNOW sample, next", "Online Retail")),
    "choice": (chosen, ("CDNOW, other",)),
    "truths": (truths, ("simulated customers", "alive,")),
}


def main(names: list[str]) -> None:
    """Measures the parts that are named; rows of the others stay as they were measured, with their
    own date and commit.
    """
    path, rows = ROOT / "bench" / "results" / "value.csv", []
    before = list(csv.DictReader(path.open(encoding="utf-8"))) if path.exists() else []
    for name, (measure, tasks) in PARTS.items():
        rows += (
            measure() if name in names else [one for one in before if one["task"].startswith(tasks)]
        )
    write("value", rows)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["make", path, columns]:
            import numpy as np

            table = customers(MILLION)
            table.to_pickle(path)
            np.savez(
                columns,
                **{
                    name: table[name].to_numpy()
                    for name in ("frequency", "recency", "T", "monetary_value")
                },
            )
        case ["peer", name, path]:
            print(json.dumps(peer(name, path)))
        case ["million", path, story]:
            million(path, story)
        case ["fits", path]:
            print(json.dumps(fits(path)))
        case ["trial", name]:
            print(json.dumps(trial(name)))
        case ["choice"]:
            print(json.dumps(choice()))
        case ["truth"]:
            print(json.dumps(truth()))
        case names:
            main(names or list(PARTS))
