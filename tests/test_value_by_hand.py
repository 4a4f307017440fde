"""Customer value on small logs whose answers are counted by hand, and against formulas written out
a second time."""

import numpy as np
import pandas as pd
import pytest

from segtutorial.clean import clean
from segtutorial.core.calendar import day_start
from segtutorial.shop import Shop, simulate_shop
from segtutorial.value import (
    BGNBD,
    GammaGamma,
    ParetoNBD,
    alive_at_rates,
    customer_class,
    cut_points,
    draw_customers,
    forecast_scores,
    hold_out,
    lifetime_value,
    movement,
    pareto,
    periods,
    repeat_orders,
    score,
    simulate_pareto_nbd,
    tier_forecast,
    top_share,
    transitions,
    value_tier,
    windows,
)

DAY = 86_400
ZONE = "Asia/Shanghai"


def at(day, hour=12, minute=0):
    """Seconds since 1970 of an hour of a day of the shop."""
    return day_start(day, ZONE) + 3600 * hour + 60 * minute


def bought(*rows):
    """A log of buys: (user, seconds, cents), one piece each."""
    users, ts, price = zip(*rows)
    return pd.DataFrame(
        {"user_id": users, "item_id": 1, "action": "buy", "ts": ts, "quantity": 1, "price": price}
    )


def customers(recency, frequency, monetary):
    return pd.DataFrame(
        {
            "user_id": range(len(recency)),
            "recency": recency,
            "frequency": frequency,
            "monetary": monetary,
        }
    )


def test_scores_by_quantile_and_by_cuts():
    table = customers([1, 10, 100, 400, 200], [5, 4, 3, 1, 2], [500.0, 400, 300, np.nan, 100])
    scored = score(table)
    assert scored["r"].tolist() == [5, 4, 3, 1, 2] and scored["f"].tolist() == [5, 4, 3, 1, 2]
    assert (
        scored["m"].tolist()[:3] == [5, 4, 3] and pd.isna(scored["m"][3]) and scored["m"][4] == 2
    )  # of four with money
    cuts = {"recency": [10, 100], "frequency": [3], "monetary": [400]}
    fixed = score(table, "fixed", cuts)
    # a value on a cut belongs with the larger ones: 10 days are not "below 10", 3 orders are "3 and
    # more"
    assert fixed["r"].tolist() == [3, 2, 1, 1, 1] and fixed["f"].tolist() == [2, 2, 2, 1, 1]
    assert fixed["m"].tolist()[:3] == [2, 2, 1] and pd.isna(fixed["m"][3])


def test_equal_customers_get_equal_scores():
    """Eight of ten have one order: they share the score of the middle of ranks 1 to 8, which is 4.5
    of 10."""
    scored = score(customers([30] * 10, [1] * 8 + [2, 3], [100.0] * 10))
    assert (
        scored["f"].tolist() == [3] * 8 + [5, 5]
        and scored["r"].nunique() == 1
        and scored["m"].nunique() == 1
    )


def test_where_all_are_equal_nobody_is_high():
    scored = customer_class(pd.DataFrame({"r": [3, 3], "f": [3, 3], "m": [3, 3]}).astype("Int64"))
    assert scored["class_en"].tolist() == ["small and gone"] * 2
    mixed = customer_class(
        pd.DataFrame({"r": [5, 1, 5, 1], "f": [1, 5, 5, 1], "m": [5, 5, 1, 1]}).astype("Int64")
    )
    assert mixed["class_en"].tolist() == [
        "big and new",
        "big and fading",
        "small and loyal",
        "small and gone",
    ]


def test_equal_customers_are_in_the_better_tier():
    """Of ten, the best is in A; of three equal ones behind it one customer is better: 0.1 is below
    0.2, so all are in B."""
    money = pd.Series([900.0, 500, 500, 500, 400, 300, 200, 100, 50, np.nan])
    assert "".join(value_tier(money)) == "ABBB" + "CDDDD" + "D"


def test_the_curve_of_the_best():
    curve = pareto(pd.Series([10.0, 70, 20, np.nan, 0]))
    assert curve["customers"].tolist() == [0, 0.25, 0.5, 0.75, 1] and np.allclose(
        curve["money"], [0, 0.7, 0.9, 1, 1]
    )
    assert top_share(pd.Series([70.0, 20, 10, 0]), 0.25) == pytest.approx(0.7)


def test_whole_quarters_and_weeks():
    quarters = periods(at("2024-02-10"), at("2024-12-31"), ZONE)
    assert quarters == [day_start(day, ZONE) for day in ("2024-04-01", "2024-07-01", "2024-10-01")]
    begun = periods(
        at("2024-04-01", 9), day_start("2024-07-01", ZONE), ZONE
    )  # the day of the first event counts whole
    assert begun == [day_start(day, ZONE) for day in ("2024-04-01", "2024-07-01")]


