"""User and item features: the same on three engines and as plain pandas has them, nothing from the
future, and a defined answer to odd input.
"""

import importlib.util
import sys
from dataclasses import replace

import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from segtutorial import features
from segtutorial.clean import clean
from segtutorial.core.section import Context, Table
from segtutorial.core.stages import Results
from segtutorial.features import (
    FEATURES,
    ITEM_FEATURES,
    attributes,
    buyers_by_attribute,
    catalogue_gaps,
    distinct,
    item_features,
    near_copies,
    orders,
    user_features,
)
from segtutorial.features.stage import FeaturesStage
from segtutorial.shop import ACTIONS, Shop, ShopError, day_start, simulate_shop

NAMES, COUNTS = list(FEATURES["name"]), set(FEATURES.loc[FEATURES["null"] == "never", "name"])
DAY = day_start("2024-03-10")


def _bench():
    """The plain pandas way is the peer of the benchmark, and the oracle here."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        spec = importlib.util.spec_from_file_location(
            "bench_features", ROOT / "bench" / "features.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    finally:
        sys.path.remove(str(ROOT / "bench"))


plain_features = _bench().plain_features


@pytest.fixture(scope="module")
def cleaned(shop):
    return clean(shop).shop


def as_kind(shop, kind):
    """The shop with its tables as another engine's."""
    lake = duckdb.connect()

    def made(table):
        if kind == "duckdb":
            return lake.from_df(table) if len(table.columns) else None
        frame = pl.from_pandas(table)
        return frame.lazy() if kind == "lazy" else frame

    tables = {
        name: made(getattr(shop, name))
        for name in ("behaviors", "products", "reviews")
        if getattr(shop, name) is not None
    }
    return shop if kind == "pandas" else replace(shop, **tables)


def plain(frame):
    return (
        frame
        if isinstance(frame, pd.DataFrame)
        else nw.from_native(frame).lazy().collect("pandas").to_native()
    )


def same(one, other, exact=()):
    """Two tables: same columns, rows and nulls; integers identical, floats to 1e-9."""
    assert list(one) == list(other) and len(one) == len(other)
    for name in one:
        if not pd.api.types.is_numeric_dtype(one[name].dtype):
            assert (
                one[name].astype(object).where(one[name].notna(), None).tolist()
                == other[name].astype(object).where(other[name].notna(), None).tolist()
            ), name
        elif name in exact or (one[name].dtype.kind == "i" and other[name].dtype.kind == "i"):
            assert one[name].tolist() == other[name].tolist(), name
        else:
            np.testing.assert_allclose(
                one[name].to_numpy(float),
                other[name].to_numpy(float),
                rtol=1e-9,
                atol=1e-9,
                equal_nan=True,
                err_msg=name,
            )


# one code, three engines, one oracle


@pytest.mark.parametrize("as_of", ["2024-01-03", "2024-02-15", "2024-04-01"])
def test_three_engines_and_plain_pandas_agree(cleaned, as_of):
    """On a cleaned dirty shop; the kinds that come back are those that went in, and so are the
    types.
    """
    table = user_features(cleaned, as_of)
    same(
        table,
        plain_features(cleaned.behaviors, cleaned.products, day_start(as_of))[list(table)],
        COUNTS,
    )
    items = item_features(cleaned, as_of)
    for kind, native in (
        ("polars", pl.DataFrame),
        ("lazy", pl.LazyFrame),
        ("duckdb", duckdb.DuckDBPyRelation),
    ):
        there = as_kind(cleaned, kind)
        others = user_features(there, as_of), item_features(there, as_of)
        assert all(isinstance(other, native) for other in others)
        same(table, plain(others[0]), COUNTS)
        same(items, plain(others[1]))
        assert {
            name: kind == nw.Int64
            for name, kind in nw.from_native(others[0]).collect_schema().items()
            if name != "user_id"
        } == {name: name in COUNTS for name in NAMES}
    assert (
        table.dtypes[NAMES] == ["int64" if name in COUNTS else "float64" for name in NAMES]
    ).all()
    assert not table[sorted(COUNTS)].isna().any().any()


