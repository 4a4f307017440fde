"""Opinions: the order of rows does not matter, shrinkage pulls as it should, nothing of the future
is used, and a shop may lack whatever it may lack.
"""

import re
from dataclasses import fields, replace

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtutorial.clean import clean
from segtutorial.core.section import Context, Picture, Table
from segtutorial.core.stages import CustomerGroups, Results
from segtutorial.features.orders import rfm
from segtutorial.sentiment.opinions import (
    class_aspects,
    contradictions,
    over_time,
    praise_probability,
    sentiment_of,
    shrunken_means,
)
from segtutorial.sentiment.stage import NO_ORDER, Opinions, SentimentStage, review_groups
from segtutorial.shop import ShopError
from segtutorial.value.scoring import customer_class
from segtutorial.value.scoring import score as rfm_score

GOOD, BAD = "好喜欢赞快满意", "差慢烂坏贵失望"


def score(texts):
    """By characters; different for different texts."""
    good, bad = (
        np.array([sum(char in words for char in text) for text in texts], float)
        for words in (GOOD, BAD)
    )
    p = (1 + good + 1e-3 * np.array([len(text) % 7 for text in texts])) / (2.01 + good + bad)
    return p**3 / (p**3 + (1 - p) ** 3)


class ByCharacters:
    """A sentiment model with the probabilities of `score`."""

    def predict_proba(self, texts):
        return score(texts)


class ByLength:
    """An aspect model: the aspect of a clause by its length, the polarity by `score`."""

    def predict(self, clauses):
        polarity = (score(clauses) > 0.5).astype(int) if len(clauses) else []
        return pd.DataFrame(
            {
                "aspect": [("quality", "price")[len(clause) % 2] for clause in clauses],
                "polarity": pd.array(polarity, "Int8"),
            }
        )


OPTIONS = {"sentiment_model": ByCharacters(), "aspect_model": ByLength()}


@pytest.fixture(scope="module")
def cleaned(shop):
    """With each review eight times, in other words and hours."""
    made = clean(shop).shop
    more = [
        made.reviews.assign(
            text=made.reviews["text"] + "好差慢快"[k % 4] * (k // 4 + 1),
            ts=made.reviews["ts"] - 3600 * k,
        )
        for k in range(8)
    ]
    return replace(made, reviews=pd.concat(more, ignore_index=True))


@pytest.fixture(scope="module")
def groups(cleaned):
    as_of = int(cleaned.behaviors["ts"].max()) + 1
    return CustomerGroups(customer_class(rfm_score(rfm(cleaned.behaviors, as_of))))


@pytest.fixture(scope="module")
def as_of(cleaned):
    return int(cleaned.behaviors["ts"].max()) + 1


@pytest.fixture
def stage(as_of, groups):
    """The section and the output of the stage on a shop."""

    def run(shop, lang="en", divided=True, options=OPTIONS):
        results = Results()
        if divided:
            results.add(groups)
        section = SentimentStage().run(shop, results, Context(as_of, lang, options=options))
        return section, results[SentimentStage]

    return run


def filled(opinions):
    """The fields that hold something."""
    return {field.name for field in fields(opinions) if getattr(opinions, field.name) is not None}


def parts(section, kind):
    return [part.name for part in section.parts if isinstance(part, kind)]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5)), min_size=1, max_size=40), st.randoms()
)
def test_shrunk_lies_between_and_does_not_know_the_order_of_rows(rows, rng):
    table, edge = shrunken_means(*zip(*rows)), 1e-9
    prior = table.attrs["prior"]
    assert (
        (table["shrunken_mean"] >= np.minimum(table["mean"], prior) - edge)
        & (table["shrunken_mean"] <= np.maximum(table["mean"], prior) + edge)
    ).all()
    assert (
        (table["low"] <= table["shrunken_mean"] + edge).all()
        and (table["shrunken_mean"] <= table["high"] + edge).all()
        and table[["low", "high"]].stack().between(0, 1).all()
    )
    assert table.attrs["between"] >= 0 and table["n"].sum() == len(rows)
    rng.shuffle(rows)
    pd.testing.assert_frame_equal(table, shrunken_means(*zip(*rows)), rtol=1e-6, atol=1e-6)


def test_more_reviews_less_shrinkage_and_a_narrower_interval():
    key = np.repeat([0, 1, 2, 3, 4, 5], [1, 3, 10, 40, 40, 40])
    scores = np.clip(
        np.array([0.9, 0.9, 0.9, 0.9, 0.2, 0.5])[key] + np.tile([0.05, -0.05], 67), 0, 1
    )
    table = shrunken_means(scores, key).head(4)
    own = (table["shrunken_mean"] - table.attrs["prior"]) / (table["mean"] - table.attrs["prior"])
    assert (
        table.attrs["between"] > 0
        and own.is_monotonic_increasing
        and (table["high"] - table["low"]).is_monotonic_decreasing
        and own.iloc[3] > 0.99
    )