def test_windows_end_at_as_of():
    end = day_start("2024-07-01", ZONE)
    assert windows(end - 200 * DAY, end, 90) == [end - 180 * DAY, end - 90 * DAY, end]
    # 179 days and some hours: the day of the first event is a whole one, so two windows of 90 days
    # fit
    assert windows(end - 180 * DAY + 5000, end, 90) == [end - 180 * DAY, end - 90 * DAY, end]
    assert windows(end - 100 * DAY, end, 90) == [end - 100 * DAY, end - 50 * DAY, end]  # halved
    assert windows(end - 270 * DAY, end, 90) == [
        end - 270 * DAY,
        end - 180 * DAY,
        end - 90 * DAY,
        end,
    ]


@pytest.fixture
def moves():
    """Three quarters and five customers. Customer 1 buys in all of them, in the third at its first
    second; 2 stops; 3 is new; 4 pauses and returns; 5 bought before the first edge only, and
    returns in the last quarter."""
    edges = ["2024-01-01", "2024-04-01", "2024-07-01", "2024-10-01"]
    log = bought(
        (1, at("2024-01-10"), 5000),
        (1, at("2024-04-10"), 7000),
        (1, day_start("2024-07-01", ZONE), 900),
        (2, at("2024-02-01"), 300),
        (3, at("2024-05-01"), 100),
        (4, at("2024-03-01"), 200),
        (4, at("2024-08-01"), 400),
        (5, at("2023-11-01"), 800),
        (5, at("2024-09-30", 23, 59), 600),
    )
    return movement(log, edges, ZONE)


def test_customers_move(moves):
    rows = {
        (row.user_id, row.period): (row.before, row.tier, row.spent_before, row.spent)
        for row in moves.itertuples()
    }
    assert rows[1, 1] == ("A", "A", 5000, 7000)
    assert rows[2, 1] == (rows[2, 1][0], "absent", 300, 0) and (2, 2) not in rows
    assert (
        rows[3, 1][0] == "new"
        and rows[3, 1][2:] == (0, 100)
        and rows[3, 2][1:] == ("absent", 100, 0)
    )
    assert (
        rows[4, 1][1:] == ("absent", 200, 0)
        and rows[4, 2][0] == "back"
        and rows[4, 2][2:] == (0, 400)
    )
    assert (5, 1) not in rows and rows[5, 2][0] == "back" and rows[5, 2][3] == 600
    assert rows[1, 2] == (
        "A",
        "A",
        7000,
        900,
    )  # an order at the edge belongs to the period that begins with it
    assert len(rows) == 8


def test_tiers_before_and_now_are_counted(moves):
    counts = transitions(moves)
    assert (
        counts.loc["A", "A"] == 2 and counts.loc["new"].sum() == 1 and counts.loc["back"].sum() == 2
    )
    assert counts["absent"].sum() == 3 and counts.to_numpy().sum() == len(moves)


def test_a_tier_forecast_includes_customers_without_a_further_order():
    """Of four in tier D three come again and bring 100, 200 and 300: 75 % stayed, and the mean with
    those who stayed away is 150."""
    moves = pd.DataFrame(
        {
            "user_id": [1, 2, 3, 4, 5],
            "period": 1,
            "before": ["D"] * 4 + ["new"],
            "tier": ["C", "D", "D", "absent", "A"],
            "spent_before": 50.0,
            "spent": [300.0, 100, 200, 0, 9000],
        }
    )
    row = tier_forecast(moves, n=50).iloc[0]
    assert (row["tier"], row["users"], row["stayed"], row["spent"]) == ("D", 4, 0.75, 150)
    assert (
        row["stayed_low"] <= 0.75 <= row["stayed_high"]
        and row["spent_low"] <= 150 <= row["spent_high"]
    )


def test_days_with_orders_as_the_models_want_them():
    """Customer 1 has orders on three days (two orders of one day are one), customer 2 on one; both
    are observed until the day before as_of."""
    log = bought(
        (1, at("2024-03-01", 9), 1000),
        (1, at("2024-03-05", 1), 200),
        (1, at("2024-03-05", 23), 300),
        (1, at("2024-03-21"), 100),
        (2, at("2024-03-31", 23, 59), 50),
        (3, day_start("2024-04-01", ZONE), 10),
    )
    table = repeat_orders(log, "2024-04-01", ZONE).set_index("user_id")
    assert table.index.tolist() == [1, 2]
    assert table.loc[1].tolist() == [
        2,
        20,
        30,
        1000,
        300,
    ]  # x, t_x, T, m_0, and the mean of 500 and 100
    assert table.loc[2, ["frequency", "recency", "T", "m_0"]].tolist() == [
        0,
        0,
        0,
        50,
    ] and np.isnan(table.loc[2, "monetary_value"])


