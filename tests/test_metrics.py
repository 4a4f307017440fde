"""Chapter 03: the metrics against ranx, scikit-learn and loops on random cases, the splits' rules,
ties, bad input.
"""

import math

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    brier_score_loss,
    mean_absolute_error,
    ndcg_score,
    roc_auc_score,
    root_mean_squared_error,
)

from segtutorial import metrics as m
from segtutorial.core.errors import ShopError
from segtutorial.core.section import Context
from segtutorial.core.stages import Results
from segtutorial.core.tables import Shop
from segtutorial.metrics.stage import MetricsStage

SEEDS = pytest.mark.parametrize("seed", range(12))
DAY = 86400


def lists(seed):
    """Random lists with distinct falling scores, what is relevant (for some nothing), and k."""
    rng = np.random.default_rng(seed)
    n, n_items, places, k = (
        int(rng.integers(1, 60)),
        int(rng.integers(3, 40)),
        int(rng.integers(1, 25)),
        int(rng.integers(1, 30)),
    )
    items = np.argsort(rng.random((n, n_items)), axis=1)[:, :places]
    scores = -np.sort(-rng.permutation(items.size).reshape(items.shape).astype(float), axis=1)
    relevant = rng.random((n, n_items)) < rng.choice([0.02, 0.2, 0.7])
    relevant[rng.random(n) < 0.2] = False
    return items, scores, relevant, k


@pytest.mark.filterwarnings("ignore")
@SEEDS
def test_ranking_metrics_are_those_of_ranx(seed):
    """Six metrics, user by user, to 1e-9. ranx asks for a relevant item a user; ours leaves the
    others out.
    """
    from ranx import Qrels, Run, evaluate

    items, scores, relevant, k = lists(seed)
    k = min(k, items.shape[1])  # beyond the list ranx divides precision by the list's length
    judged = relevant.any(axis=1)
    if not judged.any():
        pytest.skip("skipped: no user of this case has a relevant item")
    found, total = m.relevance_mask(items, sp.csr_array(relevant), scores), relevant.sum(axis=1)
    users = np.flatnonzero(judged)
    qrels = Qrels({f"u{u}": {f"i{i}": 1 for i in np.flatnonzero(relevant[u])} for u in users})
    run = Run({f"u{u}": {f"i{i}": float(s) for i, s in zip(items[u], scores[u])} for u in users})
    for name, theirs in {
        "hit_rate": "hit_rate",
        "precision": "precision",
        "recall": "recall",
        "ndcg": "ndcg",
        "map": "map",
        "mrr": "mrr",
    }.items():
        mine = m.METRICS[name](found, total, k)
        assert np.isnan(mine[~judged]).all(), name
        run.scores.clear()
        evaluate(qrels, run, f"{theirs}@{k}")
        got = np.array([run.scores[f"{theirs}@{k}"][f"u{u}"] for u in users])
        assert np.abs(mine[judged] - got).max() < 1e-9, name


@SEEDS
def test_ranking_metrics_are_those_of_a_loop(seed):
    """The definitions, place by place; also for k beyond the list."""
    items, scores, relevant, k = lists(seed)
    found, total = m.relevance_mask(items, sp.csr_array(relevant), scores), relevant.sum(axis=1)
    mine = {name: metric(found, total, k) for name, metric in m.METRICS.items()}
    for u in range(len(items)):
        wanted, row = set(np.flatnonzero(relevant[u])), list(items[u])[:k]
        if not wanted:
            assert all(math.isnan(values[u]) for values in mine.values())
            continue
        hit = [item in wanted for item in row]
        best = sum(1 / math.log2(i + 2) for i in range(min(len(wanted), k)))
        want = {
            "hit_rate": any(hit),
            "precision": sum(hit) / k,
            "recall": sum(hit) / len(wanted),
            "ndcg": sum(h / math.log2(i + 2) for i, h in enumerate(hit)) / best,
            "map": sum(sum(hit[: i + 1]) / (i + 1) for i, h in enumerate(hit) if h) / len(wanted),
            "mrr": max([h / (i + 1) for i, h in enumerate(hit)]),
        }
        for name, value in want.items():
            assert abs(mine[name][u] - value) < 1e-9, (name, u)