EVENT = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from([1, 1, 1, 2, 2, 3, 4, 5, None]),
        "item_id": st.sampled_from([1, 2, 3, 4, 99]),
        "action": st.sampled_from(ACTIONS + ("buy", "buy", "view")),
        "ts": st.one_of(
            st.integers(0, 40 * 86_400),
            st.sampled_from([0, 900, 1800, 1801, 3601, 86_399, 86_400, 20 * 86_400]),
        ).map(lambda s: DAY - 30 * 86_400 + s),
        "quantity": st.sampled_from([1, 2, 5, None]),
        "price": st.sampled_from([1, 999, 5000, None]),
        "order_id": st.sampled_from([None, None, "a", "b"]),
        "coupon": st.sampled_from([None, None, "九折"]),
    }
)
PRODUCT = st.fixed_dictionaries(
    {
        "category": st.sampled_from(["茶", "茶", "书", None]),
        "brand": st.sampled_from(["霁", "穗", None]),
        "price": st.sampled_from([100, 100, 5000, None]),
        "listed_at": st.sampled_from([DAY - 10**7, DAY - 86_400, DAY + 86_400, None]),
    }
)


def a_log(events):
    log = pd.DataFrame(
        events,
        columns=["user_id", "item_id", "action", "ts", "quantity", "price", "order_id", "coupon"],
    )
    log = log.astype(
        {
            "user_id": "Int64",
            "item_id": "int64",
            "ts": "int64",
            "quantity": "Int64",
            "price": "Int64",
            "order_id": "str",
            "coupon": "str",
            "action": "str",
        }
    )
    trade = log["action"].isin(["buy", "return"])
    return log.assign(
        quantity=log["quantity"].where(trade),
        price=log["price"].where(trade),
        order_id=log["order_id"].where(trade),
        coupon=log["coupon"].where(log["action"] == "buy"),
    )


def some_products(rows):
    products = pd.DataFrame(rows, columns=["category", "brand", "price", "listed_at"]).astype(
        {"category": "str", "brand": "str", "price": "Int64", "listed_at": "Int64"}
    )
    return products.assign(item_id=np.arange(1, len(products) + 1), title="茶")


@settings(max_examples=12)
@given(
    st.lists(EVENT, min_size=1, max_size=80),
    st.lists(PRODUCT, min_size=4, max_size=4),
    st.booleans(),
)
def test_small_odd_logs_agree_too(events, goods, netted):
    """Ties, nulls, guests, unknown items, unlisted products, orders without a number: engines and
    oracle agree, or all refuse.
    """
    log, end = a_log(events), DAY
    if netted:
        log["net_quantity"] = (log["quantity"] - (log["ts"] % 2)).where(log["action"] == "buy")
    shop = Shop(log, some_products(goods))
    known = log["user_id"].notna() & (log["ts"] < end)
    if not known.any():
        for kind in ("pandas", "polars", "duckdb"):
            with pytest.raises(ShopError, match="nobody did anything before 2024-03-10"):
                user_features(as_kind(shop, kind), end)
        return
    table, items = user_features(shop, end), item_features(shop, end)
    assert list(table["user_id"]) == sorted(log.loc[known, "user_id"].unique())
    same(table, plain_features(log, shop.products, end)[list(table)], COUNTS)
    for kind in ("polars", "duckdb"):
        same(table, plain(user_features(as_kind(shop, kind), end)), COUNTS)
        same(items, plain(item_features(as_kind(shop, kind), end)))


# nothing from the future, and no order of rows


@settings(max_examples=12)
@given(
    st.lists(EVENT, min_size=1, max_size=60),
    st.lists(EVENT, max_size=30),
    st.randoms(use_true_random=False),
)
def test_no_event_at_or_after_as_of_changes_a_feature(past, future, random):
    """Events at or after it are added, taken away, changed; the rows are shuffled: every feature of
    every user and item stays what it was.
    """
    before = a_log(past).assign(
        ts=lambda t: t["ts"].clip(upper=DAY - 1), user_id=lambda t: t["user_id"].fillna(1)
    )
    after = a_log(future).assign(ts=lambda t: DAY + t["ts"] % 86_400 * (t["ts"] % 3))
    shop = Shop(
        before,
        some_products([{"category": "茶", "brand": "霁", "price": 100, "listed_at": None}] * 4),
    )
    both = pd.concat([before, after])
    both = replace(
        shop, behaviors=both.iloc[random.sample(range(len(both)), len(both))].reset_index(drop=True)
    )
    for kind in ("pandas", "polars"):
        there = as_kind(both, kind)
        same(plain(user_features(there, DAY)), user_features(shop, DAY), COUNTS)
        same(plain(item_features(there, DAY)), item_features(shop, DAY))


