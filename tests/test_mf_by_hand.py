"""Recommenders on matrices so small that the answer can be written down, and against dense
formulas."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from segtutorial import mf
from segtutorial.metrics import MostPopular
from segtutorial.mf.ease import EASE, Blend
from segtutorial.mf.ials import IALS, solve
from segtutorial.mf.matrix import Interactions, as_matrix
from segtutorial.mf.sgd import MF
from segtutorial.mf.topk import top_k
from segtutorial.mf.tuning import EventRecommender, search
from segtutorial.shop import Shop


def matrix(seed=0, n=60, m=20, density=0.2):
    rng = np.random.default_rng(seed)
    return sp.csr_array((rng.random((n, m)) < density).astype(np.float32))


def log(*rows):
    return pd.DataFrame(rows, columns=["user_id", "item_id", "action"]).assign(ts=range(len(rows)))


def test_a_cell_is_its_surest_action_or_the_sum():
    events = log(
        ("a", 1, "view"), ("a", 1, "buy"), ("a", 1, "cart"), ("a", 2, "view"), ("a", 2, "view")
    )
    weights = {"view": 0.25, "cart": 0.5, "buy": 1.0}
    assert Interactions.from_events(events, weights).X.toarray().tolist() == [[1, 0.25]]
    assert Interactions.from_events(events, weights, "sum").X.toarray().tolist() == [[1.75, 0.5]]


def test_pairs_without_weights_count_once():
    assert Interactions.from_pairs([0, 0, 1], [1, 1, 0]).X.toarray().tolist() == [[0, 1], [1, 0]]
    assert Interactions.from_pairs(
        [0, 0, 1], [1, 1, 0], weights=[0.5, 1, 2]
    ).X.toarray().tolist() == [[0, 1.5], [2, 0]]


def test_the_best_items_of_one_user_without_what_is_taken_or_sold_out():
    users, items = torch.tensor([[1.0]]), torch.arange(6, dtype=torch.float32)[:, None]
    taken = sp.csr_array(np.array([[0, 0, 0, 0, 1, 0]], dtype=np.float32))
    allowed = np.array([True, True, True, True, True, False])
    columns, scores = top_k(users, items, 3, taken, allowed)
    assert columns.tolist() == [[3, 2, 1]] and scores.tolist() == [[3, 2, 1]]
    two, _ = top_k(torch.ones(2, 1), items, 3, sp.vstack([taken, taken], format="csr"), allowed)
    assert two.tolist() == [[3, 2, 1]] * 2


def test_a_new_user_is_not_shown_what_the_user_has():
    X = matrix()
    model = IALS(n_factors=4, n_epochs=3).fit(X)
    new = sp.csr_array(np.eye(1, 20, 7, dtype=np.float32))
    columns, scores = model.recommend_new(new, 20)
    assert (
        columns[0][:19].tolist() != sorted(columns[0][:19])
        and 7 not in columns[0][scores[0] > -np.inf]
    )
    assert 7 in model.recommend_new(new, 20, exclude=None)[0][0]


def test_the_vectors_of_the_best_epoch_are_kept():
    """Ratings of pure chance: the first epochs are the best on held-out cells, and later ones learn
    the noise."""
    rng = np.random.default_rng(1)
    ratings = np.where(rng.random((80, 40)) < 0.3, rng.integers(1, 6, (80, 40)), 0).astype(
        np.float32
    )
    held = rng.random(ratings.shape) < 0.3
    X, valid = sp.csr_array(np.where(held, 0, ratings)), sp.csr_array(np.where(held, ratings, 0))
    model = MF(n_factors=16, n_epochs=12, loss="squared", reg=0.0, rate=0.5).fit(X, valid)
    rows, columns = valid.nonzero()
    users, items = model.user_factors_.numpy(), model.item_factors_.numpy()
    said = (
        (users[rows] * items[columns]).sum(1)
        + model.user_bias_.numpy()[rows]
        + model.item_bias_.numpy()[columns]
        + model.mean_
    )
    loss = np.mean((said - valid.toarray()[rows, columns]) ** 2)
    assert (
        model.history_["valid"].iloc[-1] > 1.05 * model.history_["valid"].min()
    )  # else this test shows nothing
    assert loss == pytest.approx(model.history_["valid"].min(), rel=1e-3)


def test_user_bias_is_pulled_to_the_mean():
    """Where all ratings are 4, the penalty does not pull a user's prediction towards 0."""
    X = sp.csr_array(
        np.where(np.random.default_rng(0).random((50, 30)) < 0.3, 4, 0).astype(np.float32)
    )
    model = MF(n_factors=2, n_epochs=15, loss="squared", reg=2.0).fit(X)
    assert model.mean_ == 4 and np.allclose(model.user_bias_.numpy(), 0, atol=0.05)


def test_sgd_weighs_events_by_their_confidence():
    """All users have item 0 with confidence 1 and item 1 with confidence 0.05."""
    dense = np.zeros((200, 6), dtype=np.float32)
    dense[:, 0], dense[:, 1] = 1.0, 0.05
    model = MF(n_factors=4, n_epochs=10, random_state=1).fit(sp.csr_array(dense))
    bias = model.item_bias_.numpy()
    assert bias[0] > bias[1] + 0.5


def test_the_weight_of_empty_cells_is_balanced():
    """By default all empty cells together weigh `balance` times what the filled ones do."""
    X = matrix()
    for balance in (5.0, 2.0):
        model = IALS(n_factors=2, n_epochs=1, balance=balance).fit(X)
        assert model.alpha0_ * X.shape[0] * X.shape[1] == pytest.approx(balance * X.sum())
    assert (
        IALS().balance == 5.0 and IALS(alpha0=0.25, n_factors=2, n_epochs=1).fit(X).alpha0_ == 0.25
    )