@SEEDS
def test_ndcg_from_scores_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n, n_items = int(rng.integers(1, 30)), int(rng.integers(2, 40))
    k, scores, relevant = (
        int(rng.integers(1, n_items + 1)),
        rng.random((n, n_items)),
        rng.random((n, n_items)) < 0.3,
    )
    relevant[:, 0] = True
    mine = m.ndcg(m.ranked_hits(scores, relevant, k), relevant.sum(axis=1), k)
    assert abs(mine.mean() - ndcg_score(relevant.astype(int), scores, k=k, ignore_ties=True)) < 1e-9


@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.integers(1, 14),
)
def test_ties_are_broken_against_the_model(rows, k):
    """No order of equal scores gives a smaller value, and whole ties everywhere find a relevant
    item only where nothing else is left.
    """
    score, relevant = (
        np.array([[row[0] for row in rows]], dtype=float),
        np.array([[row[1] for row in rows]]),
    )
    found = m.ranked_hits(score, relevant, k)
    order = sorted(range(len(rows)), key=lambda i: (-rows[i][0], rows[i][1]))
    assert found[0].tolist() == [rows[i][1] for i in order][:k]
    by_place = sorted(range(len(rows)), key=lambda i: -rows[i][0])
    again = m.relevance_mask(np.array([by_place]), sp.csr_array(relevant), score[:, by_place])[
        :, :k
    ]
    assert again.tolist() == found.tolist()
    friendly = m.relevance_mask(
        np.array([sorted(range(len(rows)), key=lambda i: (-rows[i][0], not rows[i][1]))]),
        sp.csr_array(relevant),
    )[:, :k]
    for metric in m.METRICS.values():
        worst, best = (
            np.nan_to_num(metric(which, relevant.sum(axis=1), k))[0] for which in (found, friendly)
        )
        assert worst <= best + 1e-12


def test_ties_everywhere():
    relevant = np.zeros((4, 100), dtype=bool)
    relevant[:, :5] = True
    assert (
        not m.ranked_hits(np.zeros((4, 100)), relevant, 95).any()
        and m.ranked_hits(np.zeros((4, 100)), relevant, 96).sum() == 4
    )


@SEEDS
def test_hits_in_chunks_are_those_of_one_go(seed):
    items, scores, relevant, _ = lists(seed)
    whole = m.relevance_mask(items, sp.csr_array(relevant), scores)
    assert (m.relevance_mask(items, sp.csr_array(relevant), scores, chunk=7) == whole).all()
    assert (whole == np.take_along_axis(relevant, items, axis=1)).all()


@SEEDS
def test_variety_is_that_of_a_loop(seed):
    items, _, relevant, _ = lists(seed)
    n_items = relevant.shape[1]
    items = np.where(np.random.default_rng(seed).random(items.shape) < 0.1, -1, items)
    counts = [int((items == i).sum()) for i in range(n_items)]
    assert m.exposure(items, n_items).tolist() == counts and m.coverage(items, n_items) == np.mean(
        [c > 0 for c in counts]
    )
    if sum(counts):
        assert (
            abs(
                m.gini(np.array(counts))
                - sum(abs(a - b) for a in counts for b in counts) / (2 * n_items * sum(counts))
            )
            < 1e-9
        )
    buyers = relevant.sum(axis=0)
    mine = m.novelty(items, buyers, len(items))
    for row, got in zip(items, mine):
        bits = [-math.log2(max(buyers[i], 1) / len(items)) for i in row if i >= 0]
        assert math.isnan(got) if not bits else abs(got - np.mean(bits)) < 1e-9


@SEEDS
def test_yes_no_and_ratings_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(10, 400))
    p = rng.random(n).round(int(rng.integers(1, 5)))  # rounded: many ties
    y = (rng.random(n) < p).astype(int)
    y[:2] = 0, 1
    assert abs(m.auc(y, p) - roc_auc_score(y, p)) < 1e-9
    assert (
        abs(m.rmse(y, p) - root_mean_squared_error(y, p)) < 1e-9
        and abs(m.mae(y, p) - mean_absolute_error(y, p)) < 1e-9
    )
    assert abs(m.rmse(y, p) ** 2 - brier_score_loss(y, p)) < 1e-9
    table = m.calibration(y, p, bins=7)
    assert (
        table["n"].sum() == n
        and abs(np.average(table["predicted"], weights=table["n"]) - p.mean()) < 1e-9
    )
    assert (
        abs(np.average(table["observed"], weights=table["n"]) - y.mean()) < 1e-9
        and (table["low"] <= table["observed"] + 1e-12).all()
    )
    uniform = m.calibration(y, p, bins=5, method="uniform")
    place = np.minimum(np.ceil(p * 5 - 1e-12).astype(int).clip(1) - 1, 4)
    assert np.allclose(
        uniform["predicted"], [p[place == i].mean() for i in range(5) if (place == i).any()]
    )
    gain = m.lift(y, p, parts=3)
    assert (
        gain["n"].sum() == n
        and abs(gain["yes"].sum() - y.sum()) < 1e-9
        and abs(gain["captured"].iloc[-1] - 1) < 1e-9
    )


