"""Loading, cleaning and simulating a shop: moments, money and rows of a few lines, counted by
hand."""

import re

import numpy as np
import pandas as pd
import pytest

from segtutorial.clean import clean
from segtutorial.core.calendar import day_start, utc_offsets
from segtutorial.core.errors import ShopError
from segtutorial.core.load import load_shop
from segtutorial.core.section import Context
from segtutorial.core.storage import read_model, write_model
from segtutorial.shop import Shop, simulate_shop
from segtutorial.simulation.corruption import add_dirt
from segtutorial.simulation.log import CODES, ShopLog, frame_of, popular_page, start_of
from segtutorial.simulation.market import SEGMENTS, draw_users
from segtutorial.simulation.shopper import _in_stock, season
from segtutorial.simulation.simulator import outcomes

DAY = 86_400
NOON = day_start("2024-06-18") + 12 * 3600


def utc(text):
    return int(pd.Timestamp(text, tz="UTC").timestamp())


def test_a_day_begins_with_its_first_midnight():
    """In Havana the clock goes from 1:00 back to 0:00 on 2024-11-03, so midnight is there twice; in
    Beirut at 0:00 to 1:00 on 2024-03-31."""
    assert day_start("2024-11-03", "America/Havana") == utc("2024-11-03 04:00")
    assert day_start("2024-03-31", "Asia/Beirut") == utc("2024-03-30 22:00")
    assert day_start("2024-06-18") == utc("2024-06-17 16:00")


def test_offsets_know_a_change_in_the_last_moment():
    """London goes to summer time at 2024-03-31 01:00 UTC."""
    change = utc("2024-03-31 01:00")
    assert utc_offsets(change - DAY, change, "Europe/London") == [(change - DAY, 0), (change, 3600)]
    assert utc_offsets(change - DAY, change - 901, "Europe/London") == [(change - DAY, 0)]


def folder_of(folder, log, settings=""):
    (folder / "behaviors.csv").write_text(log, encoding="utf-8")
    (folder / "columns.toml").write_text(settings, encoding="utf-8")
    return folder


def test_yuan_become_cents_to_the_cent(tmp_path):
    """In floating point 19.99, 0.29 and 1.15 times 100 lie just below 1999, 29 and 115."""
    rows = "".join(
        f"1,{item},buy,{NOON},1,{price}\n"
        for item, price in enumerate(("19.99", "0.29", "1.15", "3"))
    )
    shop = load_shop(
        folder_of(
            tmp_path,
            f"user_id,item_id,action,ts,quantity,price\n{rows}",
            "[behaviors]\nmoney = 'yuan'\n",
        )
    )
    assert shop.behaviors["price"].tolist() == [1999, 29, 115, 300]


def test_times_in_milliseconds_and_stars_of_ten(tmp_path):
    folder = folder_of(
        tmp_path,
        f"user_id,item_id,action,ts\n1,1,view,{NOON}123\n",
        "[behaviors]\ntime = 'ms'\n[reviews]\nrating = [0, 10]\n",
    )
    (folder / "reviews.csv").write_text(
        "user_id,item_id,ts,rating,text\n"
        + "".join(f"1,1,{NOON},{stars},x\n" for stars in (0, 5, 10)),
        encoding="utf-8",
    )
    shop = load_shop(folder)
    assert shop.behaviors["ts"].tolist() == [NOON] and shop.reviews["rating"].tolist() == [1, 3, 5]


def test_ids_keep_leading_zeros(tmp_path):
    shop = load_shop(
        folder_of(tmp_path, f"user_id,item_id,action,ts\n007,1,view,{NOON}\n7,2,view,{NOON}\n")
    )
    assert shop.behaviors["user_id"].tolist() == ["007", "7"] and shop.behaviors[
        "item_id"
    ].tolist() == [1, 2]


def test_a_report_knows_nothing_of_its_own_moment():
    events = pd.DataFrame(
        {"user_id": 1, "item_id": 1, "action": "view", "ts": [NOON - 1, NOON, NOON + 1]}
    )
    past = Shop(events).before(NOON)
    assert past.behaviors["ts"].tolist() == [NOON - 1] and past.notes == []


def test_money_and_days_as_the_report_shows_them():
    ctx = Context(0, timezone="Asia/Shanghai")
    assert [ctx.money(cents) for cents in (1999, 9999, 10_000, 123_456_789, -50)] == [
        "CN¥19.99",
        "CN¥99.99",
        "CN¥100",
        "CN¥1,234,568",
        "-CN¥0.50",
    ]
    assert (
        ctx.day(utc("2024-06-17 16:00")) == "Jun 18, 2024"
        and ctx.day(utc("2024-06-17 15:59")) == "Jun 17, 2024"
    )