def test_the_future_of_a_real_sized_shop_does_not_leak(cleaned):
    """All later events replaced by noise, reviews too; the tables about products stay the same as
    well.
    """
    end, rng = day_start("2024-02-20"), np.random.default_rng(0)
    log, reviews = cleaned.behaviors, cleaned.reviews
    later = log["ts"] >= end
    assert later.mean() > 0.2 and (reviews["ts"] >= end).any()
    noise = (
        log[later]
        .sample(frac=0.5, random_state=0)
        .assign(
            ts=lambda t: end + rng.integers(0, 10**6, len(t)),
            action="buy",
            quantity=3,
            price=10**6,
            net_quantity=3,
            item_id=1,
        )
    )
    other = replace(
        cleaned,
        behaviors=pd.concat([noise, log[~later]], ignore_index=True),
        reviews=reviews.assign(rating=reviews["rating"].where(reviews["ts"] < end, 1)),
    )
    same(user_features(cleaned, end), user_features(other, end), COUNTS)
    for table in (item_features, attributes, catalogue_gaps, buyers_by_attribute):
        same(table(cleaned, end), table(other, end))


def test_the_order_of_rows_does_not_matter(cleaned):
    mixed = replace(
        cleaned,
        behaviors=cleaned.behaviors.sample(frac=1, random_state=1),
        products=cleaned.products.sample(frac=1, random_state=1),
    )
    same(user_features(cleaned, "2024-03-31"), user_features(mixed, "2024-03-31"), COUNTS)
    same(item_features(cleaned), item_features(mixed))
    same(attributes(cleaned), attributes(mixed))


# what there is


def test_the_table_of_features_is_the_table(cleaned):
    table = user_features(cleaned, "2024-03-31")
    assert (
        list(table) == ["user_id", *NAMES]
        and FEATURES["name"].is_unique
        and FEATURES.notna().all().all()
        and (FEATURES != "").all().all()
    )
    assert FEATURES["chapter"].str.fullmatch(r"\d\d_[a-z]+").all() and list(FEATURES) == [
        "name",
        "unit",
        "meaning",
        "null",
        "chapter",
    ]
    assert list(item_features(cleaned)) == ["item_id", "category", "brand", *ITEM_FEATURES["name"]]
    empty = user_features(
        replace(
            cleaned,
            behaviors=cleaned.behaviors[["user_id", "item_id", "action", "ts"]],
            products=None,
            reviews=None,
        ),
        "2024-03-31",
    )
    assert (
        list(empty) == list(table)
        and empty["monetary"].isna().all()
        and empty["category_1"].isna().all()
        and empty["coupon_share"].isna().all()
        and empty["frequency"].sum() > 0
    )


def test_forty_features_that_are_no_near_copies():
    cleaned = clean(simulate_shop(800, 120, 120, 3, dirt=0.02)).shop
    table = user_features(cleaned, "2024-04-30")[NAMES]
    kept = distinct(table)
    assert len(kept) >= 40
    rho = table[kept].corr(min_periods=3).to_numpy().copy()
    np.fill_diagonal(rho, 0)
    assert np.nanmax(np.abs(rho)) <= 0.98


@pytest.mark.parametrize("name, least", [("online_retail", 40), ("tmall", 30)])
def test_what_public_sets_carry(public_data, name, least):
    """As far as their columns allow: one has only buys and returns, the other nine days without
    prices or views.
    """
    public_data(name)
    from segtutorial.core.datasets import fetch_online_retail, fetch_tmall

    shop = clean({"online_retail": fetch_online_retail, "tmall": fetch_tmall}[name]()).shop
    table = user_features(shop, int(shop.behaviors["ts"].max()) + 1)
    assert len(distinct(table[NAMES])) >= least
    same(
        table,
        plain(
            user_features(
                as_kind(replace(shop, reviews=None), "duckdb"), int(shop.behaviors["ts"].max()) + 1
            )
        ),
        COUNTS,
    )


def test_near_copies():
    table = pd.DataFrame(
        {
            "a": [1, 2, 3, 4.0],
            "b": [2, 4, 6, 8.5],
            "c": [4, 1, 3, 2.0],
            "d": 1.0,
            "e": np.nan,
            "f": [-1, -2, -3, -4.0],
        }
    )
    assert near_copies(table)[["first", "second"]].to_numpy().tolist() == [
        ["a", "f"],
        ["a", "b"],
        ["b", "f"],
    ]
    assert distinct(table) == ["a", "c"] and near_copies(table[["d", "e"]]).empty