@SEEDS
def test_lift_is_the_mean_over_orders_of_ties(seed):
    rng = np.random.default_rng(seed)
    y, score = (rng.random(40) < 0.4).astype(int), rng.integers(0, 4, 40)
    y[0] = 1
    drawn = []
    for _ in range(600):
        order = np.lexsort((rng.random(40), -score))
        drawn.append(y[order][:10].sum())
    assert abs(np.mean(drawn) - m.lift(y, score, parts=4)["yes"].iloc[0]) < 0.3


def test_wilson_is_that_of_scipy():
    from scipy.stats import binomtest

    for yes, n in ((0, 5), (3, 9), (50, 80), (9, 9)):
        theirs = binomtest(yes, n).proportion_ci(method="wilson")
        assert np.allclose(m.wilson(yes, n), (theirs.low, theirs.high), atol=1e-9)


EVENTS = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.integers(0, 6),
        st.sampled_from(["view", "cart", "buy"]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=40,
)


def log(rows):
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "action", "ts"])
    return frame.assign(ts=frame["ts"] * 3600)


def made(splitter, events, **options):
    try:
        return splitter(events, **options)
    except ShopError as error:
        assert any(word in str(error) for word in ("nothing is left", "no event of a known user"))
        return None


@given(EVENTS, st.booleans(), st.floats(0.05, 0.95))
def test_a_split_by_time_never_leaks(rows, new_only, share):
    events = log(rows)
    split = made(m.split_by_time, events, share=share, new_only=new_only)
    if split is None:
        return
    assert (
        m.leaks(split).empty
        and (split.train["ts"] < split.cut).all()
        and (split.test["ts"] >= split.cut).all()
    )
    assert split.train.equals(events.loc[split.train.index]) and split.test.equals(
        events.loc[split.test.index]
    )
    assert not split.test.duplicated(["user_id", "item_id"]).any()
    counts = split.counts
    assert (
        counts["test_users"] + counts["users_left_out"] - counts["new_users"]
        == counts["train_users"]
    )
    assert counts["train_rows"] + counts["test_rows"] + counts["unused_rows"] == len(events)


@given(EVENTS, st.data())
def test_what_leaks_by_time_is_named(rows, data):
    """Rows moved to the wrong side by hand are found, and no others."""
    events = log(rows)
    split = made(m.split_by_time, events, new_only=False)
    if split is None:
        return
    late = events[events["ts"] >= split.cut].drop(index=split.test.index)
    moved = (
        data.draw(st.lists(st.sampled_from(late.index.tolist()), unique=True)) if len(late) else []
    )
    split.train = pd.concat([split.train, events.loc[moved]])
    found = m.leaks(split)
    assert (
        sorted(found.index) == sorted(moved)
        and (found["kind"] == "wrong side").all()
        and (found["side"] == "train").all()
    )
    split.train = pd.concat([split.train, split.test])
    assert set(m.leaks(split).index) == {*moved, *split.test.index}


@given(EVENTS, st.booleans())
def test_the_last_item_split(rows, new_only):
    """One test row a user, of the user's last wanting, with nothing of the user's at or after it in
    train, and something wanted before it.
    """
    events = log(rows)
    split = made(m.leave_one_out, events, new_only=new_only)
    if split is None:
        return
    assert split.test["user_id"].is_unique and (split.test["action"] == "buy").all()
    for row in split.test.itertuples():
        mine = events[events["user_id"] == row.user_id]
        had = split.train[split.train["user_id"] == row.user_id]
        assert (had["ts"] < row.ts).all() and (had["action"] == "buy").any()
        buys = mine[mine["action"] == "buy"]
        if new_only:
            buys = buys.loc[buys.groupby("item_id")["ts"].idxmin()]
        assert row.ts == buys["ts"].max()
    found = m.leaks(split)
    assert set(found.index) == set(
        split.train.index[split.train["ts"] >= split.test["ts"].min()]
    ) and set(found["kind"]) <= {"others' future"}


