"""Odd input to every public function of chapters 00 to 05 and 10: an answer that is finite, or an
error that says what to change.
"""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from segtutorial.clean import clean, normalize_text, scaler
from segtutorial.clean.returns import net_returns
from segtutorial.clean.rules import schema, typed
from segtutorial.core.errors import ShopError
from segtutorial.core.tables import Shop
from segtutorial.features import (
    attributes,
    buyers_by_attribute,
    catalogue_gaps,
    distinct,
    item_features,
    near_copies,
    quarters,
    rfm,
    sessions,
    user_features,
)
from segtutorial.features import (
    events as events_of,
)
from segtutorial.features.items import index_of, title_words
from segtutorial.metrics import (
    ItemKNN,
    MostPopular,
    auc,
    average_precision,
    bootstrap,
    calibration,
    calibration_error,
    coverage,
    evaluate,
    exposure,
    gini,
    hit_rate,
    holm,
    leaks,
    leave_one_out,
    lift,
    mae,
    ndcg,
    novelty,
    paired_bootstrap,
    precision,
    ranked_hits,
    recall,
    reciprocal_rank,
    relevance_mask,
    rmse,
    rolling_origin,
    satisfaction,
    split_at_random,
    split_by_time,
    user_metrics,
    wilson,
)
from segtutorial.mf.ease import EASE, Blend
from segtutorial.mf.factors import leave_one_out_metrics
from segtutorial.mf.ials import IALS
from segtutorial.mf.matrix import LARGEST, Interactions, as_matrix
from segtutorial.mf.sgd import MF, find_rate
from segtutorial.mf.topk import top_k
from segtutorial.mf.tuning import EventRecommender, search
from segtutorial.sentiment.classifiers import NgramSVM, text_folds
from segtutorial.sentiment.classifiers import distinct as distinct_texts
from segtutorial.sentiment.ensemble import SentimentModel
from segtutorial.sentiment.lexicon import grow
from segtutorial.sentiment.negation import held_lines
from segtutorial.sentiment.opinions import contradictions, over_time, sentiment_of, shrunken_means
from segtutorial.simulation.corruption import add_dirt
from segtutorial.simulation.log import popular_page
from segtutorial.simulation.market import draw_products, draw_users
from segtutorial.simulation.simulator import counterfactual, outcomes, simulate_shop
from segtutorial.text import ItemText, UserText
from segtutorial.text.keywords import log_odds
from segtutorial.text.skipgram import SkipGram
from segtutorial.text.streaming import map_texts, read_texts
from segtutorial.text.vectors import Vectorizer

HOUR = 3600
ODD = [
    None,
    True,
    False,
    -1,
    0,
    1,
    2,
    2.5,
    5.0,
    "5",
    "",
    math.nan,
    math.inf,
    -math.inf,
    1e38,
    -1e38,
    10**9,
    2**62,
    -(2**62),
    10**30,
    np.int64(3),
    np.float32(0.5),
    np.bool_(True),
    pd.NA,
    pd.NaT,
    [],
    [1],
    {},
    (),
    "buy",
    b"buy",
    object(),
]
odd = st.sampled_from(ODD)
odd_columns = st.sampled_from(
    [
        [],
        [None],
        ["a", "b"],
        [1, 2, 3],
        [0.5, math.nan],
        [math.inf],
        [-1],
        [2**62],
        [-(2**62)],
        [1e38],
        [[1], [2, 3]],
        [True],
        [[]],
        np.array([], dtype=int),
        np.array([[1, 2]]),
        np.array(["a"]),
        pd.Series([1, pd.NA], dtype="Int64"),
        None,
        5,
        "ab",
        {},
    ]
)