def set_to(model, *values):
    """A model with parameters that are known exactly."""
    for name, value in zip(model.names, values):
        setattr(model, f"{name}_", value)
    model.covariance_, model.identified_, model.notes_, model.loglik_ = (
        np.zeros((len(values),) * 2),
        [True] * len(values),
        [],
        0.0,
    )
    return model


SEEN = pd.DataFrame(
    {"frequency": [0, 1, 4, 10], "recency": [0.0, 20, 90, 100], "T": [100.0, 100, 100, 200]}
)


def test_the_chance_to_be_alive_is_that_of_the_paper():
    """Fader, Hardie and Lee (2008), computing P(alive): 1 / (1 + a / (b + x - 1) ((alpha + T) /
    (alpha + t_x))^(r + x)) for x > 0."""
    r, alpha, a, b = 0.6, 40.0, 0.8, 2.5
    x, t_x, T = (SEEN[name].to_numpy() for name in SEEN)
    formula = 1 / (
        1 + np.where(x > 0, a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x), 0)
    )
    assert np.allclose(set_to(BGNBD(), r, alpha, a, b).probability_alive(SEEN), formula)


@pytest.mark.parametrize(
    "model, draw",
    [
        (set_to(BGNBD(), 0.6, 40.0, 0.8, 2.5), draw_customers),
        (set_to(ParetoNBD(), 0.8, 20.0, 0.7, 60.0), simulate_pareto_nbd),
    ],
)
def test_forecast_and_futures_of_customers_whose_story_is_known(model, draw):
    """30,000 customers drawn from the model: the orders of the next 200 days and the share that is
    still active are what the model expects of them."""
    table = draw(30_000, 300, 200, random_state=5)
    futures = model.simulate(table, 200, n=20, random_state=1)
    error = table["later"].std() / np.sqrt(len(table))
    assert abs(model.expected(table, 200).mean() - table["later"].mean()) < 4 * error
    assert abs(futures.mean() - table["later"].mean()) < 5 * error
    assert abs(model.probability_alive(table).mean() - table["there"].mean()) < 0.01


def test_an_interval_of_parameters_has_its_level():
    """On the logarithm 95 % of a normal distribution lie within 1.96 standard deviations, and 50 %
    within 0.674."""
    model = set_to(BGNBD(), 1.0, 10.0, 2.0, 3.0)
    model.covariance_ = np.diag([0.04, 0.01, 0.09, 0.16])
    for level, far in ((0.95, 1.959964), (0.5, 0.6744898)):
        table = model.summary(level)
        assert np.allclose(
            np.log(table["high"] / table["value"]), far * np.array([0.2, 0.1, 0.3, 0.4]), rtol=1e-6
        )
        assert np.allclose(table["low"] * table["high"], table["value"] ** 2)


def test_the_money_of_an_order_is_that_of_the_paper():
    """Fader and Hardie (2013): p (v + x m) / (p x + q - 1); without a repeat order the mean of all,
    p v / (q - 1)."""
    model = set_to(GammaGamma(), 6.0, 4.0, 15_000.0)
    table = pd.DataFrame({"frequency": [0, 1, 9], "monetary_value": [np.nan, 20_000.0, 20_000.0]})
    assert np.allclose(
        model.expected(table),
        [6 * 15_000 / 3, 6 * (15_000 + 20_000) / 9, 6 * (15_000 + 180_000) / 57],
    )


@pytest.fixture(scope="module")
def fitted():
    rng, table = np.random.default_rng(3), draw_customers(1500, 365, random_state=3)
    money = np.where(
        table["frequency"] > 0, rng.gamma(6, 1 / rng.gamma(4, 1 / 15_000, 1500)), np.nan
    )
    table = table[["user_id", "frequency", "recency", "T"]].assign(monetary_value=money)
    return table, BGNBD().fit(table), GammaGamma().fit(table)


def test_the_margin_is_in_values_and_intervals(fitted):
    whole, half = (lifetime_value(*fitted, days=180, margin=margin, n=40) for margin in (1.0, 0.5))
    for name in ("value", "low", "high"):
        assert np.allclose(half.customers[name], whole.customers[name] / 2, rtol=1e-5)
    assert np.allclose(half.total, np.array(whole.total) / 2, rtol=1e-5)
    low, high = whole.customers["low"].sum(), whole.customers["high"].sum()
    assert (
        low < whole.customers["value"].sum() < high
        and whole.total[1] < whole.total[0] < whole.total[2]
    )