@given(EVENTS, st.integers(0, 5))
def test_the_random_split(rows, seed):
    events = log(rows)
    split = made(m.split_at_random, events, share=0.4, random_state=seed)
    if split is None:
        return
    assert not split.test.index.isin(split.train.index).any()
    found = m.leaks(split)
    own = split.train["user_id"].map(split.test.groupby("user_id")["ts"].min())
    assert set(found.index[found["kind"] == "own future"]) == set(
        split.train.index[split.train["ts"] >= own]
    )
    assert set(found.index) == set(
        split.train.index[
            (split.train["ts"] >= own) | (split.train["ts"] >= split.test["ts"].min())
        ]
    )


def test_rolling_windows_lie_side_by_side(shop):
    events = m.split_by_time(
        shop.behaviors.reset_index(drop=True)
        .dropna(subset=["user_id"])
        .query("ts > 1e9 and ts < 2e9")
    ).train
    folds = m.rolling_origin(events, folds=3)
    assert [fold.end for fold in folds[:-1]] == [fold.cut for fold in folds[1:]] and all(
        m.leaks(fold).empty for fold in folds
    )
    rows = pd.concat([fold.test for fold in folds])
    assert not rows.index.duplicated().any()


def small():
    return log(
        [
            (1, "a", "buy", 1),
            (1, "b", "buy", 9),
            (2, "a", "buy", 2),
            (2, "c", "buy", 8),
            (3, "b", "buy", 3),
            (3, "b", "buy", 9),
            (4, "c", "view", 9),
        ]
    )


BAD = {
    "no column": (
        lambda: m.split_by_time(small().drop(columns="item_id")),
        ["'item_id'", "user_id"],
    ),
    "no such action": (lambda: m.split_by_time(small(), actions="rent"), ["rent", "buy, view"]),
    "users without events before the cut": (
        lambda: m.split_by_time(small(), at=0),
        ["nothing is left to learn from", "1970-01-01"],
    ),
    "nothing after the cut": (
        lambda: m.split_by_time(small(), at="1971-01-01"),
        ["nothing is left to judge by"],
    ),
    "only things owned": (
        lambda: m.split_by_time(small().iloc[4:6]),
        ["nothing is left to judge by", "new_only=False"],
    ),
    "a share of 1": (lambda: m.split_by_time(small(), share=1), ["share = 1", "below 1"]),
    "a random share of 0": (lambda: m.split_at_random(small(), share=0), ["share = 0"]),
    "no folds": (lambda: m.rolling_origin(small(), folds=0), ["folds = 0"]),
    "one buy each": (
        lambda: m.leave_one_out(small().drop_duplicates("user_id")),
        ["nothing is left to judge by"],
    ),
    "a missing time": (
        lambda: m.split_by_time(small().astype({"ts": float}).replace({"ts": {3600.0: None}})),
        ["ts is missing", "row 0"],
    ),
    "an index twice": (
        lambda: m.split_at_random(pd.concat([small(), small()])),
        ["index 0", "reset_index"],
    ),
    "k of 0": (lambda: m.evaluate(m.MostPopular(), m.split_by_time(small()), k=0), ["k = 0"]),
    "no such metric": (
        lambda: m.evaluate(m.MostPopular(), m.split_by_time(small()), metrics=["accuracy"]),
        ["'accuracy'", "ndcg"],
    ),
    "nobody to draw": (lambda: m.paired_bootstrap([], []), ["no user"]),
    "different users": (lambda: m.paired_bootstrap([1, 2], [1]), ["same users"]),
    "one answer": (lambda: m.auc([1, 1], [0, 1]), ["both 0 and 1"]),
    "a probability of 2": (lambda: m.calibration([1, 0], [2, 0]), ["0 to 1"]),
    "a rating that is nan": (lambda: m.rmse([1, math.nan], [1, 1]), ["rating[1]"]),
    "satisfaction before the first buy": (
        lambda: m.satisfaction(Shop(small(), timezone="UTC"), 3600),
        ["nobody bought anything", "1970-01-01"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_with_what_is_wrong(case):
    call, named = BAD[case]
    with pytest.raises(ShopError) as error:
        call()
    assert [part for part in named if part not in str(error.value)] == [], str(error.value)


@pytest.mark.parametrize("model", [m.MostPopular(), m.ItemKNN()])
@pytest.mark.parametrize("k", [1, 3, 1000])
def test_baselines_give_whole_lists(model, k):
    """k beyond the catalogue gives the catalogue; what is owned has no place; a new user gets best
    sellers; text and number ids alike.
    """
    rng = np.random.default_rng(0)
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, 300),
            "item_id": rng.integers(0, 25, 300),
            "action": "buy",
            "ts": np.arange(300),
        }
    )
    lists, scores = model.fit(events).recommend([0, 5, 99], k)
    assert (
        lists.shape == scores.shape == (3, min(k, events["item_id"].nunique()))
        and (scores[:, 1:] <= scores[:, :-1]).all()
    )
    for row, values, user in zip(lists, scores, (0, 5, 99)):
        shown = row[values > -np.inf]
        assert len(set(shown)) == len(shown) and not set(shown) & set(
            events.loc[events["user_id"] == user, "item_id"]
        )
    text = events.assign(
        user_id="u" + events["user_id"].astype(str).str.zfill(3),
        item_id="i" + events["item_id"].astype(str).str.zfill(3),
    )
    named, again = model.fit(text).recommend(["u000", "u005", "new"], k)
    filled = scores > -np.inf
    assert (
        np.allclose(scores[filled], again[filled])
        and (named[filled] == np.char.add("i", np.char.zfill(lists.astype(str), 3))[filled]).all()
    )