def test_shrunk_finds_the_variances_that_made_the_scores():
    rng = np.random.default_rng(0)
    key = np.repeat(np.arange(3000), rng.integers(1, 20, 3000))
    table = shrunken_means(rng.normal(rng.normal(0.5, 0.05, 3000)[key], 0.08).clip(0, 1), key)
    assert np.allclose(
        [table.attrs[name] for name in ("prior", "between", "within")],
        [0.5, 0.05**2, 0.08**2],
        rtol=0.05,
    )


@pytest.mark.parametrize(
    "kind",
    [
        list,
        np.array,
        pd.Series,
        lambda values: pd.Series(values, index=range(9, 9 - len(values), -1)),
        pl.Series,
    ],
)
def test_columns_of_any_kind(kind):
    table = shrunken_means(kind([0.1, 0.2, 0.9, 0.8]), kind(["a", "a", "b", "b"]))
    assert table["mean"].round(9).tolist() == [0.15, 0.85] and list(table.index) == ["a", "b"]


@pytest.mark.parametrize("of", ["item", "user"])
def test_nothing_from_as_of_on_is_used(cleaned, of):
    end = int(cleaned.reviews["ts"].median())
    other = replace(
        cleaned,
        reviews=cleaned.reviews.assign(
            text=cleaned.reviews["text"].where(cleaned.reviews["ts"] < end, "差")
        ),
    )
    for table in (
        lambda shop: sentiment_of(shop, score, of, end),
        lambda shop: over_time(shop, score, "W-MON", end),
    ):
        pd.testing.assert_frame_equal(table(cleaned), table(other))
    assert (
        sentiment_of(cleaned, score, of, end)[["n", "empty"]].sum().sum()
        == (cleaned.reviews["ts"] < end).sum()
    )


def test_the_order_of_reviews_and_their_engine_do_not_matter(cleaned):
    reviews, lake = cleaned.reviews, duckdb.connect()
    for frame in (
        reviews.sample(frac=1, random_state=1),
        pl.from_pandas(reviews),
        pl.from_pandas(reviews).lazy(),
        lake.from_df(reviews),
    ):
        for table in (lambda shop: sentiment_of(shop, score), lambda shop: over_time(shop, score)):
            pd.testing.assert_frame_equal(
                table(cleaned), table(replace(cleaned, reviews=frame)), check_freq=False
            )
        assert (
            contradictions(reviews, score, 0.6)["text"].tolist()
            == contradictions(frame, score, 0.6)["text"].tolist()
        )


def test_contradictions_are_sorted_and_contradict(cleaned):
    found = contradictions(cleaned.reviews, score, 0.6)
    certain = (
        found["praise_probability"]
        .where(found["rating"] <= 2, 1 - found["praise_probability"])
        .to_numpy()
    )
    assert (np.diff(certain) <= 0).all() and (certain > 0.6).all() and (found["rating"] != 3).all()
    assert len(contradictions(cleaned.reviews, score, 0.9)) < len(found) and found["text"].equals(
        cleaned.reviews.loc[found.index, "text"]
    )


def test_class_aspects_count_what_was_said():
    rng = np.random.default_rng(0)
    classes, writers, row = (
        pd.Series(rng.choice(["a", "b", "c"], 60)),
        pd.Series(rng.integers(0, 20, 60)),
        rng.integers(0, 60, 500),
    )
    spoken = pd.DataFrame(
        {
            "row": row,
            "aspect": rng.choice(["price", "look"], 500),
            "polarity": pd.array(
                np.where(rng.random(500) < 0.7, writers[row] % 2, rng.integers(0, 2, 500)), "Int8"
            ),
        }
    )
    table = class_aspects(spoken, classes, writers).query("n > 0")
    plain = (
        spoken.assign(key=classes[spoken["row"]].to_numpy())
        .astype({"polarity": float})
        .groupby(["key", "aspect"])["polarity"]
        .agg(["size", "mean"])
    )
    assert table.set_index(["class", "aspect"]).sort_index()[
        ["n", "praise"]
    ].to_numpy() == pytest.approx(plain.to_numpy())
    assert (
        (table["low"] <= table["praise"])
        & (table["praise"] <= table["high"])
        & table["difference"].between(table["difference_low"], table["difference_high"])
    ).all()
    pd.testing.assert_frame_equal(
        class_aspects(spoken, classes, writers),
        class_aspects(spoken.sample(frac=1, random_state=0), classes, writers),
    )
    twice = class_aspects(pd.concat([spoken] * 2), classes, writers).query(
        "n > 0"
    )  # said twice by the same people, it is not known better
    assert (twice["n"] == 2 * table["n"]).all() and np.allclose(
        twice["high"] - twice["low"], table["high"] - table["low"], rtol=0.01
    )


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_report(cleaned, stage, groups, lang):
    section, found = stage(cleaned, lang)
    assert parts(section, Table) == [
        "opinions_time",
        "opinions_classes",
        "opinions_items",
        "contradictions",
    ]
    assert parts(section, Picture) == ["opinions_time", "opinions_classes"]
    assert filled(found) == {"time", "classes", "items", "users", "contradictions"}
    said = np.isfinite(praise_probability(cleaned.reviews["text"], score))
    assert len(found.contradictions) and found.items["n"].sum() == said.sum()
    # files have the same words in every report
    assert set(found.classes["class"]) <= {*groups.customers["class_en"], NO_ORDER}
    shown = next(
        part.shown
        for part in section.parts
        if isinstance(part, Table) and part.name == "opinions_classes"
    )
    for part in section.parts:  # nothing is left in the other language
        text = part if isinstance(part, str) else getattr(part, "caption", None) or part.text
        assert bool(re.search("[\u4e00-\u9fff]", text)) == (lang == "zh"), text
    ctx = Context(0, lang)
    translated = {ctx.gettext(name) for name in {*groups.customers["class_en"], NO_ORDER}}
    assert set(shown.iloc[:, 0]) <= translated
    aspects = " ".join(shown["praised most" if lang == "en" else "最满意"])
    assert ("price" in aspects, "价格" in aspects) == (lang == "en", lang == "zh")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_groups_all_customers_are_one(cleaned, stage, lang):
    section, found = stage(cleaned, lang, divided=False)
    assert set(found.classes["class"]) == {"all customers"}
    shown = next(
        part.shown for part in section.parts if isinstance(part, Table) and part.shown.size
    )
    assert shown.iloc[:, 0].tolist() == [{"en": "all customers", "zh": "全部客户"}[lang]]