# bad input


def test_refusals(cleaned):
    for as_of, words in (
        ("2023-01-01", "nobody did anything before 2023-01-01"),
        ("June", "not a day"),
        (1_700_000_000_000, "as_of"),
        (None, "as_of"),
        (3.5, "as_of"),
    ):
        with pytest.raises(ShopError, match=words):
            user_features(cleaned, as_of)
    for name in ("user_id", "item_id", "action", "ts"):
        with pytest.raises(ShopError, match=f"no column '{name}'"):
            user_features(
                replace(cleaned, behaviors=cleaned.behaviors.drop(columns=name)), "2024-03-31"
            )
    with pytest.raises(ShopError, match="more than once"):
        user_features(
            replace(cleaned, products=pd.concat([cleaned.products, cleaned.products.head(1)])),
            "2024-03-31",
        )
    with pytest.raises(ShopError, match="one kind"):
        user_features(replace(cleaned, products=pl.from_pandas(cleaned.products)), "2024-03-31")
    with pytest.raises(ShopError, match="each once"):
        user_features(cleaned, "2024-03-31", categories=["a", "a"])
    with pytest.raises(ShopError, match="900 seconds"):
        features.sessions(
            features.quarters(features.events(cleaned.behaviors, "2024-03-31")), gap=60
        )
    with pytest.raises(ShopError, match="attribute = 'colour'"):
        buyers_by_attribute(cleaned, attribute="colour")
    with pytest.raises(ShopError, match="nobody did anything"):
        item_features(replace(cleaned, behaviors=cleaned.behaviors.head(0)))


def test_users_without_events_are_left_out_or_asked_for(cleaned):
    """Asked for, they have counts of 0 and null elsewhere; on DuckDB by a relation."""
    table, nobody = user_features(cleaned, "2024-01-10"), 999_999
    assert nobody not in set(table["user_id"]) and set(table["user_id"]) < set(
        cleaned.behaviors["user_id"]
    )
    asked = [nobody, *table["user_id"].iloc[:3], nobody]
    some = user_features(cleaned, "2024-01-10", users=asked)
    assert some["user_id"].tolist() == sorted(set(asked))
    last = some.iloc[-1]
    assert (last[sorted(COUNTS)] == 0).all() and last[
        [name for name in NAMES if name not in COUNTS]
    ].isna().all()
    same(some.head(3), table.head(3), COUNTS)
    same(some, plain(user_features(as_kind(cleaned, "polars"), "2024-01-10", users=asked)), COUNTS)
    same(some, plain(user_features(as_kind(cleaned, "lazy"), "2024-01-10", users=asked)), COUNTS)
    lake = as_kind(cleaned, "duckdb")
    wanted = lake.behaviors.query(
        "log", f"select unnest([999999, {', '.join(map(str, asked[1:4]))}]) as user_id"
    )
    same(some, plain(user_features(lake, "2024-01-10", users=wanted)), COUNTS)
    with pytest.raises(ShopError, match="give a frame"):
        user_features(lake, "2024-01-10", users=asked)


def test_constant_columns_ties_and_one_category_have_defined_answers():
    """One category: share 1, entropy 0. All prices equal: every place 1/2, every band 1. All events
    at one moment: one session of no length, no gaps.
    """
    log = a_log(
        [
            {
                "user_id": user,
                "item_id": item,
                "action": "view",
                "ts": DAY - 500,
                "quantity": None,
                "price": None,
                "order_id": None,
                "coupon": None,
            }
            for user in (1, 2)
            for item in (1, 2, 3)
        ]
    )
    shop = Shop(
        log, some_products([{"category": "茶", "brand": "霁", "price": 100, "listed_at": None}] * 3)
    )
    for kind in ("pandas", "polars", "duckdb"):
        table = plain(user_features(as_kind(shop, kind), DAY))
        for name, value in {
            "category_1": 1,
            "category_2": 0,
            "category_other": 0,
            "category_entropy": 0,
            "brand_entropy": 0,
            "top_brand_share": 1,
            "price_place": 0.5,
            "popularity": 0.5,
            "band_1": 1,
            "band_4": 0,
            "sessions": 1,
            "session_seconds": 0,
            "hour_entropy": 0,
            "active_days": 1,
            "frequency": 0,
            "buy_of_view": 0,
            "tenure": 1,
            "week_1": 3,
            "trend": 1,
        }.items():
            assert table[name].tolist() == [value] * 2, (kind, name)
        assert (
            table[
                [
                    "recency",
                    "monetary",
                    "gap_mean",
                    "visit_gap_mean",
                    "buy_of_cart",
                    "return_share",
                    "paid_share",
                ]
            ]
            .isna()
            .all()
            .all()
        )
    assert catalogue_gaps(shop, DAY)["state"].tolist() == [
        "",
    ] or set(catalogue_gaps(shop, DAY)["state"]) <= {"", "thin", "crowded"}
    assert not attributes(shop, DAY, least=1)["clear"].any()