def test_item_knn_is_that_of_dense_matrices():
    rng = np.random.default_rng(1)
    X = (rng.random((40, 15)) < 0.3).astype(float)
    X[:, 0] = 1
    user, item = np.nonzero(X)
    model = m.ItemKNN(n_neighbors=4, shrinkage=3).fit(
        pd.DataFrame({"user_id": user, "item_id": item, "action": "buy"})
    )
    S = X.T @ X / (np.sqrt(np.outer(X.sum(0), X.sum(0))) + 3)
    np.fill_diagonal(S, 0)
    S[S < np.sort(S, axis=1)[:, [-4]] - 1e-12] = 0
    mine = model.similarity_.toarray()
    assert ((mine > 0).sum(axis=1) <= 4).all() and np.allclose(mine[mine > 0], S[mine > 0])
    want = X @ mine + 1e-9 * X.mean(axis=0)
    lists, scores = model.recommend(range(40), 15, exclude_owned=False)
    assert np.allclose(np.take_along_axis(want, lists, axis=1), scores) and np.allclose(
        -np.sort(-want, axis=1), scores
    )


def test_evaluate_counts_who_is_left_out():
    split = m.split_by_time(small(), at=5 * 3600)
    table = m.evaluate(
        m.MostPopular(), split, k=100, against=m.ItemKNN(), n=50
    )  # k far beyond three items
    assert (
        (table["users"] == 2).all()
        and (table["users_left_out"] == 1).all()
        and split.counts["owned_rows"] == 1
    )
    values = table.set_index("metric")
    assert (
        values.loc["hit_rate", "value"] == 0.5 and values.loc["precision", "value"] == 0.005
    )  # c was never sold before, b was
    assert (
        values.loc[["coverage", "gini"], ["low", "p"]].isna().all(axis=None)
        and (values["p"].dropna() <= 1).all()
    )


def test_a_split_of_one_user_has_no_interval():
    table = m.evaluate(
        m.MostPopular(),
        m.split_by_time(small().query("user_id != 2"), at=5 * 3600),
        n=20,
        against=m.ItemKNN(),
    )
    assert (table["users"] == 1).all() and table[["low", "high", "diff_low", "p"]].isna().all(
        axis=None
    )


def test_evaluate_gives_the_same_twice_and_the_mean_of_judge(shop):
    events = shop.behaviors.reset_index(drop=True).query("ts > 1e9 and ts < 2e9")
    split = m.split_by_time(events)
    one, two = (m.evaluate(m.ItemKNN(), split, n=100, random_state=3) for _ in range(2))
    assert one.equals(two)
    users = m.user_metrics(m.ItemKNN(), split).users
    assert np.allclose(one.set_index("metric").loc[users.columns, "value"], users.mean())


class Given:
    """A model of given lists."""

    def __init__(self, items, scores):
        self.items, self.scores = items, scores

    def recommend(self, user_ids, k):
        return self.items, self.scores


