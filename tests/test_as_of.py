"""Nothing at or after `as_of` is used, by any function that takes a moment."""

import importlib
import inspect
from dataclasses import fields, is_dataclass, replace

import numpy as np
import pandas as pd
import pytest

from segtutorial import features, metrics, sentiment, text, value
from segtutorial.clean import clean
from segtutorial.core.calendar import to_timestamp
from segtutorial.shop import Shop, simulate_shop

DAY = "2024-02-20"  # of 90 from 1 January on
FACES = "core simulation course clean features metrics text sentiment value mf shop".split()
# what takes a moment and reads no table that has one
NO_TABLE = {
    "to_timestamp",
    "before",  # the cut itself: test_shop_by_hand
    "windows",
    "catalogue",  # products have no time
    "order_features",  # these two take tables that `events` and `order_lines` have cut
    "rhythm_features",
}


def score(texts):
    return np.array([0.9 if "好" in str(one) else 0.2 for one in texts])


CASES = {
    "attributes": lambda shop, day: features.attributes(shop, day),
    "buyers_by_attribute": lambda shop, day: features.buyers_by_attribute(shop, day),
    "catalogue_gaps": lambda shop, day: features.catalogue_gaps(shop, day),
    "events": lambda shop, day: features.events(shop.behaviors, day),
    "item_features": lambda shop, day: features.item_features(shop, day),
    "rfm": lambda shop, day: value.rfm(shop.behaviors, day),
    "spending_groups": lambda shop, day: features.spending_groups(shop.behaviors, day),
    "user_features": lambda shop, day: features.user_features(shop, day),
    "satisfaction": lambda shop, day: metrics.satisfaction(shop, day, days=20),
    "ItemText": lambda shop, day: text.ItemText(n_dims=4).fit_transform(shop, day),
    "UserText": lambda shop, day: text.UserText(n_dims=4).fit_transform(shop, day),
    "over_time": lambda shop, day: sentiment.over_time(shop, score, as_of=day),
    "sentiment_of": lambda shop, day: sentiment.sentiment_of(shop, score, as_of=day),
    "repeat_orders": lambda shop, day: value.repeat_orders(shop.behaviors, day),
    "Combination": lambda shop, day: vars(value.Combination().fit(shop.behaviors, day)),
}
# these look at what came after on purpose: what they know of the past is tested
PAST = {
    "hold_out": lambda shop, day: value.hold_out(shop, day, 10).past,
    "trial": lambda shop, day: value.trial(
        shop.before(day).behaviors, to_timestamp(day, shop.timezone), 15, shop.timezone
    ),
    "forecasts": lambda shop, day: value.forecasts(shop, day, 10, n=20)[1:],
}


@pytest.fixture(scope="module")
def dated():
    """A clean shop of 90 days, with reviews and impressions."""
    return clean(simulate_shop(300, 60, 90, 5, impressions=True)).shop


def equal(one, other):
    """Whether two results hold the same, whatever they are."""
    if isinstance(one, Shop):
        one, other = one.tables(), other.tables()
    if is_dataclass(one):
        return all(equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, pd.DataFrame | pd.Series):
        return one.reset_index(drop=True).equals(other.reset_index(drop=True))
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    if hasattr(one, "__dict__") and type(one) is type(other):
        return equal(vars(one), vars(other))
    return one == other or (one != one and other != other)


def changed_later(shop, end):
    """The shop with other rows after a moment: half of them, with other users, prices and texts."""
    tables = {}
    for name, table in shop.tables().items():
        if "ts" not in table:
            continue
        past, later = table[table["ts"] < end], table[table["ts"] >= end].iloc[::2]
        later = later.assign(user_id=later["user_id"].to_numpy()[::-1])
        if "price" in later:
            later = later.assign(price=later["price"] * 3)
        if "text" in later:
            later = later.assign(text="好", rating=5)
        tables[name] = pd.concat([past, later], ignore_index=True)
    return replace(shop, **tables)


@pytest.mark.parametrize("name", CASES)
def test_later_rows_change_nothing(dated, name):
    end = to_timestamp(DAY, dated.timezone)
    assert all((t["ts"] >= end).any() for t in dated.tables().values() if "ts" in t)
    whole = CASES[name](dated, DAY)
    assert equal(whole, CASES[name](dated.before(DAY), DAY))
    assert equal(whole, CASES[name](changed_later(dated, end), DAY))


@pytest.mark.parametrize("name", PAST)
def test_what_a_backtest_knows_of_the_past_has_no_future(dated, name):
    end = to_timestamp(DAY, dated.timezone)
    assert equal(PAST[name](dated, DAY), PAST[name](changed_later(dated, end), DAY))


def test_the_held_out_past_has_no_table_of_the_future(dated):
    """Reviews and impressions, too."""
    end = to_timestamp(DAY, dated.timezone)
    tables = value.hold_out(dated, DAY, 10).past.tables()
    assert {"behaviors", "reviews", "impressions"} <= set(tables)
    assert all((table["ts"] < end).all() for table in tables.values() if "ts" in table)


def test_every_function_that_takes_a_moment_is_here():
    """A new one gets this test."""
    found = set()
    for face in FACES:
        wing = importlib.import_module(f"segtutorial.{face}")
        for name in wing.__all__:
            one = getattr(wing, name)
            if inspect.isfunction(one) and "as_of" in inspect.signature(one).parameters:
                found.add(name)
            elif inspect.isclass(one) and hasattr(one, "fit"):
                if "as_of" in inspect.signature(one.fit).parameters:
                    found.add(name)
    assert found - NO_TABLE == set(CASES) | set(PAST)


def test_the_comparison_sees_a_difference(dated):
    """Else the tests above could pass on anything."""
    assert not equal(value.rfm(dated.behaviors, DAY), value.rfm(dated.behaviors, "2024-02-27"))
