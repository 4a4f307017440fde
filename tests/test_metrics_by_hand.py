"""Splits, metrics and intervals on logs of a few rows, counted by hand or by another library."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.metrics import ndcg_score

from segtutorial.core.calendar import day_start
from segtutorial.metrics import (
    ItemKNN,
    bootstrap,
    calibration_error,
    holm,
    leave_one_out,
    ndcg,
    paired_bootstrap,
    relevance_mask,
    satisfaction,
    split_by_time,
    wilson,
)
from segtutorial.shop import Shop

DAY = 86_400
START = day_start("2024-01-01")


def log(*rows):
    """Buys: (user, item, day from 2024 on)."""
    users, items, days = zip(*rows)
    return pd.DataFrame(
        {
            "user_id": users,
            "item_id": items,
            "action": "buy",
            "ts": [int(START + DAY * day) for day in days],
        }
    )


def test_a_window_ends_before_its_end():
    events = log((1, 1, 0), (2, 2, 1), (1, 2, 10), (2, 1, 12), (2, 3, 15), (1, 3, 20))
    split = split_by_time(events, "2024-01-11", days=5)
    assert split.test["ts"].tolist() == [
        START + 10 * DAY,
        START + 12 * DAY,
    ]  # day 15 is the first that is not in it
    assert split.train["ts"].max() == START + DAY and split.counts["unused_rows"] == 2


def test_leave_one_out_learns_nothing_from_the_moment_of_the_test():
    events = log((1, 1, 0), (1, 2, 5), (1, 3, 9), (1, 4, 9), (2, 1, 1), (2, 2, 9))
    split = leave_one_out(events)
    assert split.train.groupby("user_id")["item_id"].agg(list).to_dict() == {1: [1, 2], 2: [1]}
    assert len(split.test) == 2 and split.test.set_index("user_id").loc[2, "item_id"] == 2


def test_the_ideal_list_ends_at_k():
    """Ten relevant items and a list of three hits: it cannot be better, so NDCG@3 is 1; and as
    scikit-learn has it."""
    assert ndcg(np.ones((1, 3), bool), np.array([10.0]), 3).tolist() == [1.0]
    rng = np.random.default_rng(0)
    relevant, scores = rng.random((30, 12)) < 0.4, rng.random((30, 12))
    relevant[:, 0] = True
    best = np.take_along_axis(relevant, np.argsort(-scores, axis=1)[:, :5], axis=1)
    mine = ndcg(best, relevant.sum(1).astype(float), 5).mean()
    assert mine == pytest.approx(ndcg_score(relevant, scores, k=5))


def test_a_hit_among_equal_scores_stands_behind_them():
    found = relevance_mask(
        np.array([[3, 1, 2]]), np.array([[0, 0, 0, 1]]), np.array([[2.0, 2.0, 1.0]])
    )
    assert found.tolist() == [[False, True, False]]


def test_neighbours_are_shrunk_by_how_little_is_known():
    """Items 1 and 2 have two buyers in common of two each: 2 / (sqrt(2) sqrt(2) + 10). Items 3 and
    4 share one of one."""
    model = ItemKNN(shrinkage=10).fit(
        log(("a", 1, 0), ("a", 2, 1), ("b", 1, 2), ("b", 2, 3), ("c", 3, 4), ("c", 4, 5))
    )
    similar = model.similarity_.toarray()
    assert (
        similar[0, 1] == pytest.approx(2 / 12)
        and similar[2, 3] == pytest.approx(1 / 11)
        and similar[0, 0] == 0
    )


def test_wilson_by_scipy():
    for level in (0.8, 0.95):
        there = binomtest(7, 20).proportion_ci(level, "wilson")
        assert np.allclose(wilson(7, 20, level), (there.low, there.high))


def test_bins_count_as_much_as_they_hold():
    table = pd.DataFrame({"n": [90, 10], "predicted": [0.5, 0.9], "observed": [0.5, 0.4]})
    assert calibration_error(table) == pytest.approx(0.05)


def test_an_interval_has_its_level_and_its_seed():
    """Of the mean of 400 normal numbers 95 % of draws lie within 1.96 standard errors; another seed
    draws otherwise."""
    values = np.random.default_rng(0).normal(size=400)
    mean, low, high = bootstrap(np.mean, values, n=4000, random_state=1)
    error = values.std() / 20
    assert (
        mean == values.mean()
        and low == pytest.approx(mean - 1.96 * error, abs=0.1 * error)
        and high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)
    )
    assert bootstrap(np.mean, values, n=50, random_state=1) == bootstrap(
        np.mean, values, n=50, random_state=1
    )
    assert bootstrap(np.mean, values, n=50, random_state=1) != bootstrap(
        np.mean, values, n=50, random_state=2
    )
    paired = paired_bootstrap(values + 1, np.ones(400), n=4000)
    assert paired.low == pytest.approx(
        mean - 1.96 * error, abs=0.1 * error
    ) and paired.high == pytest.approx(mean + 1.96 * error, abs=0.1 * error)
    narrow = paired_bootstrap(values, np.zeros(400), n=4000, level=0.5)
    assert narrow.high - narrow.low == pytest.approx(2 * 0.674 * error, rel=0.06)


def test_holm_multiplies_the_smallest_of_three_p_values_by_three():
    assert np.allclose(holm(np.array([0.04, 0.01, 0.03])), [0.06, 0.03, 0.06])


@pytest.fixture
def shop():
    """As of 2024-07-01: user 1 orders on January 1st and again within 90 days, user 2 never again.
    User 3 first ordered 60 days ago, so nobody can know yet. User 4 came again after 120 days.
    User 2 returned one of two lines; the last line of user 3 is 5 days old."""
    buys = log(
        (1, 1, 0),
        (1, 2, 80),
        (2, 1, 10),
        (2, 2, 10),
        (3, 1, 122),
        (4, 1, 2),
        (4, 2, 122),
        (3, 3, 177),
    ).assign(quantity=1, price=100)
    buys["order_id"] = (buys["user_id"] * 1000 + (buys["ts"] - START) // DAY).astype(str)
    back = buys[(buys["user_id"] == 2) & (buys["item_id"] == 2)].assign(
        action="return", ts=START + 20 * DAY
    )
    reviews = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 4],
            "item_id": [1, 2, 1, 1],
            "ts": [START + DAY, START + 79 * DAY, START + 30 * DAY, START + 300 * DAY],
            "rating": [5.0, 1, 2, 1],
            "text": "x",
        }
    )
    return Shop(pd.concat([buys, back], ignore_index=True), reviews=reviews)


def test_satisfaction_leaves_out_what_is_not_settled_yet(shop):
    found = satisfaction(shop, "2024-07-01")
    table = found.overall.set_index("measure")
    # 3 ordered first 60 days before, and 55 days later again: within 90 days of an order that is
    # not 90 days old
    assert (table.loc["repurchase", "value"], table.loc["repurchase", "users"]) == (
        pytest.approx(1 / 3),
        3,
    )
    # of eight lines one is younger than 14 days; one of the seven others came back
    assert (table.loc["return_rate", "value"], table.loc["return_rate", "rows"]) == (
        pytest.approx(1 / 7),
        7,
    )
    # the star of user 1 for item 2 was given the day before it was bought, that of user 4 after
    # as_of
    assert (table.loc["rating", "value"], table.loc["rating", "rows"]) == (3.5, 2)
    users = found.users.set_index("user_id")
    assert users["repurchased"].astype(object).where(
        users["repurchased"].notna(), None
    ).to_dict() == {1: True, 2: False, 3: None, 4: False}