@pytest.mark.parametrize(
    "items, scores, named",
    [
        ([["a", "a"]] * 2, [[2, 1]] * 2, "twice"),
        ([["a", "b"]], [[2, 1]], "for 2 users"),
        ([["a", "b"]] * 2, [[1, 2]] * 2, "rise"),
        ([["a", "b"]] * 2, [[math.nan, 1]] * 2, "nan"),
    ],
)
def test_lists_that_are_no_lists_are_refused(items, scores, named):
    with pytest.raises(ShopError, match=named):
        m.user_metrics(
            Given(np.array(items), np.array(scores, dtype=float)),
            m.split_by_time(small(), at=5 * 3600),
            fit=False,
        )


def test_an_unknown_item_holds_its_place():
    """What the shop never sold is a miss, not an empty place that the next item slips into."""
    lists = Given(np.array([["new", "b"]] * 2), np.array([[2.0, 1.0]] * 2))
    users = m.user_metrics(
        lists, m.split_by_time(small(), at=5 * 3600), k=2, metrics=["mrr"], fit=False
    ).users["mrr"]
    assert users.tolist() == [0.0, 0.5] or users.tolist() == [0.5, 0.0]


def test_holm_is_a_loop():
    rng = np.random.default_rng(0)
    for n in (1, 2, 7):
        p, worst, want = rng.random(n), 0.0, {}
        for place, i in enumerate(np.argsort(p)):
            worst = max(worst, p[i] * (n - place))
            want[int(i)] = min(1.0, worst)
        assert np.allclose(m.holm(p), [want[i] for i in range(n)])


def test_satisfaction_uses_nothing_after_as_of():
    rng = np.random.default_rng(0)
    n = 400
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, 40, n),
            "item_id": rng.integers(0, 10, n),
            "action": rng.choice(["buy", "buy", "return"], n),
            "ts": rng.integers(0, 300 * DAY, n),
            "quantity": 1,
        }
    )
    reviews = pd.DataFrame(
        {
            "user_id": rng.integers(0, 40, 100),
            "item_id": rng.integers(0, 10, 100),
            "ts": rng.integers(0, 300 * DAY, 100),
            "rating": rng.integers(1, 6, 100),
            "text": "",
        }
    )
    whole = m.satisfaction(Shop(events, reviews=reviews), 150 * DAY)
    cut = m.satisfaction(
        Shop(events[events["ts"] < 150 * DAY], reviews=reviews[reviews["ts"] < 150 * DAY]),
        150 * DAY,
    )
    assert whole.overall.equals(cut.overall) and whole.users.equals(cut.users)
    assert (
        whole.users["lines"].sum()
        == ((events["action"] == "buy") & (events["ts"] < 136 * DAY)).sum()
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    "lacking",
    ["nothing", "reviews", "returns", "quantities", "all but one item", "all but one user", "buys"],
)
def test_the_report_says_what_the_log_cannot_carry(lang, lacking):
    rng = np.random.default_rng(0)
    n = 900
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, 60, n),
            "item_id": rng.integers(0, 30, n),
            "action": rng.choice(["view", "buy", "return"], n, p=[0.5, 0.45, 0.05]),
            "ts": np.sort(rng.integers(0, 300 * DAY, n)),
            "quantity": 1,
        }
    )
    reviews = pd.DataFrame(
        {
            "user_id": rng.integers(0, 60, 200),
            "item_id": rng.integers(0, 30, 200),
            "ts": 299 * DAY,
            "rating": 4.0,
            "text": "",
        }
    )
    events, reviews = {
        "reviews": (events, None),
        "returns": (events[events["action"] != "return"], reviews),
        "quantities": (events.drop(columns="quantity"), reviews),
        "all but one item": (events.assign(item_id=1), reviews),
        "all but one user": (events[events["user_id"] == 1], reviews),
        "buys": (events[events["action"] == "view"], reviews),
    }.get(lacking, (events, reviews))
    shop, ctx = (
        Shop(events, reviews=reviews, timezone="UTC"),
        Context(300 * DAY, lang, timezone="UTC"),
    )
    section = MetricsStage().run(shop, Results(), ctx)
    said = " ".join(part for part in section.parts if isinstance(part, str))
    missing = "Not shown" in said or "not shown" in said or "未显示" in said
    assert missing == (
        lacking not in ("nothing", "quantities")
    ) and "nan" not in said.lower().replace("finance", "")
    for part in section.parts:
        if hasattr(part, "shown"):
            assert len(part.shown) and not part.shown.astype(str).apply(
                lambda column: column.str.contains("nan")
            ).any(axis=None)
