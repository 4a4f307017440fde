"""Ten million events to all user features: DuckDB through the library, against pandas as one would
write it: bench/results/features.csv.

Whole processes, each reading the same Parquet files (made once by the simulator) and writing its
table, in turn, three times.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from _results import ROOT, process, row, write

RUNS, USERS, ITEMS, DAYS, AS_OF, ZONE = (
    3,
    int(os.environ.get("FEATURES_USERS", 145_000)),
    1000,
    180,
    "2024-06-29",
    "Asia/Shanghai",
)


def entropy(counts: pd.Series) -> pd.DataFrame:
    """Of counts by user and something: how many, the largest share, the entropy."""
    users = counts.groupby(level=0)
    share = counts / users.transform("sum")
    return pd.DataFrame(
        {
            "n": users.size(),
            "top": share.groupby(level=0).max(),
            "entropy": -(share * np.log(share)).groupby(level=0).sum(),
        }
    )


def gaps(days: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation of the days between a user's days."""
    wait = days.sort_values(["user_id", "day"]).groupby("user_id")["day"].diff()
    users = wait.groupby(days.sort_values(["user_id", "day"])["user_id"])
    return pd.DataFrame({"mean": users.mean(), "std": users.std(ddof=0).where(users.count() > 1)})


def over(above: pd.Series, below: pd.Series) -> pd.Series:
    """A quotient, null where it is by zero."""
    return above.astype(float) / below.astype(float).where(below != 0)


def plain_orders(log: pd.DataFrame, today: int) -> pd.DataFrame:
    """What users ordered."""
    trade = log[log["action"].isin(["buy", "return"])]
    bought, back = trade[trade["action"] == "buy"], trade[trade["action"] == "return"]
    kept = bought[bought["pieces"].isna() | (bought["pieces"] > 0)]
    kept = kept.assign(
        money=(kept["pieces"] * kept["price"]).astype(float),
        order=kept["order_id"]
        .astype("str")
        .where(kept["order_id"].notna(), "day " + kept["day"].astype(str)),
    )
    users, orders = (
        kept.groupby("user_id"),
        kept.groupby(["user_id", "order"]).agg(
            day=("day", "max"), money=("money", "sum"), priced=("money", "count")
        ),
    )
    orders["money"] = orders["money"].where(orders["priced"] > 0)
    late = orders[orders["day"] >= today - 90].groupby("user_id")
    out = pd.DataFrame(index=pd.Index(trade["user_id"].unique(), name="user_id"))
    out["recency"], out["customer_days"] = today - users["day"].max(), today - users["day"].min()
    out["frequency"], out["orders_90"] = orders.groupby("user_id").size(), late.size()
    out["monetary"] = users["money"].sum(min_count=1)
    out["order_max"] = orders.groupby("user_id")["money"].max()
    out[["gap_mean", "gap_std"]] = gaps(kept[["user_id", "day"]].drop_duplicates())
    out["return_share"] = over(
        back.groupby("user_id")["bought"].sum().astype(float).reindex(out.index).fillna(0),
        bought.groupby("user_id")["bought"].sum(),
    )
    out["coupon_share"] = (
        bought["coupon"].notna().groupby(bought["user_id"]).mean() if "coupon" in log else np.nan
    )
    out["money_90_share"] = over(
        late["money"].sum().reindex(out.index).fillna(0).where(out["monetary"].notna()),
        out["monetary"],
    )
    out["order_mean"] = over(out["monetary"], out["frequency"])
    pieces = users["pieces"].sum(min_count=1)
    out["order_pieces"], out["piece_price"] = (
        over(pieces, out["frequency"]),
        over(out["monetary"], pieces),
    )
    out["order_pieces"] = out["order_pieces"].where(
        out["order_pieces"].notna() | out["frequency"].isna(), 0
    )
    out["gap_cv"], out["overdue"] = (
        over(out["gap_std"], out["gap_mean"]),
        over(out["recency"], out["gap_mean"]),
    )
    return out


