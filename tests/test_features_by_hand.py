"""Features of users and items on a log of three users, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from segtutorial.core.calendar import day_start
from segtutorial.features import (
    buyers_by_attribute,
    catalogue_gaps,
    distinct,
    item_features,
    near_copies,
    rfm,
    user_features,
)
from segtutorial.shop import Shop

ZONE = "Asia/Shanghai"
AS_OF = "2024-07-01"  # a Monday
END = day_start(AS_OF, ZONE)


def at(day, hour=12, minute=0, second=0):
    return day_start(day, ZONE) + 3600 * hour + 60 * minute + second


@pytest.fixture(scope="module")
def shop():
    """User 1 buys on three days and visits on a Saturday; user 2 buys one piece and returns it;
    user 3 only looks. Items 1 to 4 cost 10, 20, 30 and 40 yuan in one category; item 5 is listed
    at as_of exactly."""
    rows = [
        (1, 1, "buy", at("2024-04-02", 10), 1, 1000),
        (1, 2, "buy", at("2024-04-12", 10), 2, 1500),
        (1, 1, "buy", at("2024-06-11", 10), 1, 1000),
        (1, 4, "view", at("2024-06-29", 20), None, None),
        (1, 4, "view", at("2024-06-29", 20, 30), None, None),
        (1, 3, "view", at("2024-06-29", 21, 0, 1), None, None),
        (2, 3, "buy", at("2024-06-30", 9), 1, 3000),
        (2, 3, "return", at("2024-06-30", 15), 1, 3000),
        (3, 1, "view", at("2024-06-24", 3), None, None),
        (3, 1, "buy", END, 1, 1000),
    ]
    events = pd.DataFrame(
        rows, columns=["user_id", "item_id", "action", "ts", "quantity", "price"]
    ).astype({"quantity": "Int64", "price": "Int64"})
    kept = (
        events["quantity"]
        .where(events["action"] == "buy")
        .mask(events["ts"] == at("2024-06-30", 9), 0)
    )
    products = pd.DataFrame(
        {
            "item_id": [1, 2, 3, 4, 5],
            "title": list("abcde"),
            "category": "tea",
            "brand": ["x", "x", "y", "y", "y"],
            "price": [1000, 2000, 3000, 4000, 5000],
            "listed_at": [at("2024-06-17", 0)] * 4 + [END],
        }
    )
    reviews = pd.DataFrame(
        {
            "user_id": [1, 1],
            "item_id": [1, 1],
            "ts": [END - 1, END],
            "rating": [4.0, 1.0],
            "text": "x",
        }
    )
    return Shop(events.assign(net_quantity=kept), products, reviews)


@pytest.fixture(scope="module")
def users(shop):
    return user_features(shop, AS_OF).set_index("user_id")


def test_recency_frequency_money(shop):
    table = rfm(shop.behaviors, AS_OF, ZONE).set_index("user_id")
    assert table.index.tolist() == [1]  # 2 kept nothing, and 3 bought at as_of
    assert table.loc[1, ["recency", "frequency", "monetary"]].tolist() == [20, 3, 5000]


def test_orders_of_a_user(users):
    """Orders on April 2nd (90 days before July 1st) and 12th and June 11th: waits of 10 and 60
    days, mean 35, standard deviation 25."""
    one = users.loc[1]
    assert (one["frequency"], one["recency"], one["customer_days"]) == (3, 20, 90) and (
        one["gap_mean"],
        one["gap_std"],
    ) == (35, 25)
    assert (one["orders_90"], one["monetary"], one["money_90_share"], one["order_max"]) == (
        3,
        5000,
        1,
        3000,
    )
    assert one["paid_share"] == pytest.approx(5000 / 6000)  # 10 + 30 + 10 yuan for 10 + 40 + 10
    assert (
        users.loc[2, "frequency"] == 0
        and np.isnan(users.loc[2, "recency"])
        and users.loc[2, "return_share"] == 1
    )
    assert users.loc[3, "frequency"] == 0 and users.loc[3, "buys"] == 0


def test_visits_and_hours_of_a_user(users):
    """Two views 30 minutes apart are one visit, the one 30 minutes and a second later is another;
    June 29th 2024 is a Saturday."""
    one, three = users.loc[1], users.loc[3]
    assert (
        one["sessions"] == 5
        and one["session_seconds"] == 1800 / 5
        and one["weekend_share"] == 0.5
        and one["evening_share"] == 0.5
    )
    assert users.loc[2, "weekend_share"] == 1  # June 30th is a Sunday
    assert (three["weekend_share"], three["night_share"], three["week_1"], three["idle"]) == (
        0,
        1,
        1,
        7,
    )


def test_tastes_of_a_user(users):
    """Prices of 10, 20, 30 and 40 yuan have the places 1/8, 3/8, 5/8 and 7/8, and each is a band of
    its own."""
    one = users.loc[1]
    assert one["price_place"] == pytest.approx((2 * 1 + 3 + 2 * 7 + 5) / 8 / 6)
    assert [one[f"band_{k}"] for k in (1, 2, 3, 4)] == pytest.approx(
        [2 / 6, 1 / 6, 1 / 6, 2 / 6]
    ) and one["bought_price_place"] == pytest.approx(5 / 8 / 3)


def test_items(shop):
    table = item_features(shop, AS_OF).set_index("item_id")
    assert table.index.tolist() == [1, 2, 3, 4]  # item 5 is not there yet
    assert table["band"].tolist() == [1, 2, 3, 4] and table["price_place"].tolist() == [
        1 / 8,
        3 / 8,
        5 / 8,
        7 / 8,
    ]
    assert table["pieces"].tolist() == [2, 2, 0, 0] and table["weekly_pieces"].tolist() == [
        1,
        1,
        0,
        0,
    ]  # listed two weeks ago
    assert (
        (table.loc[1, "ratings"], table.loc[1, "rating"]) == (1, 4)
        and table.loc[3, "return_share"] == 1
        and table.loc[1, "age"] == 14
    )


def test_a_buyer_counts_once_for_an_item(shop):
    """User 1 bought item 1 twice and item 2: two purchases of brand x, by one spending group."""
    groups = pd.DataFrame({"user_id": [1, 2], "group": ["high", "low"]})
    table = buyers_by_attribute(shop, AS_OF, "brand", groups).set_index(["value", "group"])
    assert table["buyers"].to_dict() == {("x", "high"): 2, ("y", "low"): 1} and table[
        "share"
    ].tolist() == [1, 1]


def test_where_many_meet_few_products():
    """Each of five items of green tea is met by forty users, each of five of black tea by two."""
    rows = [
        (user, item, "view", END - 1000 - user, pd.NA, pd.NA)
        for item in range(10)
        for user in range(40 + item % 2 if item < 5 else 2 + item % 2)
    ]
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "action", "ts", "quantity", "price"])
    products = pd.DataFrame(
        {
            "item_id": range(10),
            "title": "t",
            "category": ["green"] * 5 + ["black"] * 5,
            "brand": "b",
            "price": 1000,
        }
    )
    table = catalogue_gaps(Shop(events, products), AS_OF).set_index("category")
    assert (
        table["state"].to_dict() == {"green": "thin", "black": "crowded"}
        and table.loc["green", "index"] > 3
    )


def test_a_feature_and_its_opposite_are_near_copies():
    x = np.arange(30.0)
    frame = pd.DataFrame({"a": x, "b": -x + 0.01 * np.sin(x), "c": x % 3, "same": 1.0})
    found = near_copies(frame)
    assert (
        found[["first", "second"]].values.tolist() == [["a", "b"]]
        and found["rho"][0] < -0.98
        and distinct(frame) == ["a", "c"]
    )