def test_a_users_vector_is_that_of_dense_least_squares():
    """Weights c and alpha0 on filled and all cells, and a penalty that grows with what is known:
    normal equations, written out."""
    X, Y = matrix(2).toarray() * 0.5, torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    alpha0, reg = 0.2, 0.3
    found = solve(as_matrix(X), Y, alpha0, reg).numpy()
    V = Y.numpy().astype(float)
    for row, vector in zip(X, found):
        A = V.T @ np.diag(row + alpha0) @ V + reg * (row.sum() + alpha0 * 20) * np.eye(3)
        assert np.allclose(vector, np.linalg.solve(A, V.T @ row), atol=1e-5)


def test_no_item_speaks_for_itself():
    """Steck (2019): B = I - P / diag(P) with P = (X'X + λ I)^-1, so the diagonal is 0."""
    X = matrix(3)
    model, dense = EASE(reg=4.0).fit(X), X.toarray().astype(float)
    P = np.linalg.inv(dense.T @ dense + 4.0 * np.eye(20))
    formula = np.eye(20) - P / np.diag(P)
    assert (
        np.allclose(model.weights_.numpy(), formula, atol=1e-4)
        and not model.weights_.numpy().diagonal().any()
    )


def test_a_blend_weighs_scores_by_their_spread():
    """A model with scores in thousands does not outweigh one with scores in tenths."""
    X = matrix(4)
    one, two = IALS(n_factors=4, n_epochs=3).fit(X), EASE().fit(X)
    two.weights_ *= 1000
    scores = [model.score(range(60), np.tile(np.arange(20), (60, 1))) for model in (one, two)]
    mixed = sum(
        share * part / part.std(1, ddof=1, keepdims=True) for share, part in zip((0.6, 0.4), scores)
    )
    assert np.allclose(
        Blend(one, two, 0.4).score(range(60), np.tile(np.arange(20), (60, 1))), mixed, atol=1e-3
    )


def test_what_was_only_looked_at_may_be_recommended():
    events = log(
        ("a", 1, "buy"),
        ("a", 2, "view"),
        ("b", 2, "buy"),
        ("b", 3, "buy"),
        ("b", 1, "buy"),
        ("c", 3, "view"),
    )
    model = EventRecommender(EASE(), {"view": 0.3, "buy": 1.0}).fit(events)
    items, scores = model.recommend(["a", "b", "c"], 3)
    assert {
        user: set(row[score > -np.inf].tolist()) for user, row, score in zip("abc", items, scores)
    } == {"a": {2, 3}, "b": set(), "c": {1, 2, 3}}


def test_a_search_takes_the_mean_over_its_folds():
    """As many fits for each setting as there are folds, and their spread beside the mean."""
    rng = np.random.default_rng(0)
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, 600),
            "item_id": rng.integers(0, 12, 600),
            "action": "buy",
            "ts": np.arange(600) * 3600,
        }
    )
    fits = []

    class Counted(EASE):
        def fit(self, X):
            fits.append(self.reg)
            return super().fit(X)

    found = search(Counted, {"reg": [1.0, 50.0]}, events, folds=3, new_only=False)
    assert (
        sorted(fits) == [1.0] * 3 + [50.0] * 3
        and found["sd"].notna().all()
        and found["value"].between(0, 1).all()
    )


def test_customers_are_classed_as_they_were_at_the_cut():
    """Thirty bought before the last fifth of the log and in it; 25 bought nothing until then, so
    they had no class at the cut."""
    old = [
        (user, item, day)
        for user in range(30)
        for item, day in ((user % 5, user / 2), ((user + 1) % 5, 90 + user / 10))
    ]
    new = [(user, user % 5, 95) for user in range(100, 125)]
    events = pd.DataFrame([*old, *new], columns=["user_id", "item_id", "day"])
    events = events.assign(
        action="buy", ts=(1_700_000_000 + 86_400 * events["day"]).astype(int), quantity=1, price=100
    )
    model = EventRecommender(IALS(n_factors=2, n_epochs=2), mf.WEIGHTS)
    table, cut = mf.class_hits(events, model, "Asia/Shanghai")
    assert (
        events.loc[events["day"] < 20, "ts"].max()
        < cut
        <= events.loc[events["day"] >= 90, "ts"].min()
    )
    counts = table.set_index("class_en")["customers"]
    assert counts["all"] == 55 and counts["not yet customers"] == 25


def test_lists_of_best_sellers_hold_nothing_that_is_sold_out():
    events = log(
        ("a", 1, "buy"),
        ("b", 1, "buy"),
        ("c", 1, "buy"),
        ("b", 2, "buy"),
        ("c", 2, "buy"),
        ("c", 3, "buy"),
        ("a", 4, "buy"),
    )
    products = pd.DataFrame({"item_id": [1, 2, 3, 4], "title": list("wxyz"), "stock": [0, 0, 7, 3]})
    people = pd.DataFrame({"user_id": ["a", "b"], "class_en": "x", "class_zh": "x"})
    table = mf.lists(Shop(events, products), events, MostPopular(), people, k=2)
    assert table[["user_id", "place", "item_id", "title"]].values.tolist() == [
        ["a", 1, 3, "y"],
        ["b", 1, 3, "y"],
        ["b", 2, 4, "z"],
    ]
