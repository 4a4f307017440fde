"""`Shop.before` cuts every table that has a time, of any dataframe library, and nothing else."""

from dataclasses import fields

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segtutorial.core.calendar import day_start
from segtutorial.core.errors import ShopError
from segtutorial.core.tables import CONTRACT, Shop

TIMED = [table for table, columns in CONTRACT.items() if any(c.name == "ts" for c in columns)]
CUT = 1_718_640_000  # 2024-06-18 in Shanghai
moments = st.one_of(st.none(), st.integers(CUT - 3, CUT + 3), st.integers(0, 2**34 - 1))
logs = st.lists(moments, max_size=12)
cuts = st.one_of(st.integers(CUT - 4, CUT + 4), st.integers(0, 2**34 - 1))


def pandas_table(times):
    ts = pd.Series(times, dtype="Int64")
    return pd.DataFrame({"user_id": range(len(times)), "item_id": range(len(times)), "ts": ts})


def plain_pandas_table(times):
    """As a file without a missing time gives it; with one, the times are floats."""
    ts = pd.Series(times, dtype="float64" if None in times else "int64")
    return pd.DataFrame({"user_id": range(len(times)), "item_id": range(len(times)), "ts": ts})


def polars_table(times):
    kinds = {"user_id": pl.Int64, "item_id": pl.Int64, "ts": pl.Int64}
    ids = list(range(len(times)))
    return pl.DataFrame({"user_id": ids, "item_id": ids, "ts": times}, schema=kinds)


MAKERS = [pandas_table, plain_pandas_table, polars_table]


def rows(table):
    return table["user_id"].to_list() if isinstance(table, pl.DataFrame) else list(table["user_id"])


def shop_of(make, times):
    """A shop of which every table with a time has these times; products have another table's."""
    return Shop(
        **{table: make(times) for table in TIMED},
        products=make([CUT + 10, None]),
        truth={"users": pandas_table([CUT + 10])},
        notes=["a note"],
        name="tea house",
    )


def test_the_timed_tables_are_those_of_the_contract():
    assert set(TIMED) == {"behaviors", "reviews", "impressions"} and "products" in CONTRACT
    assert set(CONTRACT) <= {field.name for field in fields(Shop)}


@pytest.mark.parametrize("make", MAKERS)
@settings(max_examples=60, deadline=None)
@given(times=logs, cut=cuts)
def test_every_table_with_a_time_keeps_the_past_and_the_unknown(make, times, cut):
    shop = shop_of(make, times)
    past = shop.before(cut)
    kept = [row for row, time in enumerate(times) if time is None or time < cut]
    for name in TIMED:
        table = getattr(past, name)
        assert type(table) is type(getattr(shop, name)) and rows(table) == kept, name
        assert list(table.columns) == ["user_id", "item_id", "ts"]
        assert rows(getattr(shop, name)) == list(range(len(times)))  # the shop is as it was
        if isinstance(table, pd.DataFrame):
            assert list(table.index) == list(range(len(kept)))
    assert past.products is shop.products and past.truth is shop.truth
    assert (past.name, past.timezone, past.currency) == (shop.name, shop.timezone, shop.currency)


@pytest.mark.parametrize("make", MAKERS)
@settings(max_examples=30, deadline=None)
@given(times=logs, one=cuts, other=cuts)
def test_cutting_twice_is_cutting_at_the_earlier_moment(make, times, one, other):
    shop = shop_of(make, times)
    twice, once = shop.before(one).before(other), shop.before(min(one, other))
    assert all(rows(getattr(twice, name)) == rows(getattr(once, name)) for name in TIMED)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/London", "America/New_York"])
def test_a_day_is_the_shops_and_begins_it(make, zone):
    start = day_start("2024-06-18", zone)
    shop = Shop(make([start - 1, start, None]), timezone=zone)
    assert rows(shop.before("2024-06-18").behaviors) == [0, 2]
    assert rows(shop.before(start).behaviors) == [0, 2]


@pytest.mark.parametrize("make", MAKERS)
def test_tables_that_are_not_there_stay_away(make):
    past = Shop(make([CUT, CUT - 1])).before(CUT)
    assert past.reviews is past.impressions is past.products is None
    assert rows(past.behaviors) == [1]


def test_the_notes_of_the_past_are_its_own():
    shop = shop_of(pandas_table, [1])
    shop.before(CUT).notes.append("another")
    assert shop.notes == ["a note"]


@pytest.mark.parametrize("wrong", [1_718_640_000_000, 1.5, True, None, "June", "2024-06-31"])
def test_what_is_no_moment_is_refused(wrong):
    with pytest.raises(ShopError, match="as_of|day"):
        shop_of(pandas_table, [1]).before(wrong)