def test_an_author_without_a_group_has_no_known_order(cleaned, groups):
    """Groups come first by their number of reviews; the wrong ids give one group."""
    few = CustomerGroups(groups.customers.head(3))
    named = review_groups(cleaned.reviews, few)
    outside = ~cleaned.reviews["user_id"].isin(few.customers["user_id"])
    assert (named == NO_ORDER).equals(outside) and named.cat.categories[0] == NO_ORDER
    strangers = CustomerGroups(groups.customers.assign(user_id="nobody"))
    assert set(review_groups(cleaned.reviews, strangers)) == {"all customers"}


def test_a_model_with_two_columns_reads_like_one_with_one(cleaned, stage):
    class TwoColumns:
        def predict_proba(self, texts):
            return np.column_stack((1 - score(texts), score(texts)))

    one, two = (
        stage(cleaned, options=OPTIONS | {"sentiment_model": model})[1]
        for model in (ByCharacters(), TwoColumns())
    )
    pd.testing.assert_frame_equal(one.items, two.items)


@pytest.mark.parametrize(
    "change",
    [
        lambda r: None,
        lambda r: r.head(0),
        lambda r: r.assign(text=None),
        lambda r: r.assign(ts=r["ts"] + 10**9),
        lambda r: r.drop(columns="text"),
    ],
)
def test_report_without_reviews_says_so_in_one_sentence(cleaned, stage, change):
    section, found = stage(replace(cleaned, reviews=change(cleaned.reviews)))
    assert len(section.parts) == 1 and section.parts[0].startswith("There were no reviews")
    assert found == Opinions()


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.drop(columns="rating"),
        lambda r: r.assign(rating=None),
        lambda r: r.drop(columns=["user_id", "item_id"]),
        lambda r: r.assign(user_id=None, item_id=None),
        lambda r: r.head(1),
        lambda r: r.assign(text="好"),
        lambda r: r.assign(item_id=1),
        lambda r: r.assign(user_id=r["user_id"].astype(str)),
        lambda r: pl.from_pandas(r),
    ],
)
def test_report_of_a_shop_that_lacks_something(cleaned, stage, change):
    reviews = change(cleaned.reviews)
    section, found = stage(replace(cleaned, reviews=reviews, products=None))
    names = filled(found)
    assert len(section.parts) > 1 and {"time", "classes"} <= names
    rated = "rating" in reviews and pd.Series(reviews["rating"]).notna().any()
    assert ("contradictions" in names) == rated


def test_refusals(cleaned):
    for wrong, words in (
        (lambda: praise_probability([b"a"], score), "bytes"),
        (lambda: praise_probability(["好"], lambda texts: [2.0]), "0 to 1"),
        (lambda: praise_probability(["好"], lambda texts: np.zeros((1, 2))), "shape"),
        (lambda: sentiment_of(cleaned, score, "shop"), "'item' or 'user'"),
        (lambda: shrunken_means([0.1], []), "one of each"),
        (lambda: over_time(cleaned, score, "ME"), "'MS'"),
        (lambda: contradictions(cleaned.reviews, score, 0.5), "above 0.5"),
        (lambda: class_aspects(pd.DataFrame({"row": []}), []), "aspect"),
    ):
        with pytest.raises(ShopError, match=words):
            wrong()