def plain_actions(log: pd.DataFrame) -> pd.DataFrame:
    """What users did, and what became of what they met."""
    actions = ["view", "click", "favorite", "cart", "buy", "share", "return"]
    met = (
        log.groupby(["user_id", "item_id", "action"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=actions, fill_value=0)
    )
    out = met.groupby("user_id").sum().add_suffix("s")
    out["events"], out["items"] = out.sum(axis=1), met.groupby("user_id").size()
    out["events_per_item"] = out["events"] / out["items"]
    did = met > 0
    for name, first, then in (
        ("click_of_view", "view", "click"),
        ("cart_of_click", "click", "cart"),
        ("buy_of_cart", "cart", "buy"),
        ("buy_of_favorite", "favorite", "buy"),
        ("buy_of_view", "view", "buy"),
    ):
        out[name] = did.loc[did[first], then].groupby("user_id").mean()
    return out


def plain_rhythm(log: pd.DataFrame, today: int, last: int) -> pd.DataFrame:
    """When users came, and in how many visits."""
    log = log.sort_values(["user_id", "ts"])
    new = log.groupby("user_id")["ts"].diff().fillna(np.inf) > 1800
    visits = (
        log.assign(session=new.cumsum(), buy=log["action"] == "buy")
        .groupby(["user_id", "session"])
        .agg(start=("ts", "min"), end=("ts", "max"), events=("ts", "size"), buy=("buy", "max"))
    )
    visits["seconds"], visits["single"] = visits["end"] - visits["start"], visits["events"] == 1
    users = visits.groupby("user_id")
    out = pd.DataFrame(
        {
            "sessions": users.size(),
            "session_events": users["events"].mean(),
            "session_seconds": users["seconds"].mean(),
            "bounce_share": users["single"].mean(),
            "buying_sessions": users["buy"].mean(),
        }
    )
    week = (last - log["day"]) // 7 + 1
    weeks = (
        log[week <= 8]
        .groupby(["user_id", week[week <= 8]])
        .size()
        .unstack(fill_value=0)
        .reindex(out.index)
        .reindex(columns=range(1, 9))
        .fillna(0)
    )
    out[[f"week_{k}" for k in range(1, 9)]] = weeks
    near, far = weeks[[1, 2, 3, 4]].sum(axis=1), weeks[[5, 6, 7, 8]].sum(axis=1)
    out["trend"] = over(near - far, near + far)
    users = log.groupby("user_id")
    out["tenure"], out["idle"] = today - users["day"].min(), today - users["day"].max()
    for k, name in enumerate(("night", "morning", "afternoon", "evening")):
        out[f"{name}_share"] = (log["hour"] // 6 == k).groupby(log["user_id"]).mean()
    out["weekend_share"] = (log["weekday"] >= 5).groupby(log["user_id"]).mean()
    days = log.groupby(["user_id", "day"]).size()
    out[["active_days", "busiest_day_share"]] = entropy(days)[["n", "top"]]
    out["hour_entropy"] = entropy(log.groupby(["user_id", "hour"]).size())["entropy"]
    out["weekday_entropy"] = entropy(log.groupby(["user_id", "weekday"]).size())["entropy"]
    out[["visit_gap_mean", "visit_gap_std"]] = gaps(days.reset_index()[["user_id", "day"]])
    return out


def plain_tastes(log: pd.DataFrame, products: pd.DataFrame, end: int) -> pd.DataFrame:
    """What users look at and buy."""
    goods = (
        products[products["listed_at"].isna() | (products["listed_at"] < end)].copy()
        if "listed_at" in products
        else products.copy()
    )
    price = goods["price"].astype(float)
    goods["place"] = (price.groupby(goods["category"]).rank() - 0.5) / price.groupby(
        goods["category"]
    ).transform("count")
    goods["band"] = (price.rank(method="min") - 1) * 4 // price.count() + 1
    reach = log[["user_id", "item_id"]].drop_duplicates().groupby("item_id").size()
    seen = log[["user_id", "item_id"]].merge(
        goods[["item_id", "category", "brand", "place", "band"]], on="item_id", how="left"
    )
    seen["popularity"] = seen["item_id"].map((reach.rank() - 0.5) / len(reach))
    users = seen.groupby("user_id")
    out = pd.DataFrame(
        {"price_place": users["place"].mean(), "popularity": users["popularity"].mean()}
    )
    counts = seen.groupby(["user_id", "category"]).size()
    top = (
        counts.groupby("category")
        .sum()
        .reset_index(name="n")
        .sort_values(["n", "category"], ascending=[False, True])["category"]
        .tolist()[:8]
    )
    shares = (
        (counts / counts.groupby("user_id").transform("sum"))
        .unstack(fill_value=0.0)
        .reindex(out.index)
    )
    for k in range(8):
        out[f"category_{k + 1}"] = (
            shares[top[k]]
            if k < len(top)
            else (shares.sum(axis=1, min_count=1) * 0 if len(top) else np.nan)
        )
    out["category_other"] = (
        shares.drop(columns=top).sum(axis=1).where(shares.notna().any(axis=1))
        if len(top)
        else np.nan
    )
    bands = seen.groupby(["user_id", "band"]).size()
    bands = (
        (bands / bands.groupby("user_id").transform("sum"))
        .unstack(fill_value=0.0)
        .reindex(out.index)
    )
    for k in range(1, 5):
        out[f"band_{k}"] = bands[k] if k in bands else bands.sum(axis=1, min_count=1) * 0
    out[["categories", "category_entropy"]] = entropy(counts)[["n", "entropy"]]
    out[["brands", "top_brand_share", "brand_entropy"]] = entropy(
        seen.groupby(["user_id", "brand"]).size()
    )
    bought = log[log["action"] == "buy"].merge(
        goods[["item_id", "price", "place"]], on="item_id", how="left", suffixes=("", "_list")
    )
    out["bought_price_place"] = bought.groupby("user_id")["place"].mean()
    kept = bought[
        (bought["pieces"] > 0).fillna(False).astype(bool)
        & bought["price"].notna()
        & bought["price_list"].notna()
    ]
    out["paid_share"] = over(
        (kept["pieces"] * kept["price"]).groupby(kept["user_id"]).sum(),
        (kept["pieces"] * kept["price_list"]).groupby(kept["user_id"]).sum(),
    )
    return out


def plain_features(
    behaviors: pd.DataFrame, products: pd.DataFrame, end: int, zone: str = ZONE
) -> pd.DataFrame:
    """All user features by pandas alone, written in the obvious way: the peer here, and the oracle
    of tests/test_features.py.
    """
    log = behaviors[(behaviors["ts"] < end) & behaviors["user_id"].notna()]
    clock = pd.to_datetime(log["ts"], unit="s", utc=True).dt.tz_convert(zone).dt.tz_localize(None)
    log = log.assign(
        day=clock.dt.normalize().astype("datetime64[s]").astype("int64") // 86400,
        hour=clock.dt.hour,
        weekday=clock.dt.day_of_week,
        bought=log["quantity"] if "quantity" in log else np.nan,
        pieces=log["net_quantity"]
        if "net_quantity" in log
        else log["quantity"]
        if "quantity" in log
        else np.nan,
    )
    for name in ("price", "order_id"):
        if name not in log:
            log[name] = np.nan
    moments = (
        pd.to_datetime([end, end - 1], unit="s", utc=True)
        .tz_convert(zone)
        .tz_localize(None)
        .normalize()
        .astype("datetime64[s]")
        .astype("int64")
        // 86400
    )
    out = plain_actions(log)
    for part in (
        plain_orders(log, moments[0]),
        plain_rhythm(log, moments[0], moments[1]),
        plain_tastes(log, products, end),
    ):
        out = out.join(part)
    whole = ["frequency", "orders_90"]
    return out.fillna(dict.fromkeys(whole, 0)).sort_index().reset_index()


LIBRARY = """
import sys
from segtutorial.features import user_features
from segtutorial.core.tables import Shop
{read}
table = user_features(Shop(behaviors, products), "{as_of}")
{write}
"""
READ = {
    "duckdb": (
        'import duckdb\nlake = duckdb.connect()\nlake.execute("set threads = 2; set '
        "memory_limit = '2500MB'\")\nbehaviors, products = "
        "(lake.read_parquet(f'{sys.argv[1]}/{name}.parquet') for name in ('behaviors', "
        "'products'))"
    ),
    "pandas": (
        "import pandas as pd\nbehaviors, products = "
        "(pd.read_parquet(f'{sys.argv[1]}/{name}.parquet') for name in ('behaviors', "
        "'products'))"
    ),
}
SAVE = {
    "duckdb": "table.write_parquet(sys.argv[1] + '/duckdb.out')",
    "pandas": "table.to_parquet(sys.argv[1] + '/pandas.out')",
}
MAKE = """
import sys
from segtutorial.simulation.simulator import simulate_shop
shop = simulate_shop({users}, {items}, {days}, 0)
shop.behaviors.to_parquet(sys.argv[1] + "/behaviors.parquet", index=False)
shop.products.to_parquet(sys.argv[1] + "/products.parquet", index=False)
"""


def _plain(folder: str) -> None:
    behaviors, products = (
        pd.read_parquet(f"{folder}/{name}.parquet") for name in ("behaviors", "products")
    )
    plain_features(behaviors, products, int(pd.Timestamp(AS_OF, tz=ZONE).timestamp())).to_parquet(
        f"{folder}/plain.out"
    )


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "plain":
        return _plain(sys.argv[2])
    times: dict[str, list[tuple[float, float]]] = {}
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [sys.executable, "-c", MAKE.format(users=USERS, items=ITEMS, days=DAYS), folder],
            check=True,
            cwd=ROOT,
            env=environment,
        )
        events = pd.read_parquet(f"{folder}/behaviors.parquet", columns=["ts"])
        events = int((events["ts"] < int(pd.Timestamp(AS_OF, tz=ZONE).timestamp())).sum())
        print(f"{events:,} events before {AS_OF}")
        tasks = {
            name: [
                sys.executable,
                "-c",
                LIBRARY.format(read=READ[name], write=SAVE[name], as_of=AS_OF),
                folder,
            ]
            for name in READ
        }
        tasks["plain pandas"] = [sys.executable, str(Path(__file__).resolve()), "plain", folder]
        for _ in range(RUNS):
            for task, command in tasks.items():
                times.setdefault(task, []).append(process(command, cwd=ROOT, env=environment))
                print(task, *(f"{x:.2f}" for x in times[task][-1]), flush=True)
        _compare(folder)

    def seconds(task):
        return [s for s, _ in times[task]]

    ratios = [slow / fast for slow, fast in zip(seconds("plain pandas"), seconds("duckdb"))]
    peer = f"plain pandas, {np.median([m for _, m in times['plain pandas']]):.1f} GiB"
    name = f"{events / 1e6:.1f} M events to features"
    write(
        "features",
        [
            row(
                f"{name}, DuckDB",
                "seconds",
                seconds("duckdb"),
                None,
                peer=peer,
                peers_value=f"{np.median(seconds('plain pandas')):.3g}",
            ),
            row(f"{name}, DuckDB", "peak memory, GiB", [m for _, m in times["duckdb"]], 4),
            row(
                f"{name}, DuckDB",
                "times as fast as the peer",
                ratios,
                3,
                at_most=False,
                peer=peer,
                peers_value="1",
            ),
            *(
                row(f"{name}, library on pandas", metric, [pair[k] for pair in times["pandas"]])
                for k, metric in enumerate(("seconds", "peak memory, GiB"))
            ),
        ],
    )


def _compare(folder: str) -> None:
    """Ends the run where the peer has not computed the same."""
    ours, peers = (pd.read_parquet(f"{folder}/{name}.out") for name in ("duckdb", "plain"))
    for name in ours.columns:
        a, b = ours[name].to_numpy(float), peers[name].to_numpy(float)
        if not np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True):
            sys.exit(
                f"{name}: the peer computed something else, in "
                f"{int((~np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)).sum()):,} "
                "rows"
            )


if __name__ == "__main__":
    main()