def test_the_discount_is_that_of_each_day(fitted):
    """Summed day by day, each day's orders discounted by the days until then; monthly steps may be
    off by some 0.01 %."""
    table, orders, spend = fitted
    means = np.stack(
        [np.zeros(len(table)), *(orders.expected(table, day) for day in range(1, 366))]
    )
    daily = np.diff(means, axis=0) * 1.2 ** (-(np.arange(365)[:, None] + 0.5) / 365)
    found = lifetime_value(table, orders, spend, days=365, discount=0.2, n=20)
    assert found.customers["value"].sum() == pytest.approx(
        (daily.sum(0) * spend.expected(table)).sum(), rel=3e-4
    )
    assert found.customers["orders"].sum() == pytest.approx(
        means[-1].sum()
    )  # orders are not discounted


def test_where_a_list_of_the_best_ends():
    table = cut_points(np.array([10.0, 50, 30, 10]), [1, 3, 9], effect=0.1)
    assert table["customers"].tolist() == [1, 3, 4] and table["cut"].tolist() == [50, 10, 10]
    assert (
        table["value"].tolist() == [50, 90, 100]
        and np.allclose(table["share"], [0.5, 0.9, 1])
        and np.allclose(table["worth"], [5, 1, 1])
    )


def test_alive_at_known_rates():
    """A customer who orders at rate 0.1 and leaves at rate 0.02 a day and was silent for 30 days.
    Silent and there: exp(-3.6). Silent and gone: left before the next order, with probability 0.02
    / 0.12, in that time."""
    there, gone = np.exp(-3.6), 0.02 / 0.12 * (1 - np.exp(-3.6))
    assert alive_at_rates(np.array(0.1), np.array(0.02), np.array(30.0)) == pytest.approx(
        there / (there + gone)
    )
    rng, n = np.random.default_rng(1), 200_000
    order, leave = rng.exponential(10, n), rng.exponential(50, n)
    silent = np.minimum(order, leave) * 0 + ((order > 30) | (leave < order))
    alive = ((leave > 30) & (order > 30))[silent > 0].mean()
    assert alive_at_rates(np.array(0.1), np.array(0.02), np.array(30.0)) == pytest.approx(
        alive, abs=0.01
    )


def test_a_cut_log_knows_nothing_of_its_moment():
    start = day_start("2024-03-01", ZONE)
    log = bought(
        (1, start - 40 * DAY, 100),
        (1, start - DAY, 200),
        (1, start, 1000),
        (1, start + 9 * DAY, 500),
        (2, start - 5 * DAY, 70),
        (3, start, 90),
        (2, start + 10 * DAY - 1, 30),
        (2, start + 10 * DAY, 40),
    )
    cut = hold_out(Shop(log), "2024-03-01", 10, cleaned=True)
    assert cut.past.behaviors["ts"].max() == start - DAY
    table = cut.customers.set_index("user_id")
    assert table.index.tolist() == [1, 2] and table["frequency"].tolist() == [1, 0]
    assert table["orders_after"].tolist() == [2, 1] and table["spent_after"].tolist() == [1500, 30]
    assert table["orders_before"].tolist() == [1, 1] and table["spent_before"].tolist() == [200, 70]


def test_a_forecast_is_too_high_by_its_bias():
    came = np.tile([0.0, 0, 0, 0, 0, 0, 0, 0, 1, 3], 10)
    table = forecast_scores(pd.DataFrame({"high": [0.5] * 100, "flat": [0.4] * 100}), came, n=20)
    assert table.loc["high", "bias"] == pytest.approx(0.25) and table.loc[
        "flat", "bias"
    ] == pytest.approx(0)
    assert table.loc["flat", "mae"] == pytest.approx((8 * 0.4 + 0.6 + 2.6) / 10)
    assert table.loc["flat", "top"] == pytest.approx(0.1) and table.loc[
        "perfect", "top"
    ] == pytest.approx(0.75)  # ten of a hundred


def test_movement_of_a_simulated_shop_adds_up_to_what_was_spent():
    """Over a simulated shop: what moved into a period is what buyers spent in it."""
    shop = clean(simulate_shop(150, 40, 200, random_state=4)).shop
    end = int(shop.behaviors["ts"].max()) + 1
    edges = windows(int(shop.behaviors["ts"].min()), end, 60)
    moves, buys = (
        movement(shop.behaviors, edges, shop.timezone),
        shop.behaviors[shop.behaviors["action"] == "buy"],
    )
    last = buys[buys["ts"] >= edges[-2]]
    spent = (last["net_quantity"] * last["price"]).sum()
    assert moves.loc[moves["period"] == len(edges) - 2, "spent"].sum() == pytest.approx(
        float(spent)
    )