def finite(value):
    """Whether an answer holds only numbers that mean something: no infinity, and nan only as the
    null of a table.
    """
    if isinstance(value, float | np.floating):
        return not math.isinf(value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return not np.isposinf(value).any()
    if isinstance(value, pd.DataFrame):
        return all(
            finite(value[name].to_numpy()) for name in value if value[name].dtype.kind == "f"
        )
    if isinstance(value, tuple):
        return all(map(finite, value))
    return True


def said(call, *arguments, **named):
    """What a call gives, None where it refused with words; any other error is a fault."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = call(*arguments, **named)
    except ValueError as error:  # ShopError is one
        assert len(str(error)) > 15, repr(error)
        assert isinstance(error, ShopError), f"not ours: {error!r}"
        return None
    assert finite(answer), answer
    return answer


def must_say(call, *arguments, **named):
    with pytest.raises(ShopError) as error:
        call(*arguments, **named)
    return str(error.value)


# tables


def small_log(seed=0, n=240, users=15, items=12):
    rng = np.random.default_rng(seed)
    action = rng.choice(["view", "cart", "buy", "return"], n, p=[0.4, 0.15, 0.42, 0.03])
    trade = np.isin(action, ["buy", "return"])
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, users, n),
            "item_id": rng.integers(0, items, n),
            "action": action,
            "ts": 1_718_683_200 + np.sort(rng.integers(0, 90 * 24, n)) * HOUR,
            "quantity": pd.array(np.where(trade, 1, None), "Int64"),
            "price": pd.array(np.where(trade, 990, None), "Int64"),
            "order_id": pd.array(np.where(trade, np.arange(n) // 2, None), "Int64"),
        }
    )


CELLS = [None, math.nan, math.inf, -1, 0, 1e38, 2**62, -(2**62), "x", b"x", [1], True, 2.5, pd.NA]


@st.composite
def odd_logs(draw):
    """The small log with one thing wrong with it, or two."""
    log = small_log(draw(st.integers(0, 3)), draw(st.sampled_from([1, 2, 30, 120])))
    for _ in range(draw(st.integers(1, 2))):
        spoil = draw(
            st.sampled_from(
                [
                    "cell",
                    "cell",
                    "cell",
                    "column",
                    "drop",
                    "double",
                    "rows",
                    "empty",
                    "text",
                    "index",
                    "float",
                ]
            )
        )
        name = draw(st.sampled_from(list(log.columns) or ["ts"]))
        if name not in log or not len(log):
            continue
        if spoil == "cell":
            values = log[name].astype(object)
            values.iloc[draw(st.integers(0, len(log) - 1))] = (
                draw(st.sampled_from(CELLS)) if True else None
            )
            log = log.assign(**{name: pd.Series(list(values), dtype=object, index=log.index)})
            log[name] = log[name].infer_objects()
        elif spoil == "column":
            cell = draw(st.sampled_from(CELLS))
            log[name] = pd.Series([cell] * len(log), index=log.index)
        elif spoil == "drop":
            log = log.drop(columns=name)
        elif spoil == "double":
            log = pd.concat([log, log[[name]]], axis=1)
            return log
        elif spoil == "rows":
            log = pd.concat([log, log])
        elif spoil == "empty":
            log = log.head(0)
        elif spoil == "text":
            log[name] = log[name].astype(str)
        elif spoil == "index":
            log.index = range(len(log), 0, -1)
        elif spoil == "float" and name in ("user_id", "item_id", "ts"):
            log[name] = pd.to_numeric(log[name], errors="coerce").astype(float)
    return log


odd_events = st.one_of(
    odd_logs(), st.sampled_from([None, 5, "log", [], {}, pd.DataFrame(), pd.Series([1, 2])])
)


@pytest.fixture(scope="module")
def log():
    return small_log()


# chapter 10: matrices


@st.composite
def odd_matrices(draw):
    """Users x items in many forms, with cells that may be anything."""
    n, m = draw(st.integers(1, 8)), draw(st.integers(1, 8))
    dense = np.array(
        draw(
            st.lists(
                st.sampled_from(
                    [
                        0,
                        0,
                        0,
                        1,
                        0.3,
                        5,
                        1e6,
                        LARGEST,
                        1e13,
                        1e38,
                        1e300,
                        -1,
                        math.nan,
                        math.inf,
                        1e-40,
                        1e-300,
                    ]
                ),
                min_size=n * m,
                max_size=n * m,
            )
        )
    ).reshape(n, m)
    form = draw(
        st.sampled_from(
            [
                "dense",
                "csr",
                "coo",
                "csc",
                "lil",
                "zeros",
                "twice",
                "int",
                "bool",
                "text",
                "object",
                "frame",
                "list",
                "none",
                "flat",
                "wide",
                "complex",
            ]
        )
    )
    return {
        "dense": lambda: dense,
        "csr": lambda: sp.csr_array(dense),
        "coo": lambda: sp.coo_matrix(dense),
        "csc": lambda: sp.csc_array(dense),
        "lil": lambda: sp.lil_array(dense),
        "zeros": lambda: sp.csr_array(
            (dense.ravel(), (np.repeat(np.arange(n), m), np.tile(np.arange(m), n))), shape=(n, m)
        ),
        "twice": lambda: sp.coo_array(
            (
                np.tile(dense.ravel(), 2),
                (np.tile(np.repeat(np.arange(n), m), 2), np.tile(np.arange(m), 2 * n)),
            ),
            shape=(n, m),
        ),
        "int": lambda: np.nan_to_num(dense, posinf=2, neginf=-2).clip(-5, 2**40).astype(np.int64),
        "bool": lambda: dense > 0,
        "text": lambda: dense.astype(str),
        "object": lambda: dense.astype(object),
        "frame": lambda: pd.DataFrame(dense),
        "list": lambda: dense.tolist(),
        "none": lambda: None,
        "flat": lambda: dense.ravel(),
        "wide": lambda: np.ones((0, m)),
        "complex": lambda: dense.astype(complex),
    }[form]()


FITS = {
    "IALS": lambda: IALS(n_factors=2, n_epochs=2),
    "exact": lambda: IALS(n_factors=2, n_epochs=2, solver="exact"),
    "EASE": EASE,
    "MF": lambda: MF(n_factors=2, n_epochs=2),
    "ratings": lambda: MF(n_factors=2, n_epochs=2, loss="squared"),
}
fits = pytest.mark.parametrize("name", FITS)


@fits
@given(X=odd_matrices())
def test_any_matrix_gives_a_model_of_finite_numbers_or_words(name, X):
    model = said(FITS[name]().fit, X)
    if model is not None:
        columns, scores = model.recommend(range(model.n_users_), 3)
        assert np.isfinite(scores).all() and columns.max() < model.n_items_
        assert bool(np.isfinite(model.fold_in(as_matrix(X)).cpu().numpy()).all())


@fits
@pytest.mark.parametrize("cell", [1e13, 1e38, 1e300, math.inf, math.nan, -1e-9])
def test_a_cell_beyond_what_can_be_summed_is_named(name, cell):
    X = np.eye(4)
    X[1, 2] = cell
    assert "row 1, column 2" in must_say(FITS[name]().fit, X)


@fits
def test_the_largest_cell_is_learned_from(name):
    X = np.eye(4) + np.ones((4, 4))
    model = FITS[name]()
    said(model.fit, X * LARGEST / 2)


PARAMETERS = [
    (kind, name)
    for kind in (IALS, MF, EASE)
    for name in kind().get_params()
    if name not in ("progress", "log_dir")
]


@pytest.mark.parametrize(
    "kind, name", PARAMETERS, ids=lambda value: getattr(value, "__name__", value)
)
def test_any_parameter_of_a_model_is_used_or_refused(kind, name):
    X = np.ones((5, 4)) - np.eye(5, 4)
    for value in [*ODD, "cuda:7", "meta", "squared", "exact", "bf16"]:
        if name in ("n_epochs", "n_steps", "negatives", "patience") and whole(value, 10**6):
            must_say(kind(**{name: value}).fit, X)
            continue
        made = {"n_factors": 2, "n_epochs": 1} if kind is not EASE else {}
        model = said(kind(**made | {name: value}).fit, X)
        if model is not None:
            assert np.isfinite(model.recommend([0, 1], 3)[1]).all(), (name, value)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(0)
    X = sp.csr_array((rng.random((9, 7)) < 0.4).astype(np.float32))
    models = [
        IALS(n_factors=3, n_epochs=2).fit(X),
        EASE().fit(X),
        MF(n_factors=3, n_epochs=2).fit(X),
    ]
    return X, [*models, Blend(models[0], models[1])]


def whole(value, least=1, most=2**63 - 1):
    return (
        isinstance(value, int | np.integer)
        and not isinstance(value, bool)
        and least <= value <= most
    )


def test_k_is_a_whole_number_from_1(fitted, log):
    """Whatever else is asked, also of nobody: recommend([], k=-1) is a mistake."""
    X, models = fitted
    calls = [
        lambda k, model=model, rows=rows: model.recommend(rows, k)
        for model in models
        for rows in ([], [0], [0, 3])
    ]
    calls += [lambda k, model=model: model.recommend_new(X[:2], k) for model in models]
    for model in (EventRecommender(IALS(n_factors=2, n_epochs=1)), MostPopular(), ItemKNN()):
        model.fit(log)
        calls += [
            lambda k, model=model, rows=rows: model.recommend(rows, k)
            for rows in ([], [0], [1, "nobody"])
        ]
    for call in calls:
        for value in ODD:
            if whole(value):
                items, scores = call(value)
                assert items.shape == scores.shape and items.shape[1] <= 12
            else:
                must_say(call, value)


@given(data=st.data())
def test_lists_of_fitted_models(fitted, data):
    X, models = fitted
    model = data.draw(st.sampled_from(models))
    rows, k = (
        data.draw(st.one_of(odd_columns, st.lists(st.integers(-1, 9), max_size=4))),
        data.draw(st.sampled_from([1, 3, 10**9])),
    )
    exclude = data.draw(st.sampled_from([None, X, X.toarray(), X.tocoo(), X[:3], -X, "X", 5, [1]]))
    allowed = data.draw(
        st.sampled_from(
            [
                None,
                np.ones(7, bool),
                np.zeros(7, bool),
                np.ones(7),
                np.ones(3, bool),
                [True] * 7,
                "all",
                5,
                [[1], [2, 3]],
            ]
        )
    )
    said(model.recommend, rows, k, exclude, allowed)
    said(
        model.score,
        rows,
        data.draw(
            st.sampled_from(
                [
                    np.zeros((2, 3), int),
                    np.full((1, 1), 6),
                    [[0.5, 1], [1, 2]],
                    [[1], [1, 2]],
                    None,
                    5,
                    np.full((2, 2), 2**62),
                    [["a", "b"]] * 2,
                    np.zeros((0, 0), int),
                ]
            )
        ),
    )


@given(X=odd_matrices(), n_steps=odd)
def test_folding_in_anything(fitted, X, n_steps):
    for model in fitted[1]:
        vectors = said(model.fold_in, X)
        assert vectors is None or bool(np.isfinite(vectors.numpy()).all())
    if not (whole(n_steps) and n_steps > 100):
        said(fitted[1][2].fold_in, np.ones((1, 7)), n_steps)
    said(fitted[1][0].recommend_new, X, 3)


@given(
    users=st.sampled_from(
        [
            np.ones((2, 3), np.float32),
            np.ones((2, 3)),
            np.ones((2, 2), np.float32),
            np.full((2, 3), np.nan, np.float32),
            np.full((1, 3), 1e38, np.float32),
            [[1, 2, 3]],
            None,
            "a",
            [[1], [1, 2]],
            np.ones((0, 3), np.float32),
        ]
    ),
    items=st.sampled_from(
        [
            np.ones((4, 3), np.float32),
            np.ones((0, 3), np.float32),
            np.full((4, 3), 1e38, np.float32),
            np.ones(3, np.float32),
            None,
        ]
    ),
    k=odd,
    part=odd,
)
def test_top_k_of_anything(users, items, k, part):
    for name in ("chunk", "tile", "group"):
        if not (whole(part) and part > 10**6):
            said(top_k, users, items, k, **{name: part})


@given(
    events=odd_events,
    weights=st.sampled_from(
        [
            None,
            {"buy": 1, "view": 0.3},
            {"buy": 1e38},
            {"buy": math.nan},
            {"buy": True},
            {"buy": "1"},
            {"buy": 0},
            {},
            [],
            5,
            "buy",
            {5: 1},
        ]
    ),
    how=st.sampled_from(["max", "sum", "min", None, 5]),
)
def test_a_matrix_from_any_log(events, weights, how):
    told = said(Interactions.from_events, events, weights, how)
    if told is not None:
        assert (
            told.X.shape == (len(told.user_ids), len(told.item_ids))
            and np.isfinite(told.X.data).all()
        )
        said(told.rows, events["user_id"]), said(told.columns, 5)


@given(
    users=odd_columns,
    items=odd_columns,
    weights=odd_columns,
    shape=st.sampled_from(
        [None, (3, 3), (0, 0), (-1, 2), (2**62, 2), (2.5, 1), 5, "ab", (1, 2, 3), [9, 9]]
    ),
)
def test_a_matrix_from_any_pairs(users, items, weights, shape):
    told = said(Interactions.from_pairs, users, items, shape, weights)
    assert told is None or np.isfinite(told.X.data).all()


@given(
    events=odd_events,
    ask=st.one_of(odd_columns, st.lists(st.integers(0, 20), max_size=5)),
    actions=st.sampled_from([("buy",), "buy", ["view", "buy"], (), None, 5, [5]]),
    allowed=st.one_of(st.none(), odd_columns),
)
def test_models_of_any_log(events, ask, actions, allowed):
    for model in (
        EventRecommender(IALS(n_factors=2, n_epochs=1), actions=actions),
        MostPopular(actions=actions),
        ItemKNN(actions=actions),
    ):
        if said(model.fit, events) is None:
            continue
        said(model.recommend, ask, 3)
        if isinstance(model, EventRecommender):
            said(model.recommend, ask, 3, allowed=allowed)


@pytest.mark.parametrize(
    "name",
    [
        "make",
        "grid",
        "events",
        "weights",
        "folds",
        "days",
        "actions",
        "k",
        "metric",
        "draws",
        "patience",
        "users",
        "random_state",
    ],
)
def test_search_with_any_argument(name, log):
    usual = dict(make=IALS, grid={"n_factors": [2], "n_epochs": [2]}, events=log, folds=1)
    for value in [*ODD, {"reg": "abc"}, {"reg": 5}, "coverage", "novelty", "recall"]:
        said(search, **usual | {name: value})


@pytest.mark.parametrize("name", ["low", "high", "n_steps"])
def test_find_rate_with_any_argument(name):
    for value in ODD:
        found = said(
            find_rate, np.ones((5, 4)), **{"n_steps": 5} | {name: value} | {"n_factors": 2}
        )
        assert found is None or np.isfinite(found.to_numpy(float)).all()


def test_the_item_left_out_may_be_anything(fitted):
    X, models = fitted
    for value in [
        np.zeros(9, int),
        np.zeros(8, int),
        np.full(9, 7),
        np.full(9, -1),
        np.zeros(9),
        None,
        5,
        ["a"] * 9,
        [],
    ]:
        said(leave_one_out_metrics, models[0], X, value)
        said(leave_one_out_metrics, models[0], X, np.zeros(9, int), value)
    for value in ODD:
        (
            said(leave_one_out_metrics, models[0], X, np.zeros(9, int), k=value),
            said(leave_one_out_metrics, models[0], X, np.zeros(9, int), full_k=value),
        )


# what holds of every list


@given(
    seed=st.integers(0, 10**6), k=st.integers(1, 15), users=st.lists(st.integers(0, 20), max_size=6)
)
def test_lists_hold_known_new_and_allowed_items_once_best_first(seed, k, users):
    events = small_log(seed, 120)
    had = events[events["action"] == "buy"].groupby("user_id")["item_id"].agg(set)
    allowed = {1, 3, 4, 8, 99}
    for model, options in (
        (EventRecommender(IALS(n_factors=2, n_epochs=1)), {"allowed": allowed}),
        (EventRecommender(EASE()), {}),
        (MostPopular(), {}),
        (ItemKNN(), {}),
    ):
        items, scores = model.fit(events).recommend(users, k, **options)
        assert (
            items.shape == scores.shape
            and len(items) == len(users)
            and (np.diff(scores, axis=1)[np.isfinite(scores[:, 1:])] <= 0).all()
        )
        for user, row, value in zip(users, items, scores):
            listed = set(row[value > -np.inf])
            assert (
                len(listed) == (value > -np.inf).sum()
                and listed <= set(events["item_id"])
                and not listed & had.get(user, set())
            )
            assert "allowed" not in options or listed <= allowed


# chapter 03: splits and metrics

SPLITS = {
    "split_by_time": (split_by_time, ["at", "share", "days", "actions", "new_only", "timezone"]),
    "rolling_origin": (rolling_origin, ["folds", "days", "actions", "new_only", "timezone"]),
    "leave_one_out": (leave_one_out, ["actions", "new_only"]),
    "split_at_random": (split_at_random, ["share", "actions", "new_only", "random_state"]),
}


@pytest.mark.parametrize("name", SPLITS)
@given(events=odd_events)
def test_any_log_is_split_or_refused(name, events):
    split = said(SPLITS[name][0], events)
    for one in split if isinstance(split, list) else [split]:
        if one is not None:
            assert (
                len(one.train)
                and len(one.test)
                and not one.test.duplicated(["user_id", "item_id"]).any()
            )


@pytest.mark.parametrize(
    "name, argument",
    [(name, argument) for name, (_, arguments) in SPLITS.items() for argument in arguments],
)
def test_any_argument_of_a_split(name, argument, log):
    for value in (
        [*ODD, "2024-07-20", "Mars/Olympus", ["view", "buy"], 1e-9]
        if argument != "new_only"
        else [True, False, 1, None]
    ):
        said(SPLITS[name][0], log, **{argument: value})


@given(
    events=odd_events,
    as_of=st.sampled_from(
        [None, -1, 2**40, -(2**62), 1_722_000_000, "2024-07-20", "July", 2.5, True, math.nan]
    ),
)
def test_satisfaction_of_any_log(events, as_of):
    for reviews in (None, small_log().assign(rating=5), pd.DataFrame(), 5):
        said(satisfaction, Shop(events, reviews=reviews), as_of)


@pytest.mark.parametrize("argument", ["days", "settle_days", "level", "random_state"])
def test_any_argument_of_satisfaction(argument, log):
    for value in ODD:
        said(satisfaction, Shop(log), "2024-08-20", **{argument: value})


class Listed:
    """A model whose lists are given."""

    def __init__(self, answer):
        self.answer = answer

    def recommend(self, user_ids, k):
        return self.answer


@pytest.mark.parametrize(
    "argument", ["model", "split", "k", "metrics", "against", "n", "level", "random_state"]
)
def test_any_argument_of_evaluate(argument, log):
    usual = dict(model=MostPopular(), split=split_by_time(log), n=20)
    answers = [
        None,
        5,
        ([], []),
        ([[1]], [[math.nan]]),
        ([[1]], [["a"]]),
        (np.ones((2, 2), int), np.ones((2, 2))),
        "ab",
    ]
    for value in [*ODD, ["coverage"], ["ndcg", "gini"], *map(Listed, answers)]:
        if not (argument == "n" and whole(value, 10**4)):
            said(
                evaluate,
                **usual | {argument: value},
                **({"fit": False} if isinstance(value, Listed) else {}),
            )
        if argument in ("model", "split", "k", "metrics"):
            said(
                user_metrics,
                **{
                    name: given
                    for name, given in (usual | {argument: value}).items()
                    if name != "n"
                },
                fit=not isinstance(value, Listed),
            )


odd_lists = st.one_of(
    odd_columns,
    st.sampled_from(
        [
            np.zeros((2, 3), int),
            np.array([[0, 1], [1, 2]]),
            np.array([[-1, -1]]),
            np.array([[-2, 5]]),
            np.array([[0, 0]]),
            np.array([[0.5, 1]]),
            np.zeros((0, 2)),
            np.array([[2**62, 1]]),
            [[0, 1], [1]],
            [["a", "b"]],
            np.array([[0, 1]], dtype=bool),
            np.array([[math.nan, 1], [1, 0]]),
            np.array([[1e38, -math.inf], [2, 1]]),
        ]
    ),
)
METRIC = [hit_rate, precision, recall, ndcg, average_precision, reciprocal_rank]


@given(hit=odd_lists, n_relevant=odd_columns, k=odd, metric=st.sampled_from(METRIC))
def test_a_metric_of_anything_is_between_0_and_1_or_nan(hit, n_relevant, k, metric):
    for asked in (n_relevant, [1] * len(hit) if hasattr(hit, "__len__") else 1):
        value = said(metric, hit, asked, k)
        assert (
            value is None or np.isnan(value).all() or 0 <= np.nanmin(value) <= np.nanmax(value) <= 1
        )


@given(
    rows=st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=6),
    more=st.integers(0, 5),
    k=st.sampled_from([1, 2, 4, 7, 10**9, 2**62]),
)
def test_metrics_of_hits_lie_in_0_to_1_whatever_k(rows, more, k):
    """Places behind the list are empty: they take no memory, and give no hit."""
    hit = np.array(rows)
    n = hit.sum(axis=1) + more
    for metric in METRIC:
        value = metric(hit, n, k)
        assert (
            (np.isnan(value) == (n == 0)).all()
            and (n == 0).all()
            or 0 <= np.nanmin(value) <= np.nanmax(value) <= 1 + 1e-12
        )


@given(
    items=odd_lists,
    scores=odd_lists,
    relevant=st.one_of(odd_matrices(), st.just(sp.csr_array(np.eye(2, 3)))),
    k=odd,
    counts=odd_columns,
    n=odd,
)
def test_lists_of_anything(items, scores, relevant, k, counts, n):
    (
        said(relevance_mask, items, relevant, scores),
        said(relevance_mask, items, relevant),
        said(ranked_hits, scores, items, k),
    )
    if not whole(n, 10**7):
        said(exposure, items, n), said(coverage, items, n)
    said(novelty, items, counts, n), said(gini, counts)
    said(relevance_mask, np.zeros((2, 1), int), np.eye(2, 3), chunk=k)


@given(
    a=odd_columns,
    b=odd_columns,
    n=st.sampled_from([v for v in ODD if not whole(v, 10**4, 10**6)]),
    level=odd,
)
def test_figures_of_any_columns(a, b, n, level):
    for call in (rmse, mae, auc, calibration, lift, wilson):
        said(call, a, b)
    (
        said(wilson, a, b, level),
        said(calibration, [0, 1], [0.2, 0.8], n),
        said(lift, [0, 1, 1], [0.2, 0.3, 0.8], n),
    )
    said(calibration, [0, 1], [0.2, 0.8], 2, level)
    (
        said(bootstrap, np.mean, a, n=20),
        said(bootstrap, np.mean, [1.0, 2.0], n=n, level=0.9),
        said(bootstrap, np.mean, [1.0, 2.0], n=20, level=level),
        said(bootstrap, level, [1.0, 2.0]),
    )
    said(bootstrap, lambda x, y: float(np.sum(x)), a, b, n=5)
    (
        said(paired_bootstrap, a, b, n=20),
        said(paired_bootstrap, [1, 2, 3], [2, 2, 2], n, level),
        said(paired_bootstrap, [1, 2], [2, 3], 20, random_state=n),
    )
    (
        said(holm, a),
        said(leaks, a),
        said(calibration_error, a),
        said(calibration_error, pd.DataFrame({"predicted": [0.1], "observed": [0.2], "n": [1]})),
    )


# chapters 01 and 02


@given(
    events=odd_events, timezone=st.sampled_from(["Asia/Shanghai", "UTC", "Mars/Olympus", None, 8])
)
def test_any_log_is_cleaned_or_refused(events, timezone):
    products = pd.DataFrame(
        {"item_id": range(9), "title": "茶", "category": "a", "brand": "b", "price": 990}
    )
    for goods in (None, products):
        done = said(clean, Shop(events, goods, timezone=timezone))
        if done is not None:
            assert (
                done.balance["read"] == done.balance["kept"] + done.balance["rejected"]
            ).all() and done.shop.behaviors["ts"].between(0, 2**33).all()


@pytest.mark.parametrize(
    "argument",
    [
        "opened",
        "now",
        "guests",
        "zero_price",
        "unknown_items",
        "duplicates",
        "orphan_returns",
        "not_items",
        "price_factor",
        "bot_views_per_day",
    ],
)
def test_any_argument_of_clean(argument, log):
    for value in [*ODD, "2024-05-01", "keep"]:
        said(clean, Shop(log), **{argument: value})


@given(events=odd_events, scaled=odd_columns)
def test_the_parts_of_clean(events, scaled):
    (
        said(net_returns, events),
        said(typed, "behaviors", events),
        said(normalize_text, scaled),
        said(scaler, scaled),
        said(clean, events),
    )
    for name in ("behaviors", "orders", 5):
        said(schema, name, 0, 2**33), said(schema, "behaviors", 2**62, -(2**62))


@st.composite
def odd_products(draw):
    goods = pd.DataFrame(
        {
            "item_id": range(12),
            "title": ["茶 杯", "壶"] * 6,
            "category": list("aabbccaabbcc"),
            "brand": "b",
            "price": 990,
            "cost": 500,
            "stock": 3,
            "listed_at": 1_700_000_000,
        }
    )
    for _ in range(draw(st.integers(0, 2))):
        name, cell = draw(st.sampled_from(list(goods))), draw(st.sampled_from(CELLS))
        if draw(st.booleans()):
            values = goods[name].astype(object)
            values.iloc[3] = cell
            goods[name] = pd.Series(list(values), dtype=object).infer_objects()
        else:
            goods = draw(
                st.sampled_from(
                    [
                        goods.drop(columns=name),
                        goods.head(0),
                        pd.concat([goods, goods]),
                        goods.assign(**{name: goods[name].astype(str)}),
                    ]
                )
            )
            break
    return draw(st.sampled_from([goods, goods, goods, goods, None, 5]))


TABLES = [user_features, item_features, buyers_by_attribute, catalogue_gaps, attributes]


@given(
    events=odd_events,
    goods=odd_products(),
    as_of=st.sampled_from(
        ["2024-09-01", "2024-09-01", 1_722_000_000, None, -(2**62), 2**40, 2.5, True]
    ),
    call=st.sampled_from(TABLES),
)
def test_features_of_any_shop(events, goods, as_of, call):
    said(call, Shop(events, goods), as_of)
    said(rfm, events, as_of)


@given(events=odd_logs(), goods=odd_products())
def test_features_of_any_shop_of_polars(events, goods):
    import polars as pl

    try:
        shop = Shop(
            *(table if table is None else pl.from_pandas(table) for table in (events, goods))
        )
    except Exception:  # such a table cannot be in Polars
        return
    said(item_features, shop, "2024-09-01"), said(rfm, shop.behaviors, "2024-09-01")


@pytest.mark.parametrize("argument", ["users", "categories"])
def test_any_argument_of_user_features(argument, log):
    goods = pd.DataFrame({"item_id": range(12), "category": list("aabbccaabbcc")})
    for value in [
        None,
        True,
        5,
        2.5,
        "a",
        [],
        {},
        object(),
        ["a", "b"],
        ["a", "a"],
        [None],
        [1, "a"],
        [[1]],
        np.array([1.0, 2.5]),
        pd.DataFrame({"user_id": ["a"]}),
        pd.DataFrame({"x": [1]}),
        pd.Series(["a"]),
        {1, 2},
    ]:
        said(user_features, Shop(log, goods), "2024-09-01", **{argument: value})


def test_any_argument_of_the_other_tables(log):
    shop = Shop(
        log,
        pd.DataFrame(
            {"item_id": range(12), "title": "茶 杯", "category": list("aabbccaabbcc"), "brand": "b"}
        ),
    )
    frame = pd.DataFrame({"a": [1, 2, 3.0], "b": [2, 4, 6.0]})
    for value in [
        None,
        True,
        -1,
        2,
        2.5,
        "5",
        math.nan,
        2**62,
        pd.NA,
        [],
        object(),
        pd.DataFrame({"a": ["x"]}),
        pd.DataFrame({"a": [[1]]}),
        pd.DataFrame({"a": [math.inf, 1, 2], "b": [1, 2, 3]}),
        pd.concat([frame, frame], axis=1),
    ]:
        (
            said(attributes, shop, None, value),
            said(buyers_by_attribute, shop, None, value),
            said(buyers_by_attribute, shop, groups=value),
            said(near_copies, value),
            said(near_copies, frame, value),
            said(distinct, value),
        )
        (
            said(catalogue_gaps, value),
            said(user_features, value, 0),
            said(title_words, value),
            said(title_words, shop.products, value),
            said(index_of, value),
        )
        (
            said(rfm, log, "2024-09-01", value),
            said(events_of, log, value),
            said(sessions, quarters(log), value),
        )


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_rows_and_their_index_change_no_feature(seed):
    log = small_log(seed, 60)
    mixed = log.sample(frac=1, random_state=seed)
    mixed.index = np.arange(len(log)) * 7
    for call in (user_features, item_features):
        pd.testing.assert_frame_equal(
            call(Shop(log), "2024-09-01"), call(Shop(mixed), "2024-09-01")
        )


def test_large_cents_and_pieces_do_not_wrap_around():
    """2**38 pieces at 2**30 cents are 2**68 cents, more than an int64 holds."""
    log = small_log().assign(
        quantity=pd.array([2**38] * 240, "Int64"), price=pd.array([2**30] * 240, "Int64")
    )
    bought = log[log["action"] == "buy"].groupby("user_id").size()
    table = user_features(Shop(log), "2024-12-01").set_index("user_id")["monetary"]
    assert np.allclose(table[bought.index], bought * 2.0**68)
    goods = pd.DataFrame({"item_id": range(12), "price": 2**40})
    assert np.allclose(
        item_features(Shop(log, goods), "2024-12-01")["money"].sum(), bought.sum() * 2.0**68
    )


# chapter 00: the simulator


@pytest.mark.parametrize(
    "argument", ["n_users", "n_items", "days", "random_state", "policy", "dirt", "impressions"]
)
def test_any_argument_of_the_simulator(argument):
    for value in ODD if argument != "impressions" else [True, False, 1, None]:
        made = said(simulate_shop, **{"n_users": 5, "n_items": 4, "days": 6} | {argument: value})
        if argument != "policy" and made is not None:
            assert len(made.products) >= 1 and np.isfinite(made.behaviors["ts"]).all()


def test_any_argument_of_the_other_simulators(log):
    shop = simulate_shop(5, 4, 6)
    for value in [*ODD, shop, Shop(log), {"popular": None}, {"odd": 5}]:
        said(outcomes, value), said(counterfactual, value, n_users=4, n_items=3, days=3)
        for name in ("n_users", "days", "random_state"):
            said(draw_users, **{"n_users": 3} | {name: value})
        for name in ("n_items", "days", "random_state"):
            said(draw_products, **{"n_items": 3} | {name: value})
        said(add_dirt, shop, value), said(add_dirt, shop, 0.1, value)


def test_any_question_to_the_log_of_a_shop():
    def policy(day, user_ids, log):
        for value in ODD:
            said(log.recent, value), said(log.counts, "view", value), said(log.counts, value, 3)
            if not whole(value, 10**6):
                said(popular_page, day, user_ids, log, value)
            said(popular_page, day, user_ids, log, 6, value)
        return popular_page(day, user_ids, log)

    simulate_shop(10, 5, 3, policy=policy)


# chapters 04 and 05: texts

TEXTS = ["质量很好，物流很快", "太差了，退货", "一般", "客服不理人", "很喜欢这个颜色"] * 3
odd_texts = st.one_of(
    odd_columns,
    st.sampled_from(
        [
            TEXTS,
            ["", None, math.nan],
            [b"x"],
            ["😀", "\ud800"],
            [["很", "好"], ["差"]],
            [["很", 5]],
            [[1, 2]],
            "很好",
            pd.Series(["好", pd.NA]),
        ]
    ),
)
LABELS = [1, 0, 1, 0, 1] * 3


@given(texts=odd_texts, labels=odd_columns, value=odd)
def test_models_of_any_texts(texts, labels, value):
    for call in (
        Vectorizer().fit_transform,
        Vectorizer("hashing").transform,
        SkipGram(epochs=1, min_count=1, n_dims=2).fit,
        NgramSVM().decision_function,
    ):
        said(call, texts)
    for given_labels in (labels, LABELS):
        (
            said(NgramSVM(bits=8).fit, texts, given_labels),
            said(distinct_texts, texts, given_labels),
            said(SentimentModel(epochs=0, expert=False).fit, texts, given_labels),
        )
    (
        said(NgramSVM(bits=8).fit, TEXTS, LABELS, labels),
        said(shrunken_means, labels, texts),
        said(shrunken_means, [0.1, 0.9], ["a", "b"], value),
        said(log_odds, texts, labels),
        said(log_odds, [["好"], ["差", "很"]], texts),
    )


@pytest.mark.parametrize(
    "kind, argument",
    [
        (Vectorizer, "method"),
        (Vectorizer, "unit"),
        (Vectorizer, "ngrams"),
        (Vectorizer, "max_features"),
        (NgramSVM, "longest"),
        (NgramSVM, "bits"),
        (NgramSVM, "C"),
        *(
            (SkipGram, name)
            for name in (
                "n_dims",
                "window",
                "negatives",
                "epochs",
                "min_count",
                "subsampling",
                "learning_rate",
                "batch",
                "random_state",
            )
        ),
        *(
            (SentimentModel, name)
            for name in ("epochs", "rate", "held", "teach", "turned", "sure", "random_state")
        ),
    ],
    ids=str,
)
def test_any_parameter_of_a_model_of_texts(kind, argument):
    small = {
        Vectorizer: {},
        NgramSVM: {"bits": 8},
        SkipGram: {"epochs": 1, "min_count": 1, "n_dims": 2},
        SentimentModel: {"epochs": 0, "expert": False},
    }[kind]
    words = [list(text) for text in TEXTS]
    for value in [*ODD, (1, 2), (2, 1), ["1", 2], "chars"]:
        if not (argument == "epochs" and whole(value, 1000)):
            said(
                kind(**small | {argument: value}).fit,
                words if kind is SkipGram else TEXTS,
                *([LABELS] if kind in (NgramSVM, SentimentModel) else []),
            )


@pytest.mark.parametrize("argument", ["strength", "min_count", "level", "variance"])
def test_any_argument_of_log_odds(argument):
    for value in ODD:
        said(
            log_odds, [["好", "很"], ["好"]], [["差", "很"]], **{"min_count": 1} | {argument: value}
        )


def test_any_argument_of_the_streams_and_folds(tmp_path):
    (tmp_path / "a.csv").write_text("text\n好\n", encoding="utf-8")
    for value in ODD:
        if not whole(value, 100):
            said(
                lambda: (
                    list(map_texts(len, TEXTS, batch=2, workers=value, progress=False))
                    if not whole(value, 2)
                    else None
                )
            )
        said(lambda: list(map_texts(len, TEXTS, batch=value, workers=1, progress=False)))
        (
            said(lambda: list(map_texts(value, TEXTS, workers=1, progress=False))),
            said(lambda: list(map_texts(len, value, workers=1, progress=False))),
        )
        (
            said(lambda: list(read_texts(tmp_path / "a.csv", value))),
            said(lambda: list(read_texts(tmp_path / "a.csv", "text", value))),
        )
        (
            said(text_folds, 9, value),
            said(text_folds, 9, 3, value),
            said(held_lines, value),
            said(grow, TEXTS, min_count=value),
            said(grow, TEXTS, threshold=value),
        )
        if not whole(value, 1000):
            said(text_folds, value, 3)


def test_reviews_may_hold_anything(log):
    reviews = pd.DataFrame(
        {
            "user_id": [1, 2, 3],
            "item_id": [1, 2, 3],
            "ts": [1_718_683_200] * 3,
            "rating": [5, 1, 3],
            "text": ["很好", "差", None],
        }
    )
    score = lambda texts: np.full(len(texts), 0.7)
    for name in reviews:
        for cell in CELLS:
            spoiled = reviews.assign(
                **{name: pd.Series([cell, *reviews[name].tolist()[1:]], dtype=object)}
            )
            shop = Shop(log, reviews=spoiled)
            for call in (sentiment_of, over_time):
                said(call, shop, score)
            said(contradictions, spoiled, score), said(contradictions, reviews, score, cell)
            (
                said(UserText(n_dims=2).fit, shop, "2024-09-01"),
                said(ItemText(n_dims=2).fit, shop, "2024-09-01"),
            )
    said(UserText(n_dims=2).fit, Shop(log), "2024-09-01"), said(UserText().transform, Shop(log), 0)
    for value in ODD:
        (
            said(UserText(n_dims=value).fit, Shop(log, reviews=reviews), "2024-09-01"),
            said(UserText(prior=value, n_dims=2).fit, Shop(log, reviews=reviews), "2024-09-01"),
        )
        (
            said(
                UserText(random_state=value, n_dims=2).fit, Shop(log, reviews=reviews), "2024-09-01"
            ),
            said(UserText().fit, value, "2024-09-01"),
        )
        (
            said(over_time, Shop(log, reviews=reviews), score, value),
            said(sentiment_of, Shop(log, reviews=reviews), score, value),
        )
    assert "row 0" in must_say(
        over_time, Shop(log, reviews=reviews.assign(ts=[-(2**62), 1, 2])), score
    )