def test_a_file_of_another_model_is_refused(tmp_path):
    path = write_model(tmp_path / "a.npz", "First 1", {"n": 3}, {"x": np.arange(3)})
    header, arrays = read_model(path, "First 1")
    assert header == {"n": 3} and arrays["x"].tolist() == [0, 1, 2]
    with pytest.raises(ShopError, match="it holds 'First 1'"):
        read_model(path, "Second 1")


# cleaning


def events_of(*rows):
    """A log: (user, item, action, seconds, quantity, price)."""
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "action", "ts", "quantity", "price"])
    return frame.astype({"quantity": "Int64", "price": "Int64"})


def cleaned(*rows, **policy):
    done = clean(Shop(events_of(*rows)), **policy)
    return done.shop.behaviors, done.rejected


def test_a_bot_looks_more_than_allowed_on_one_day_and_never_buys():
    views = [
        (user, item, "view", NOON + item, None, None)
        for user, n in (("just", 3), ("bot", 4), ("buyer", 9))
        for item in range(n)
    ]
    two_days = [("calm", item, "view", NOON + DAY * (item // 3), None, None) for item in range(6)]
    kept, rejected = cleaned(
        *views, *two_days, ("buyer", 1, "buy", NOON + 50, 1, 100), bot_views_per_day=3
    )
    assert (
        kept["user_id"].value_counts().to_dict() == {"buyer": 10, "calm": 6, "just": 3}
        and len(rejected) == 4
    )


def test_prices_far_off_on_either_side_are_unusual():
    """The usual price of item 1 is 1,000: up to 50 times more or less is taken. Item 2 was sold too
    seldom to know."""
    buys = [(user, 1, "buy", NOON + user, 1, 1000) for user in range(6)]
    odd = [
        (7, 1, "buy", NOON, 1, 50_000),
        (8, 1, "buy", NOON, 1, 50_001),
        (9, 1, "buy", NOON, 1, 20),
        (10, 1, "buy", NOON, 1, 19),
    ]
    few = [(11, 2, "buy", NOON, 1, 10), (12, 2, "buy", NOON, 1, 90_000)]
    _, rejected = cleaned(*buys, *odd, *few)
    assert sorted(rejected["value"]) == ["19", "50001"]


def test_a_return_in_the_second_of_its_buy_is_netted():
    kept, rejected = cleaned(
        (1, 1, "return", NOON, 1, 500), (1, 1, "buy", NOON, 3, 500), (1, 1, "buy", NOON - 9, 2, 500)
    )
    buys = kept[kept["action"] == "buy"].set_index("ts")["net_quantity"]
    assert buys[NOON - 9] == 2 and buys[NOON] == 2 and rejected.empty  # the latest buy first


def test_full_width_ids_and_titles_are_the_usual_ones():
    log = events_of(
        ("ＡＢ１", "x", "view", NOON, None, None), (" AB1", "x", "view", NOON + 1, None, None)
    )
    products = pd.DataFrame({"item_id": ["ｘ"], "title": ["Ｔ恤　 １００％棉"]})
    done = clean(Shop(log, products)).shop
    assert done.behaviors["user_id"].tolist() == ["AB1", "AB1"]
    assert done.products.loc[0, ["item_id", "title"]].tolist() == ["x", "T恤 100%棉"]


def test_six_stars_and_half_pieces_are_rejected():
    log = events_of((1, 1, "buy", NOON, 1, 500), (1, 2, "buy", NOON, 2, 500)).assign(
        quantity=[1.0, 1.5]
    )
    reviews = pd.DataFrame(
        {
            "user_id": 1,
            "item_id": 1,
            "ts": NOON,
            "rating": [5.0, 6, 0.5, np.nan],
            "text": ["a", "b", "c", "d"],
        }
    )
    done = clean(Shop(log, reviews=reviews))
    assert done.shop.reviews["text"].tolist() == ["a", "d"] and done.shop.behaviors[
        "item_id"
    ].tolist() == [1]
    assert done.rejected["reason"].tolist() == [
        "quantity is not a whole number",
        "rating is not 1 to 5 stars",
        "rating is not 1 to 5 stars",
    ]


# the simulated shop


def test_a_log_is_cut_before_its_end():
    chunk = {
        "user_id": [1, 2, 3],
        "item_id": [1, 1, 1],
        "action": [CODES["view"]] * 3,
        "ts": [start_of(0) - 1, start_of(0), start_of(1)],
        "quantity": [0] * 3,
        "price": [0] * 3,
        "order_id": [0] * 3,
        "coupon": [0] * 3,
    }
    table = frame_of(
        [{name: np.array(values) for name, values in chunk.items()}], start_of(0), start_of(1)
    )
    assert table["user_id"].tolist() == [2] and table["ts"].tolist() == [start_of(0)]


def test_on_the_popular_page_a_buy_counts_as_five_views():
    """Item 1 was viewed four times, item 2 once and bought once (it was seen for that), item 3
    viewed five times."""
    items = [1] * 4 + [2, 2] + [3] * 5
    actions = ["view"] * 5 + ["buy"] + ["view"] * 5
    chunk = {"item_id": np.array(items), "action": np.array([CODES[action] for action in actions])}
    products = pd.DataFrame(
        {"item_id": [1, 2, 3, 4, 5], "price": [10, 20, 30, 40, 50], "listed_at": start_of(-9)}
    )
    log = ShopLog(products, day=1, days=[chunk])
    page, prices, _ = popular_page(1, np.array([7]), log, n_popular=3)
    assert page[0, :3].tolist() == [2, 3, 1] and prices[0, :3].tolist() == [20, 30, 10]


def test_a_festival_lasts_through_its_last_day():
    day = (pd.Timestamp("2024-06-18") - pd.Timestamp("2024-01-01")).days
    sale, after, before = season(day), season(day + 1), season(day - 3)
    assert (
        (sale.visits, sale.share) == (1.9, 0.5)
        and (after.visits, after.share) == (0.85, 0)
        and before.share == 0
    )
    assert season(100) == season(0) and season(100).visits == 1


def test_the_first_who_pay_are_served():
    item, pieces, paid = np.array([0, 0, 0, 1]), np.array([1, 1, 1, 2]), np.array([30, 10, 20, 5])
    stock = np.array([2, 2])
    assert _in_stock(item, pieces, paid, stock).tolist() == [
        False,
        True,
        True,
        True,
    ] and stock.tolist() == [0, 0]


def test_long_lived_customers_are_often_present_at_the_start():
    """A customer whose life lasts L days is there at the start of a log of D days with probability
    L / (L + D)."""
    users = draw_users(20_000, 180, 1)
    for kind, row in SEGMENTS.iterrows():
        mine = users[users["segment"] == kind]
        share = (mine["joined_day"] < 0).mean()
        assert abs(share - row["life"] / (row["life"] + 180)) < 4 * 0.5 / np.sqrt(len(mine))


@pytest.fixture(scope="module")
def simulated():
    return simulate_shop(400, 60, 90, random_state=6)


def test_returns_occur_and_more_often_after_a_disappointment(simulated):
    log, lines = simulated.behaviors, simulated.truth["lines"]
    back = log.loc[log["action"] == "return", ["order_id", "item_id"]].assign(back=True)
    lines = lines.merge(back, on=["order_id", "item_id"], how="left").assign(
        back=lambda rows: rows["back"].notna()
    )
    low = lines["satisfaction"] < lines["satisfaction"].median()
    assert (
        0.01 < lines["back"].mean() < 0.25
        and lines.loc[low, "back"].mean() > 1.5 * lines.loc[~low, "back"].mean()
    )


def test_outcomes_are_net_of_returns(simulated):
    log = simulated.behaviors
    paid = (log["quantity"] * log["price"]).fillna(0).astype("int64")
    buys, returns = (
        paid[log["action"] == action].groupby(log["user_id"]).sum() for action in ("buy", "return")
    )
    table = outcomes(simulated).set_index("user_id")
    assert (
        len(returns)
        and (
            table["spent"] == buys.sub(returns, fill_value=0).reindex(table.index, fill_value=0)
        ).all()
    )


def test_reordering_keeps_items_at_hand_without_piling_up(simulated):
    """Few days are sold out, and what is in stock at the end is worth some weeks of sales, not
    months."""
    sold = (
        simulated.behaviors.loc[simulated.behaviors["action"] == "buy"]
        .groupby("item_id")["quantity"]
        .sum()
        .astype(int)
    )
    weekly = sold.reindex(simulated.products["item_id"], fill_value=0).to_numpy() * 7 / 90
    assert (simulated.products["stock"].to_numpy() <= 12 * weekly + 30).all()
    assert simulated.truth["products"]["sold_out_days"].mean() < 9


def test_bots_only_look_and_cancelled_orders_lose_their_coupon(simulated):
    dirty = add_dirt(simulated, 0.2, 3)
    marks = dirty.truth["dirt"].set_index("row")["kind"]
    rows = dirty.behaviors.loc[marks.index].assign(kind=marks)
    bots = rows[rows["kind"] == "bot"]
    assert len(bots) >= 1000 and set(bots["action"]) == {"view"} and bots["quantity"].isna().all()
    assert set(dirty.behaviors.loc[dirty.behaviors["user_id"].isin(bots["user_id"]), "action"]) == {
        "view"
    }
    undone = rows[rows["kind"] == "cancelled"]
    assert len(undone) and set(undone["action"]) == {"return"} and undone["coupon"].isna().all()
    found = clean(dirty, now="2100-01-01").rejected
    assert set(bots["user_id"].astype(str)) <= {
        re.search(r'"user_id":(\d+)', record)[1]
        for record in found.loc[found["reason"].str.startswith("bot"), "record"]
    }