def test_categories_can_be_pinned(cleaned):
    """The same list at two moments: the columns mean the same."""
    names = features.top_categories(
        features.user_item_counts(features.events(cleaned.behaviors, "2024-03-31")),
        features.catalogue(cleaned.products, "2024-03-31"),
    )
    turned = names[::-1]
    here, there = (
        user_features(cleaned, "2024-03-31", categories=names),
        user_features(cleaned, "2024-03-31", categories=turned),
    )
    same(here, user_features(cleaned, "2024-03-31"), COUNTS)
    assert here["category_1"].equals(there[f"category_{len(names)}"].rename("category_1"))
    few = user_features(cleaned, "2024-03-31", categories=names[:1])
    np.testing.assert_allclose(few["category_1"] + few["category_other"], 1)
    assert (few["category_2"].dropna() == 0).all()


# its parts


def test_it_counts_what_rfm_counts(cleaned):
    table, rfm = user_features(cleaned, "2024-03-31"), orders.rfm(cleaned.behaviors, "2024-03-31")
    there = table[table["frequency"] > 0].reset_index(drop=True)
    for name in ("user_id", "recency", "frequency", "monetary"):
        assert there[name].tolist() == rfm[name].tolist()


def test_duckdb_is_left_as_it_was_found(cleaned):
    """No table of the steps between stays, only the result; and the result outlives them."""
    lake = duckdb.connect()
    lake.register("log", cleaned.behaviors), lake.register("goods", cleaned.products)
    table = user_features(
        Shop(lake.sql("select * from log"), lake.sql("select * from goods")), "2024-03-31"
    )
    assert len(lake.sql("select 1 from duckdb_tables()")) == 1
    assert len(table) == len(table.df()) > 0
    orders.release(table)
    assert not len(lake.sql("select 1 from duckdb_tables()"))


def test_no_call_that_spark_lacks():
    """What narwhals cannot do on Spark, by the list of the toolchain notes: no such call in the
    code of this chapter.
    """
    lacks = [
        "dt.timestamp",
        "dt.total_",
        ".first(",
        ".last(",
        "n_unique().over",
        "ewm_mean",
        "join_asof",
        "map_batches",
        ".pivot(",
        ".sample(",
        "rolling_",
        "qcut",
        ".hash(",
    ]
    for name in ("orders", "activity", "preferences"):
        code = (ROOT / "segtutorial" / "features" / f"{name}.py").read_text(encoding="utf-8")
        assert [call for call in lacks if call in code] == [], name


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report(cleaned, lang):
    ctx = Context(day_start("2024-03-31"), lang)
    results = Results()
    section = FeaturesStage().run(cleaned, results, ctx)
    tables = {part.name: part for part in section.parts if isinstance(part, Table)}
    assert list(tables) == [
        "user_features",
        "feature_list",
        "item_features",
        "attributes",
        "catalogue_gaps",
    ]
    same(results[FeaturesStage].users, user_features(cleaned, ctx.as_of), COUNTS)
    assert (
        len(tables["item_features"].frame)
        == len(results[FeaturesStage].items)
        == len(item_features(cleaned, ctx.as_of))
    )
    assert np.allclose(
        tables["user_features"].frame["monetary"].dropna() * 100,
        results[FeaturesStage].users["monetary"].dropna(),
    )


def test_report_without_products_reviews_and_prices(cleaned):
    bare = replace(
        cleaned,
        behaviors=cleaned.behaviors[["user_id", "item_id", "action", "ts"]],
        products=None,
        reviews=None,
    )
    section = FeaturesStage().run(bare, Results(), Context(day_start("2024-03-31")))
    assert any(
        "no categories, or no prices" in part for part in section.parts if isinstance(part, str)
    )
