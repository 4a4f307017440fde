"""Matrix factorisation: what holds for any log, whatever its numbers are."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from segtutorial import mf
from segtutorial.clean import clean
from segtutorial.core.errors import ShopError
from segtutorial.core.section import Context, Picture, Table
from segtutorial.core.stages import Results
from segtutorial.metrics import MostPopular
from segtutorial.mf.ease import EASE, Blend
from segtutorial.mf.factors import leave_one_out_metrics
from segtutorial.mf.ials import IALS, _Side, solve
from segtutorial.mf.matrix import Interactions, as_matrix
from segtutorial.mf.memory import plan
from segtutorial.mf.sgd import MF, find_rate
from segtutorial.mf.stage import MFStage
from segtutorial.mf.topk import top_k
from segtutorial.mf.tuning import EventRecommender, search

ROOT = Path(__file__).resolve().parent.parent
MODELS = {
    "IALS": lambda: IALS(n_factors=8, n_epochs=4),
    "EASE": EASE,
    "MF": lambda: MF(n_factors=8, n_epochs=3),
}
models = pytest.mark.parametrize("name", MODELS)


def matrix(seed=0, n=60, m=40, density=0.15, weighted=True):
    rng = np.random.default_rng(seed)
    return sp.csr_array(
        np.where(
            rng.random((n, m)) < density, rng.choice([0.2, 0.5, 1], (n, m)) if weighted else 1, 0
        ).astype(np.float32)
    )


@st.composite
def matrices(draw):
    n, m = draw(st.integers(1, 40)), draw(st.integers(2, 30))
    X = matrix(
        draw(st.integers(0, 10**6)),
        n,
        m,
        draw(st.sampled_from([0.02, 0.2, 0.9, 1.0])),
        draw(st.booleans()),
    )
    return X if X.nnz else matrix(1, n, m, 1.0)


@given(matrices(), st.integers(1, 9))
@settings(max_examples=25)
def test_the_loss_never_rises(X, d):
    history = IALS(n_factors=d, n_epochs=6, alpha0=0.1, reg=0.02).fit(X).history_["loss"].to_numpy()
    assert (np.diff(history) <= 1e-4 * history[:-1]).all() and np.isfinite(history).all()


@given(matrices(), st.integers(1, 9))
@settings(max_examples=25)
def test_folding_in_a_fitted_user_gives_the_fitted_vector(X, d):
    model = IALS(n_factors=d, n_epochs=3, alpha0=0.1, reg=0.05).fit(X)
    assert torch.allclose(model.fold_in(X), model.user_factors_, atol=2e-3)


@given(matrices(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_numbering_users_and_items_otherwise_changes_nothing(X, seed):
    rng = np.random.default_rng(seed)
    p, q = rng.permutation(X.shape[0]), rng.permutation(X.shape[1])
    start = [rng.standard_normal((n, 4)).astype(np.float32) / 10 for n in X.shape]
    mixed = sp.csr_array(X[p][:, q])
    one, other = (
        IALS(n_factors=4, n_epochs=3).fit(X, start=start),
        IALS(n_factors=4, n_epochs=3).fit(mixed, start=[start[0][p], start[1][q]]),
    )
    assert torch.allclose(
        (one.user_factors_ @ one.item_factors_.T)[p][:, q],
        other.user_factors_ @ other.item_factors_.T,
        atol=5e-3,
    )
    assert np.allclose(
        EASE().fit(X).weights_.numpy()[q][:, q], EASE().fit(mixed).weights_.numpy(), atol=1e-3
    )


@models
def test_a_stored_model_answers_exactly_the_same(name, tmp_path):
    X = matrix()
    model = MODELS[name]().fit(X)
    again = type(model).load(model.save(tmp_path / "model.npz"), device="cpu")
    for one, other in zip(
        model.recommend(range(60), 10, exclude=X), again.recommend(range(60), 10, exclude=X)
    ):
        assert np.array_equal(one, other)
    assert torch.equal(model.fold_in(X[:3]), again.fold_in(X[:3])) and repr(model) == repr(again)
    other = next(kind for key, kind in {"IALS": IALS, "EASE": EASE}.items() if key != name)
    with pytest.raises(ShopError, match="holds"):
        other.load(tmp_path / "model.npz")


@models
def test_the_same_seed_gives_the_same_model(name):
    X = matrix()
    one, other = (MODELS[name]().fit(X).recommend(range(60), 5)[1] for _ in range(2))
    assert np.array_equal(one, other)


@models
def test_empty_rows_and_columns_and_a_user_with_everything(name):
    dense = matrix().toarray()
    dense[3], dense[:, 5], dense[7] = 0, 0, 1
    dense[7, 5] = 0
    model = MODELS[name]().fit(sp.csr_array(dense))
    full = sp.csr_array(np.where(np.arange(60)[:, None] == 7, 1, dense).astype(np.float32))
    columns, scores = model.recommend(range(60), 50, exclude=full)
    assert (
        columns.shape == (60, 40)
        and np.isfinite(scores[3]).sum() == 40
        and (scores[7] == -np.inf).all()
        and not np.isnan(scores).any()
    )


@models
@pytest.mark.parametrize(
    "X, says",
    [
        (sp.csr_array((3, 3), dtype=np.float32), "no filled cell"),
        (np.array([[1, -2.0]]), "row 0, column 1"),
        (sp.csr_array([[0, np.nan]]), "nan at row 0, column 1"),
        (np.ones(3), "shape"),
        (np.ones((0, 3)), "shape"),
    ],
)
def test_a_matrix_that_cannot_be_used_is_refused_with_a_reason(name, X, says):
    with pytest.raises(ShopError, match=says):
        MODELS[name]().fit(X)


@models
@pytest.mark.parametrize(
    "rows, k, says",
    [([60], 3, "0 to 59"), ([-1], 3, "0 to 59"), ([1.5], 3, "whole numbers"), ([0], 0, "k = 0")],
)
def test_lists_that_cannot_be_made_are_refused(name, rows, k, says):
    model = MODELS[name]().fit(matrix())
    with pytest.raises(ShopError, match=says):
        model.recommend(rows, k)
    with pytest.raises(ShopError, match="columns"):
        model.fold_in(np.ones((1, 3)))
    with pytest.raises(ShopError, match="not fitted"):
        MODELS[name]().recommend([0])
    assert model.recommend([], 3)[0].shape == (0, 3)


@given(
    st.integers(1, 12),
    st.integers(1, 90),
    st.integers(1, 100),
    st.integers(1, 50),
    st.integers(1, 20),
    st.integers(0, 10**6),
)
@settings(max_examples=80)
def test_top_k_is_exact_whatever_its_pieces(n, m, k, tile, group, seed):
    rng = np.random.default_rng(seed)
    U, V = (
        torch.from_numpy(rng.integers(-3, 4, (rows, 3)).astype(np.float32)) for rows in (n, m)
    )  # whole numbers: many ties, no rounding
    taken, allowed = (
        sp.csr_array((rng.random((n, m)) < rng.random()).astype(np.float32)),
        rng.random(m) < 0.7,
    )
    allowed[rng.integers(m)] = True
    dense = np.where(allowed & (taken.toarray() == 0), (U @ V.T).numpy(), -np.inf)
    columns, scores = top_k(
        U, V, k, taken, allowed, chunk=int(rng.integers(1, n + 1)), tile=tile, group=group
    )
    assert np.array_equal(scores, -np.sort(-dense, axis=1)[:, :k])
    for row, column, score in zip(dense, columns, scores):
        listed = column[score > -np.inf]
        assert len(set(listed)) == len(listed) and np.array_equal(
            row[listed], score[score > -np.inf]
        )


def test_top_k_of_many_users_and_items_goes_by_tiles():
    """Large enough for the defaults to cut the catalogue."""
    rng = np.random.default_rng(0)
    U, V = (torch.from_numpy(rng.standard_normal((n, 8), dtype=np.float32)) for n in (600, 20_001))
    has = sp.random_array((600, 20_001), density=0.01, format="csr", rng=rng, dtype=np.float32)
    dense = (U @ V.T).numpy()
    dense[has.nonzero()] = -np.inf
    assert np.allclose(top_k(U, V, 20, has)[1], -np.sort(-dense, axis=1)[:, :20], atol=1e-4)


@pytest.mark.parametrize("limit", [None, 0.97, 0.9])
def test_a_smaller_budget_gives_the_same_model_or_a_clear_no(limit):
    X = matrix(n=3000, m=700, density=0.05)
    needs = plan(*X.shape, X.nnz, 16, True, device="cpu")
    bytes_ = (
        None
        if limit is None
        else int(needs.matrix + needs.factors + needs.workspace * (limit - 0.8))
    )
    start = [
        np.random.default_rng(0).standard_normal((n, 16)).astype(np.float32) / 20 for n in X.shape
    ]
    model = IALS(n_factors=16, n_epochs=2, device="cpu", memory_limit=bytes_).fit(X, start=start)
    plain = IALS(n_factors=16, n_epochs=2, device="cpu").fit(X, start=start)
    assert torch.allclose(
        model.user_factors_ @ model.item_factors_.T,
        plain.user_factors_ @ plain.item_factors_.T,
        atol=1e-3,
    )
    assert (
        bytes_ is None or model.plan_.total <= bytes_ and model.plan_.entries < plain.plan_.entries
    )
    with pytest.raises(ShopError, match="memory_limit = 50,000 bytes.*need"):
        IALS(memory_limit=50_000).fit(X)
    with pytest.raises(ShopError, match="EASE needs"):
        EASE(memory_limit=50_000).fit(X)


def test_the_plan_counts_what_lies_there():
    X = matrix(n=3000, m=700, density=0.05)
    chosen = plan(*X.shape, X.nnz, 16, True, device="cpu")
    sides = [_Side(M, True, chosen, torch.device("cpu")) for M in (as_matrix(X), as_matrix(X.T))]
    held = sum(part.nbytes for side in sides for part in (side.start, side.column, side.weight))
    assert held <= chosen.matrix <= 1.1 * held
    assert sum(b - a for a, b in sides[0].chunks) == 3000 and all(a < b for a, b in sides[0].chunks)


def test_one_step_a_half_epoch_ends_where_exact_solutions_end():
    X = matrix(n=400, m=120)
    one, exact = (
        IALS(n_factors=8, n_epochs=15, alpha0=0.1, reg=0.02, solver=solver)
        .fit(X)
        .history_["loss"]
        .iloc[-1]
        for solver in ("cg", "exact")
    )
    assert abs(one / exact - 1) < 0.01


def test_solve_finds_the_lowest_point():
    X, V = matrix(), torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    U = solve(as_matrix(X), V, 0.2, 0.03).requires_grad_()
    dense = torch.from_numpy(X.toarray())
    loss = (
        (dense * (1 - U @ V.T) ** 2).sum()
        + 0.2 * ((U @ V.T) ** 2).sum()
        + 0.03 * ((dense.sum(1) + 0.2 * 40)[:, None] * U**2).sum()
    )
    loss.backward()
    assert U.grad.abs().max() < 1e-3


def test_a_weight_of_one_half_is_half_of_two_cells():
    """Confidence is additive: what c = 1 is to a cell, two cells of 1/2 are."""
    X = matrix(weighted=False)
    halves = sp.coo_array(
        (np.full(2 * X.nnz, 0.5), tuple(np.tile(part, 2) for part in X.tocoo().coords)),
        shape=X.shape,
    )
    assert (as_matrix(halves) != as_matrix(X)).nnz == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="skipped: no CUDA here")
def test_processor_and_accelerator_agree():
    X = matrix(n=3000, m=700, density=0.05)
    start = [
        np.random.default_rng(0).standard_normal((n, 16)).astype(np.float32) / 20 for n in X.shape
    ]
    one, other = (
        IALS(n_factors=16, n_epochs=3, device=device).fit(X, start=start)
        for device in ("cpu", "cuda")
    )
    assert torch.allclose(
        one.user_factors_ @ one.item_factors_.T,
        (other.user_factors_ @ other.item_factors_.T).cpu(),
        atol=1e-2,
    )
    a, b = (model.recommend(range(100), 10, exclude=X)[1] for model in (one, other))
    assert np.allclose(a, b, atol=1e-2)


def test_blends_reach_from_one_model_to_the_other():
    X = matrix()
    one, two = IALS(n_factors=8, n_epochs=4).fit(X), EASE().fit(X)
    for share, model in ((0.0, one), (1.0, two)):
        assert np.array_equal(
            Blend(one, two, share).recommend(range(60), 5)[0], model.recommend(range(60), 5)[0]
        )
    with pytest.raises(ShopError, match="share = 2"):
        Blend(one, two, 2)
    with pytest.raises(ShopError, match="users and items"):
        Blend(one, EASE().fit(X[:, :20]))


def test_interactions_keep_ids_and_count_what_they_leave_out():
    log = pd.DataFrame(
        {
            "user_id": ["b", "a", None, "a", "b"],
            "item_id": [7, 7, 7, 9, None],
            "action": ["buy", "view", "buy", "buy", "buy"],
        }
    )
    told = Interactions.from_events(log, {"view": 0.3, "buy": 1})
    assert (
        told.user_ids.tolist() == ["a", "b"]
        and told.item_ids.tolist() == [7, 9]
        and told.left_out == 2
    )
    assert np.allclose(told.X.toarray(), [[0.3, 1], [1, 0]])
    assert (
        Interactions.from_events(log.sample(frac=1, random_state=1), {"view": 0.3, "buy": 1}).X
        != told.X
    ).nnz == 0
    with pytest.raises(ShopError, match=r"users\[1\] is 9"):
        Interactions.from_pairs([0, 9], [0, 1], shape=(5, 5))
    with pytest.raises(ShopError, match="stands twice"):
        Interactions.from_events(log, users=["a", "a"])


def test_a_left_out_item_is_ranked_as_counted_by_hand():
    X = matrix(weighted=False)
    model = IALS(n_factors=6, n_epochs=1).fit(X)
    left = np.random.default_rng(0).integers(0, 40, 60)
    X = X.tolil()
    X[np.arange(60), left] = 0
    X = sp.csr_array(X)
    scores = (model.user_factors_ @ model.item_factors_.T).numpy()
    scores[X.nonzero()] = -np.inf
    ahead = (scores >= scores[np.arange(60), left][:, None]).sum(1) - 1
    assert (
        leave_one_out_metrics(model, X, left, full_k=5)["R@5"].tolist()
        == (ahead < 5).astype(float).tolist()
    )


def test_find_rate_and_tensorboard(tmp_path):
    X = matrix(n=200)
    found = find_rate(X, low=1e-3, high=10)
    assert found["rate"].is_monotonic_increasing and found["loss"].notna().all()
    IALS(n_factors=4, n_epochs=2, log_dir=str(tmp_path / "als")).fit(X)
    MF(n_factors=4, n_epochs=2, log_dir=str(tmp_path / "mf")).fit(X)
    assert list((tmp_path / "als").glob("events*")) and list((tmp_path / "mf").glob("events*"))


def test_search_stops_early_and_never_looks_at_the_test(shop):
    log = clean(shop).shop.behaviors
    seen = []

    class Watching(IALS):
        def fit(self, X, start=None, callback=None):
            seen.append(X.sum())
            return super().fit(X, start, callback)

    found = search(
        Watching,
        {"n_factors": [4], "reg": [0.01, 0.1]},
        log,
        {"view": 0.3, "buy": 1},
        folds=2,
        patience=1,
    )
    assert (
        len(found) == 2
        and len(seen) == 4
        and found["value"].is_monotonic_decreasing
        and (found["n_epochs"] <= 16).all()
    )
    assert max(seen) < Interactions.from_events(log, {"view": 0.3, "buy": 1}).X.sum()
    with pytest.raises(ShopError, match="no setting"):
        search(IALS, {"reg": []}, log)


def test_the_report_shows_lists_by_class_with_an_honest_score(shop, reports):
    table = pd.read_csv(reports["en"] / "recommendations.csv", encoding="utf-8-sig")
    bought = shop.behaviors[shop.behaviors["action"] == "buy"]
    assert {"user_id", "class_en", "place", "item_id", "title"} <= set(table) and table[
        "place"
    ].between(1, 5).all()
    assert (
        not pd.MultiIndex.from_frame(table[["user_id", "item_id"]].astype(str))
        .isin(pd.MultiIndex.from_frame(bought[["user_id", "item_id"]].astype(str)))
        .any()
    )
    page = (reports["en"] / "index.html").read_text(encoding="utf-8")
    assert "What each customer wants next" in page and "best sellers" in page
    assert "每位客户接下来想要什么" in (reports["zh"] / "index.html").read_text(encoding="utf-8")


def test_lists_know_nothing_of_what_comes_later(shop):
    """Rewriting the future changes no list."""
    cleaned = clean(shop).shop
    middle = int(cleaned.behaviors["ts"].quantile(0.7))
    ctx = Context(middle)
    past = replace(
        cleaned,
        behaviors=cleaned.behaviors[cleaned.behaviors["ts"] < middle].reset_index(drop=True),
    )
    one, other = (
        next(
            part.frame
            for part in MFStage().run(each, Results(), ctx).parts
            if isinstance(part, Table) and part.name == "recommendations"
        )
        for each in (cleaned, past)
    )
    pd.testing.assert_frame_equal(one, other)


def test_the_picture_and_tables_have_their_names(shop):
    section = MFStage().run(shop, Results(), Context(int(shop.behaviors["ts"].max()) + 1))
    assert {part.name for part in section.parts if isinstance(part, Table)} >= {
        "recommended_most",
        "recommendations",
    }
    assert all(isinstance(part.svg, str) for part in section.parts if isinstance(part, Picture))


STOCKED = {"Int64": pd.NA, "float64": np.nan, "Float64": pd.NA, "object": None}


def stocked(shop, pieces, dtype="Int64"):
    """The shop with this stock of its items, by id; None where it is not known. Other items have a
    piece.
    """
    column = pd.Series([pieces.get(item, 1) for item in shop.products["item_id"]], dtype=object)
    return replace(
        shop,
        products=shop.products.assign(
            stock=column.where(column.notna(), STOCKED[dtype]).astype(dtype)
        ),
    )


def customers_of(shop):
    users = shop.behaviors.loc[shop.behaviors["action"] == "buy", "user_id"].dropna().unique()[:30]
    return pd.DataFrame({"user_id": users, "class_en": "a", "class_zh": "b"})


@pytest.fixture(scope="module")
def cleaned(shop):
    return clean(shop).shop


MAKE = {
    "iALS": lambda: EventRecommender(IALS(n_factors=4, n_epochs=2)),
    "most popular": MostPopular,
}


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("dtype", STOCKED)
def test_unknown_stock_is_available_and_none_is_sold_out(make, dtype, cleaned):
    """In whatever type the column came: null is not known, 0 and less is sold out, 1 is there."""
    log, people, ids = cleaned.behaviors, customers_of(cleaned), sorted(cleaned.products["item_id"])
    plain = mf.lists(replace(cleaned, products=None), log, MAKE[make](), people, k=100)
    pieces = {ids[0]: None, ids[1]: 0, ids[2]: -3, ids[3]: 7}
    made = mf.lists(stocked(cleaned, pieces, dtype), log, MAKE[make](), people, k=100)
    pairs = {(row.user_id, row.item_id) for row in plain.itertuples()}
    assert {(row.user_id, row.item_id) for row in made.itertuples()} == {
        pair for pair in pairs if pair[1] not in ids[1:3]
    }
    assert ids[0] in set(made["item_id"]) and ids[3] in set(made["item_id"])
    assert (made.groupby("user_id")["score"].diff().dropna() <= 0).all()


@pytest.mark.parametrize("make", MAKE)
def test_an_item_that_the_product_table_lacks_is_available(make, cleaned):
    item = cleaned.behaviors.loc[cleaned.behaviors["action"] == "buy", "item_id"].mode()[0]
    gone = stocked(cleaned, {})
    gone = replace(gone, products=gone.products[gone.products["item_id"] != item])
    assert item in set(
        mf.lists(gone, cleaned.behaviors, MAKE[make](), customers_of(cleaned), k=100)["item_id"]
    )


@pytest.mark.parametrize("make", MAKE)
def test_lists_of_a_shop_where_all_is_sold_out(make, cleaned):
    """Known stock is 0 everywhere: only items of unknown stock are left; where there is none, an
    error, or all when asked so.
    """
    log, people, ids = cleaned.behaviors, customers_of(cleaned), sorted(cleaned.products["item_id"])
    nothing = dict.fromkeys(ids, 0)
    unknown = mf.lists(
        stocked(cleaned, nothing | {ids[4]: None}),
        log[log["item_id"].isin(ids)],
        MAKE[make](),
        people,
        k=100,
    )
    assert set(unknown["item_id"]) == {ids[4]}
    empty, known = stocked(cleaned, nothing), log[log["item_id"].isin(ids)]
    with pytest.raises(ShopError, match="out of stock.*column stock"):
        mf.lists(empty, known, MAKE[make](), people)
    plain = mf.lists(replace(cleaned, products=None), known, MAKE[make](), people)
    pd.testing.assert_frame_equal(
        mf.lists(empty, known, MAKE[make](), people, in_stock=False)[list(plain)], plain
    )


@pytest.mark.parametrize(
    "lang, says",
    [
        ("en", ["all", "out of stock", "without regard to stock"]),
        ("zh", ["全部缺货", "没有考虑库存"]),
    ],
)
def test_the_report_says_where_all_is_sold_out(lang, says, cleaned):
    known = cleaned.behaviors[cleaned.behaviors["item_id"].isin(cleaned.products["item_id"])]
    shop, ctx = (
        replace(cleaned, behaviors=known),
        Context(int(cleaned.behaviors["ts"].max()) + 1, lang),
    )

    def said(shop):
        section = MFStage().run(shop, Results(), ctx)
        made = next(
            part.frame
            for part in section.parts
            if isinstance(part, Table) and part.name == "recommendations"
        )
        return " ".join(part for part in section.parts if isinstance(part, str)), made

    ids = sorted(shop.products["item_id"])
    text, made = said(stocked(shop, dict.fromkeys(ids, 0)))
    assert all(word in text for word in says) and len(made)
    text, made = said(stocked(shop, dict.fromkeys(ids, 0) | {ids[4]: None}))
    assert ("only the 1 item whose" in text or "库存未知的商品（1 种）" in text) and set(
        made["item_id"]
    ) == {ids[4]}
    for fine in (
        stocked(shop, {}),
        stocked(shop, {ids[0]: 0}),
        stocked(shop, dict.fromkeys(ids)),
        replace(shop, products=None),
    ):
        assert "regard to stock" not in said(fine)[0] and "没有考虑库存" not in said(fine)[0]


def test_a_product_that_is_there_twice_is_refused(cleaned):
    twice = replace(cleaned, products=pd.concat([cleaned.products, cleaned.products.head(1)]))
    with pytest.raises(ShopError, match="more than once"):
        mf.lists(twice, cleaned.behaviors, MostPopular(), customers_of(cleaned))


def test_on_events_gives_strangers_the_best_sellers(shop):
    model = EventRecommender(IALS(n_factors=4, n_epochs=2)).fit(shop.behaviors)
    items, scores = model.recommend(["nobody", "no one"], 5)
    assert (items[0] == items[1]).all() and (np.diff(scores[0]) <= 0).all()


def test_the_module_needs_five_packages_alone():
    """On a machine with an accelerator there may be no more than numpy, scipy, pandas, torch and
    scikit-learn, which brings narwhals."""
    code = """
import sys, importlib.abc
OTHERS = "tqdm pooch jieba snownlp matplotlib seaborn jinja2 pandera polars duckdb".split()
class Only(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in OTHERS:
            raise ImportError(name)
sys.meta_path.insert(0, Only())
import segtutorial.mf, segtutorial.metrics
import numpy as np
from segtutorial.mf import IALS
IALS(n_factors=4, n_epochs=1).fit(np.eye(5)).recommend([0], 2)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-800:]
