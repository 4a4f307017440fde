"""The simulated shop, whatever its size: what must hold of every log, what a policy may return, and
that chance is common to all policies.
"""

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segtutorial.core.errors import ShopError
from segtutorial.core.tables import CONTRACT
from segtutorial.simulation.corruption import add_dirt
from segtutorial.simulation.log import ShopLog, check_page, popular_page, start_of
from segtutorial.simulation.market import draw_products, draw_users, key_of
from segtutorial.simulation.shopper import (
    World,
    act,
    leave,
    look,
    shown_quality,
    utility,
    visitors,
)
from segtutorial.simulation.simulator import counterfactual, outcomes, simulate_shop

SMALL = dict(n_users=200, n_items=40, days=30, random_state=3)
sizes = st.tuples(
    st.integers(1, 150), st.integers(1, 40), st.integers(1, 60), st.integers(0, 2**40)
)
few = settings(max_examples=max(settings.default.max_examples // 3, 1))


def day_of(ts):
    return (ts - start_of(0)) // 86_400


def by_chance(day, user_ids, log, k=3):
    """A page that reads nothing of the log but what is sold: by user and day only."""
    ids, price = log.products["item_id"].to_numpy(), log.products["price"].to_numpy()
    order = np.argsort(key_of(9, "explore", day, user_ids[:, None], ids[None]), axis=1)[:, :k]
    return ids[order], price[order], np.full(order.shape, order.shape[1] / len(ids))


def alike(one, other):
    tables = one.tables() | one.truth, other.tables() | other.truth
    return tables[0].keys() == tables[1].keys() and all(
        frame.equals(tables[1][name]) for name, frame in tables[0].items()
    )


class Watched:
    """A policy that notes what it was given."""

    def __init__(self, policy=popular_page, past=False):
        self.policy, self.past, self.mornings = policy, past, {}

    def __call__(self, day, user_ids, log):
        self.mornings[day] = (
            user_ids.copy(),
            log.products["item_id"].to_numpy(),
            log.products["stock"].to_numpy(),
            log.behaviors if self.past else None,
        )
        return self.policy(day, user_ids, log)


@few
@example((300, 40, 200, 0))
@given(sizes)
def test_what_holds_of_every_log(size):
    n_users, n_items, days, seed = size
    watched = Watched()
    shop = simulate_shop(*size, policy=watched, impressions=True)
    log, users, lines = (
        shop.behaviors,
        shop.truth["users"].set_index("user_id"),
        shop.truth["lines"],
    )
    assert [column.name for column in CONTRACT["behaviors"]] == list(log)
    assert (
        log["ts"].is_monotonic_increasing
        and log["ts"].between(start_of(0), start_of(days) - 1).all()
        and shop.reviews["ts"].between(start_of(0), start_of(days) - 1).all()
    )
    for table in (log, shop.reviews, shop.impressions):
        assert (
            table["user_id"].isin(users.index).all()
            and table["item_id"].isin(shop.products["item_id"]).all()
        )
    money = log["action"].isin(["buy", "return"])
    for name in ("quantity", "price", "order_id"):
        assert (log[name].notna() == money).all() and (log.loc[money, name] > 0).all()
    assert (log["coupon"].notna() <= (log["action"] == "buy")).all()
    # what a day sells was listed and at hand in its morning
    buys = log[log["action"] == "buy"]
    for day, part in buys.groupby(day_of(buys["ts"])):
        _, ids, stock, _ = watched.mornings[day]
        sold = part.groupby("item_id")["quantity"].sum()
        assert (
            sold.index.isin(ids).all()
            and (sold.to_numpy(int) <= pd.Series(stock, ids)[sold.index]).all()
        )
    assert (shop.products["stock"] >= 0).all() and all(
        (stock >= 0).all() for _, _, stock, _ in watched.mornings.values()
    )
    # an order is one user's, at one moment; numbers follow time
    orders = buys.groupby("order_id")
    assert (
        orders[["user_id", "ts"]].nunique().eq(1).all(axis=None)
        and orders["ts"].first().is_monotonic_increasing
    )
    assert not buys.duplicated(["order_id", "item_id"]).any() and len(lines) == len(buys)
    # nobody buys unseen
    looks = (
        log[log["action"].isin(["view", "click"])]
        .groupby(["user_id", "item_id", "action"])["ts"]
        .min()
        .unstack()
        .reindex(columns=["view", "click"])
    )
    bought = buys.merge(looks, left_on=["user_id", "item_id"], right_index=True, how="left")
    assert (bought["view"] < bought["ts"]).all() and (bought["click"] < bought["ts"]).all()
    # returns and reviews come after the parcel
    lines = lines.assign(arrived=lines["ts"] + 86_400 * lines["wait_days"])
    assert (lines["wait_days"] >= 1).all()
    back = log[log["action"] == "return"]
    assert (
        back.merge(buys, on=["order_id", "item_id", "user_id", "quantity", "price"]).shape[0]
        == len(back)
        and not back.duplicated(["order_id", "item_id"]).any()
    )
    back = back.merge(lines[["order_id", "item_id", "arrived"]], on=["order_id", "item_id"])
    assert (back["ts"] >= back["arrived"]).all()
    said = shop.reviews.merge(
        lines.groupby(["user_id", "item_id"])["arrived"].min(),
        left_on=["user_id", "item_id"],
        right_index=True,
    )
    assert (
        len(said) == len(shop.reviews)
        and (said["ts"] >= said["arrived"]).all()
        and said["rating"].isin([1, 2, 3, 4, 5]).all()
    )
    # nobody is there before joining, or after leaving, but for what they send back
    visits = log[~log["action"].isin(["return"])]
    day, of = day_of(visits["ts"]), users.loc[visits["user_id"]]
    assert (day.to_numpy() >= of["joined_day"].to_numpy()).all() and (
        day.to_numpy() < of["left_day"].astype(float).fillna(np.inf).to_numpy()
    ).all()
    assert users["left_day"].isna().eq(users["left_why"].isna()).all()
    if len(shop.impressions):
        assert (
            shop.impressions.groupby(["user_id", "ts"])["position"]
            .apply(lambda places: list(places) == list(range(len(places))))
            .all()
        )


@pytest.mark.parametrize(
    "size", [(1, 1, 1, 0), (50, 3, 20, 1), (1, 300, 3, 7), (300, 40, 60, 2**40)]
)
def test_the_same_seed_makes_the_same_shop(size):
    assert alike(simulate_shop(*size), simulate_shop(*size))


@pytest.mark.parametrize(
    "other", [{"random_state": 4}, {"n_users": 201}, {"days": 31}, {"policy": by_chance}]
)
def test_another_shop_is_another(other):
    assert not simulate_shop(**SMALL).behaviors.equals(
        simulate_shop(**{**SMALL, **other}).behaviors
    )


@few
@given(sizes, st.floats(0, 1), st.integers(0, 99))
def test_dirt_keeps_what_is_clean(size, share, seed):
    n_users, n_items, days, _ = size
    clean = simulate_shop(n_users, n_items, min(days, 20), seed)
    dirty = add_dirt(clean, share, seed)
    rows = dirty.truth["dirt"]["row"] if "dirt" in dirty.truth else []
    assert (
        dirty.behaviors.drop(index=rows).reset_index(drop=True).equals(clean.behaviors)
        and dirty.behaviors["ts"].is_monotonic_increasing
    )
    assert dirty.behaviors.dtypes.equals(clean.behaviors.dtypes) and len(dirty.products) == len(
        clean.products
    )
    assert dirty.products.drop(columns="title").equals(
        clean.products.drop(columns="title")
    ) and dirty.reviews.drop(columns="text").equals(clean.reviews.drop(columns="text"))
    assert simulate_shop(n_users, n_items, min(days, 20), seed, dirt=share).behaviors.equals(
        dirty.behaviors
    )


def test_a_policy_sees_the_past_and_nothing_else():
    watched = Watched(past=True)
    shop = simulate_shop(**SMALL, policy=watched)
    for day, (user_ids, ids, _, behaviors) in watched.mornings.items():
        known = shop.behaviors[shop.behaviors["ts"] < start_of(day)]
        assert behaviors.equals(known.reset_index(drop=True))
        assert set(ids) == set(
            shop.products.loc[shop.products["listed_at"] < start_of(day), "item_id"]
        )
        came = shop.behaviors[
            (day_of(shop.behaviors["ts"]) == day) & (shop.behaviors["action"] != "return")
        ]
        assert set(came["user_id"]) == set(user_ids) and len(set(user_ids)) == len(user_ids)


def test_counts_are_those_of_the_log():
    """`counts` is quick because it makes no table; it must say what the table says."""

    def policy(day, user_ids, log):
        for days in (1, 7, 100):
            recent = log.recent(days)
            for action in ("view", "buy", "cart"):
                expected = (
                    recent.loc[recent["action"] == action, "item_id"]
                    .value_counts()
                    .reindex(log.products["item_id"], fill_value=0)
                )
                assert log.counts(action, days).tolist() == expected.tolist()
        return popular_page(day, user_ids, log)

    simulate_shop(60, 20, 12, 1, policy=policy)


def changed(**parts):
    """The default page with some of its parts put through a function."""

    def policy(day, user_ids, log):
        page = dict(zip(("items", "prices", "chances"), popular_page(day, user_ids, log)))
        return tuple(parts[name](part) if name in parts else part for name, part in page.items())

    return policy


def of_page(turn):
    return lambda day, user_ids, log: turn(popular_page(day, user_ids, log))


def first_twice(items):
    return np.hstack([items[:, :-1], items[:, :1]])


REFUSED = {
    "an unknown item": (changed(items=lambda items: items + 10_000), "is not sold"),
    "item 0": (changed(items=lambda items: items * 0), "item 0 is not sold"),
    "a negative item": (changed(items=lambda items: -items), "is not sold"),
    "an item twice": (changed(items=first_twice), "appears twice on one page"),
    "items as decimals": (changed(items=lambda items: items.astype(float)), "whole numbers"),
    "items with NaN": (
        changed(items=lambda items: items * np.nan),
        "items holds float64, such as nan",
    ),
    "items as text": (changed(items=lambda items: items.astype(str)), "items holds <U"),
    "items as marks": (changed(items=lambda items: items > 0), "items holds bool"),
    "too few rows": (of_page(lambda page: tuple(part[:-1] for part in page)), "shape"),
    "too many rows": (
        of_page(lambda page: tuple(np.vstack([part, part]) for part in page)),
        "shape",
    ),
    "one row for all": (of_page(lambda page: tuple(part[0] for part in page)), "has shape (8,)"),
    "no places": (of_page(lambda page: tuple(part[:, :0] for part in page)), ", 0); allowed"),
    "fewer prices than items": (changed(prices=lambda prices: prices[:, :-1]), "prices has shape"),
    "one propensity": (changed(chances=lambda chances: 1.0), "propensities has shape ()"),
    "rows of different lengths": (
        changed(items=lambda items: [list(row)[: 1 + i % 2] for i, row in enumerate(items)]),
        "rows differ in length",
    ),
    "prices in yuan": (changed(prices=lambda prices: prices / 100), "prices holds float64"),
    "a price of 0": (changed(prices=lambda prices: prices * 0), "price 0"),
    "a price below": (changed(prices=lambda prices: -prices), "price -"),
    "a price beyond all sums": (
        changed(prices=lambda prices: prices.astype("uint64") + np.uint64(2**63)),
        "1 to 1,000,000,000 cents",
    ),
    "a propensity of 0": (changed(chances=lambda chances: chances * 0), "propensity 0.0"),
    "a propensity above 1": (changed(chances=lambda chances: chances + 1), "propensity 2.0"),
    "a propensity of NaN": (changed(chances=lambda chances: chances * np.nan), "propensity nan"),
    "propensities as text": (
        changed(chances=lambda chances: chances.astype(str)),
        "propensities holds <U",
    ),
    "nothing": (lambda day, user_ids, log: None, "it returned NoneType"),
    "items alone": (of_page(lambda page: page[0]), "it returned ndarray"),
    "a tuple of two": (of_page(lambda page: page[:2]), "it returned tuple of 2"),
    "a list": (of_page(list), "it returned list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_page_that_cannot_be_is_refused_on_its_day(name):
    policy, words = REFUSED[name]

    def later(day, user_ids, log):
        return (policy if day >= 4 else popular_page)(day, user_ids, log)

    with pytest.raises(ShopError) as error:
        simulate_shop(**SMALL, policy=later)
    assert (
        str(error.value).startswith("policy, day 4: ")
        and words in str(error.value)
        and "; allowed: " in str(error.value)
    )


def test_an_item_of_next_week_is_refused():
    def policy(day, user_ids, log):
        items, prices, chances = popular_page(day, user_ids, log)
        hidden = np.setdiff1d(log.all_products["item_id"], log.products["item_id"])
        return np.hstack([items[:, 1:], np.full((len(items), 1), hidden[0])]), prices, chances

    with pytest.raises(ShopError, match="is not sold on this day"):
        simulate_shop(**SMALL, policy=policy)


@pytest.mark.parametrize(
    "policy",
    [
        of_page(lambda page: tuple(part[:, :1] for part in page)),
        changed(
            items=lambda items: items.astype("uint16"),
            prices=lambda prices: prices.astype("uint32"),
            chances=lambda chances: chances.astype("float32"),
        ),
        of_page(lambda page: tuple(pd.DataFrame(part) for part in page)),
        of_page(lambda page: tuple(part.tolist() for part in page)),
    ],
    ids=["one place", "other numbers", "frames", "lists"],
)
def test_a_page_that_can_be_is_shown(policy):
    shop = simulate_shop(**SMALL, policy=policy, impressions=True)
    assert (
        len(shop.impressions)
        and shop.impressions["propensity"].between(0, 1, inclusive="right").all()
    )


def test_what_is_sold_out_may_be_shown_but_not_bought():
    """Many who are offered the same thing for next to nothing: the shelf empties, and never holds
    less than nothing.
    """
    watched = Watched(
        lambda day, user_ids, log: tuple(
            np.full((len(user_ids), 1), value) for value in (1, 1, 1.0)
        )
    )
    shop = simulate_shop(3000, 10, 40, 5, policy=watched)
    assert (
        any((stock == 0).any() for _, _, stock, _ in watched.mornings.values())
        and (shop.products["stock"] >= 0).all()
    )


def test_a_policy_that_uses_its_arrays_again_changes_no_page():
    shelf = [np.zeros((500, 8), kind) for kind in ("int64", "int64", float)]

    def reused(day, user_ids, log):
        for room, part in zip(shelf, popular_page(day, user_ids, log, random_state=3)):
            room[: len(part)] = part
        return tuple(room[: len(user_ids)] for room in shelf)

    assert alike(
        simulate_shop(**SMALL, policy=reused, impressions=True),
        simulate_shop(**SMALL, impressions=True),
    )


@few
@given(st.integers(1, 30), st.integers(0, 12), st.integers(0, 40), st.integers(0, 2**30))
def test_the_popular_page_holds_what_it_promises(n_items, n_popular, n_users, seed):
    """Different listed items, in stock where enough are, on a page that the shop accepts."""
    rng, products = np.random.default_rng(seed), draw_products(n_items, 10, seed)[0]
    log = ShopLog(
        products,
        day=int(rng.integers(0, 10)),
        stock=rng.integers(0, 3, n_items) * rng.integers(0, 2),
    )
    log.days = [
        {"item_id": rng.integers(1, n_items + 1, 50), "action": rng.integers(0, 6, 50)}
        for _ in range(log.day)
    ]
    items, prices, chances = popular_page(log.day, np.arange(n_users), log, n_popular, seed)
    if n_users:
        check_page((items, prices, chances), log.day, n_users, log.products)
    stocked = log.products.loc[log.products["stock"] > 0, "item_id"]
    assert (
        items.shape == prices.shape == chances.shape
        and items.shape[0] == n_users
        and items.shape[1] <= min(n_popular + 2, len(log.products))
    )
    if len(stocked) >= n_popular + 2:
        assert np.isin(items, stocked).all() and items.shape[1] == n_popular + 2


# common random numbers


@few
@given(st.integers(2, 150), st.integers(0, 2**30), st.integers(0, 200))
def test_a_shopper_does_the_same_whoever_else_there_is(n_users, seed, day):
    """Chance is looked up, not drawn in turn: a world of some of the users has these users do what
    they do in a world of all.
    """
    users, (products, hidden) = draw_users(n_users, 200, seed), draw_products(30, 200, seed)
    some = n_users // 2

    def deeds(people):
        world = World(people, products, hidden, seed)
        gone, who = leave(world, day), visitors(world, day)
        listed = (
            np.flatnonzero(world.listed < day)[:6] if day else np.flatnonzero(world.listed < 0)[:6]
        )
        page = np.tile(listed, (len(who), 1))
        looks = look(world, day, who, page, world.price[page])
        chunk, rows = act(world, day, looks, np.full(30, 10**6), 1)
        mine = rows < some
        table = pd.DataFrame(
            {name: values[mine] for name, values in chunk.items() if name != "order_id"}
        ).sort_values(["user_id", "item_id", "action"], ignore_index=True)
        return (
            gone[gone < some].tolist(),
            who[who < some].tolist(),
            table,
            world.mood[:some].tolist(),
        )

    one, other = deeds(users), deeds(users.iloc[:some])
    assert one[0] == other[0] and one[1] == other[1] and one[3] == other[3]
    pd.testing.assert_frame_equal(one[2], other[2])


def test_two_policies_meet_the_same_people_and_goods():
    one, other = simulate_shop(**SMALL), simulate_shop(**SMALL, policy=by_chance)
    drawn = list(draw_users(2))
    assert one.truth["users"][drawn].equals(other.truth["users"][drawn]) and one.truth["users"][
        drawn
    ].equals(draw_users(200, 30, 3))
    assert one.products.drop(columns="stock").equals(other.products.drop(columns="stock"))
    assert not one.behaviors.equals(other.behaviors)


@pytest.mark.parametrize("from_day", [0, 10, 29])
def test_a_page_changes_nothing_before_it_is_shown(from_day):
    """One user gets another page from a day on. Until then nothing differs; and who does not come
    again never differs, by a single row.
    """
    plain = simulate_shop(**SMALL, policy=by_chance, impressions=True)
    came = plain.impressions[day_of(plain.impressions["ts"]) >= from_day]
    somebody = came["user_id"].iloc[0] if len(came) else plain.truth["users"]["user_id"].iloc[0]

    def for_one(day, user_ids, log):
        items, prices, chances = by_chance(day, user_ids, log)
        prices = np.where(
            (user_ids == somebody)[:, None] & (day >= from_day), np.maximum(prices // 4, 1), prices
        )
        return items, prices, chances

    other = simulate_shop(**SMALL, policy=for_one, impressions=True)
    for table in ("behaviors", "impressions"):
        before = [
            getattr(shop, table)[lambda frame: frame["ts"] < start_of(from_day)]
            for shop in (plain, other)
        ]
        assert before[0].equals(before[1])
    assert not plain.impressions.equals(other.impressions)
    away = ~plain.truth["users"]["user_id"].isin(came["user_id"])
    never = set(plain.truth["users"].loc[away, "user_id"])
    rows = [
        shop.behaviors[shop.behaviors["user_id"].isin(never)].reset_index(drop=True)
        for shop in (plain, other)
    ]
    assert rows[0].equals(rows[1])
    assert plain.truth["users"][away].equals(other.truth["users"][away])


def test_the_counterfactual_of_the_same_page_is_nothing():
    table = counterfactual({"a": by_chance, "b": by_chance}, **SMALL)
    one, other = (
        part.drop(columns="policy").reset_index(drop=True) for _, part in table.groupby("policy")
    )
    assert one.equals(other) and one.equals(
        outcomes(simulate_shop(**SMALL, policy=by_chance))[list(one)]
    )


def test_a_better_page_sells_more_and_keeps_more():
    """A page that reads the truth, against one by chance: the direction of every effect, on several
    seeds together.
    """

    def reads_minds(users, products, hidden, seed):
        world = World(users, products, hidden, seed)

        def policy(day, user_ids, log):
            rows, items = user_ids - 100_001, log.products["item_id"].to_numpy() - 1
            fit = (
                utility(world, rows[:, None], items[None], world.price[items])
                + 4 * (world.quality - shown_quality(world))[items]
            )
            pick = items[np.argsort(-fit, axis=1)[:, :8]]
            return pick + 1, world.price[pick], np.ones(pick.shape)

        return policy

    total = []
    for seed in range(3):
        size = dict(n_users=600, n_items=120, days=120, random_state=seed)
        policy = reads_minds(draw_users(600, 120, seed), *draw_products(120, 120, seed), seed)
        table = counterfactual({"chance": lambda *a: by_chance(*a, k=8), "minds": policy}, **size)
        total.append(
            table.groupby("policy")[
                ["views", "clicks", "orders", "spent", "satisfaction", "days"]
            ].agg(
                {
                    **dict.fromkeys(["views", "clicks", "orders", "spent", "days"], "sum"),
                    "satisfaction": "mean",
                }
            )
        )
    total = sum(total)
    better = total.loc["minds"] / total.loc["chance"]
    assert (
        (better[["views", "clicks", "orders", "spent"]] > 1.2).all()
        and better["satisfaction"] > 1
        and better["days"] > 1
    )


@pytest.mark.parametrize(
    "wrong",
    [
        dict(n_users=0),
        dict(n_items=0),
        dict(days=0),
        dict(days=2.5),
        dict(n_users=True),
        dict(random_state=-1),
        dict(random_state="1"),
        dict(dirt=-0.1),
        dict(dirt=1.1),
        dict(dirt=float("nan")),
    ],
    ids=str,
)
def test_sizes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ShopError, match=f"{next(iter(wrong))} = .*; allowed: "):
        simulate_shop(**{**SMALL, **wrong})
