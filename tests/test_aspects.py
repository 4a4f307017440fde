"""Aspects: what a negator reaches, the longest word first, an exam that shares neither template nor
word with training, models that stay what they are, bad input, and the key.
"""

import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import example, given, settings
from hypothesis import strategies as st

from segtutorial.core.errors import ShopError
from segtutorial.sentiment.aspects import (
    AspectModel,
    aspect_scores,
    aspect_texts,
    held_out,
    review_aspects,
    train_aspects,
    vocabulary,
)
from segtutorial.sentiment.lexicon import ASPECTS, Lexicon, grow

seeds = Lexicon()


@pytest.fixture(scope="module")
def texts():
    return aspect_texts()


@pytest.fixture(scope="module")
def small(texts):
    some = texts[::15]
    return AspectModel(seeds).fit(some["text"], some["aspect"], some["polarity"])


def table(*rows):
    return pd.DataFrame(rows, columns=["word", "aspect", "polarity", "weight"])


@pytest.mark.parametrize(
    "clause, polarity",
    [
        ("不好", 0),
        ("不是不好", 1),
        ("没有不满意", 1),
        ("一点都不贵", 1),
        ("不错", 1),
        ("差不多", None),
        ("不但便宜", 1),
        ("没想到这么差", 0),
        ("没有想象中那么好", 0),  # the fifth character: reached
        ("没有我们想象中那么好", 1),  # further away: not reached
        ("不慢，好", 1),
        ("不，好", 1),
        ("不贵好", 1),  # a comma ends it, and so does the first opinion
        ("特别好", 1),
        ("非常好", 1),
        ("别人说好", 1),
        ("谈不上好", 0),
        ("不怎么样", 0),
        ("好，差", None),
        ("", None),
    ],
)
def test_what_a_negator_reaches(clause, polarity):
    assert seeds.predict([clause])["polarity"].fillna(-1).tolist() == [
        -1 if polarity is None else polarity
    ]


def test_the_longest_word_first():
    made = Lexicon(
        table(
            ("快", "delivery", 1, 0.5),
            ("快递", "delivery", 0, 1.0),
            ("快递盒", "packaging", 0, 1.0),
            ("不快", "service", -1, 1.0),
        )
    )
    assert made.predict(["快", "快递", "快递盒", "不快", "不太快"])["aspect"].tolist() == [
        "delivery",
        "delivery",
        "packaging",
        "service",
        "delivery",
    ]
    assert made.transform(["快递盒快", "不快"]).tolist() == [
        [0, 0.5, 0, 0, 1, 0, 1],
        [0, 0, 0, 1, 0, 0, -1],
    ]


def test_split_puts_every_character_on_one_side():
    for clause in ("面条一点都不坨", "没有想象中那么好,但是不贵", "不是不好看", "好", "", "👍不"):
        plain, turned = (sorted(part[0].replace(" ", "")) for part in seeds.split([clause]))
        assert sorted(plain + turned) == sorted(clause) and "不" not in turned
    assert [
        text.strip() for text in seeds.split(["面条一点都不坨", "不是不好看", "不但好看"])[1]
    ] == ["坨", "", ""]


def test_growing_and_its_refusals():
    reviews = [
        "快递拖拉，味道不错",
        "物流拖拉，很差",
        "快递拖拉",
        "质量好，包装严实",
        "颜色好看，味道好",
        "发货拖拉，差",
    ] * 20
    made = grow(reviews, min_count=2, threshold=0.1)
    assert made.words.set_index("word").loc["拖拉", "aspect"] == "delivery" and seeds.predict(
        ["拖拉"]
    )["aspect"].tolist() == ["none"]
    pd.testing.assert_frame_equal(grow(reviews[::-1], min_count=2, threshold=0.1).words, made.words)
    for wrong, words in (
        (dict(texts=["abc", ""]), "no seed occurs"),
        (dict(texts=[]), "no seed occurs"),
        (dict(texts=["好"], rounds=0), "rounds = 0"),
        (dict(texts=["好"], threshold=0), "threshold"),
        (dict(texts=["好"], seeds={"taste": ["甜"]}), "taste"),
        (dict(texts=["好"], seeds={"good": ["好"]}), "at least one aspect"),
        (dict(texts=[b"x"]), "bytes"),
        (dict(texts="好"), "a str"),
    ):
        with pytest.raises(ShopError, match=words):
            grow(**wrong)
    for wrong in (
        table(("", "look", 1, 1.0)),
        table((3, "look", 1, 1.0)),
        table(("\u200b", "look", 1, 1.0)),
        table(("甜", "taste", 1, 1.0)),
        table(("甜", "look", 2, 1.0)),
        pd.DataFrame({"word": ["甜"]}),
    ):
        with pytest.raises(ShopError, match="Lexicon: (row 0|column)"):
            Lexicon(wrong)


def test_texts_are_whole_and_the_same_again(texts):
    assert (
        texts.equals(aspect_texts())
        and not texts.equals(aspect_texts(1))
        and not texts.duplicated(["text", "aspect"]).any()
    )
    assert (
        set(texts["aspect"].dropna()) == {*ASPECTS, "none"}
        and not texts["text"].str.contains(r"[\[\]/{}|@?:]|不不").any()
        and (texts["text"].str.len() > 0).all()
    )
    assert (
        texts[texts["aspect"] != "none"]
        .groupby("aspect")["polarity"]
        .mean()
        .between(0.4, 0.6)
        .all()
    )


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_the_exam_shares_neither_template_nor_word_with_training(texts, seed):
    part, words = held_out(texts, seed)
    train = texts[part == "train"]
    joined = "\n".join(train["text"])
    assert (
        len(words) > 100
        and not [word for word in words if word in joined]
        and part.equals(held_out(texts, seed)[0])
    )
    for exam, least in (("grammar", 2000), ("words", 100)):
        asked = texts[part == exam]
        assert (
            len(asked) > least
            and not set(asked["template"]) & set(train["template"])
            and not set(asked["text"]) & set(train["text"])
        )
    assert all(
        words.issuperset(put) for put in texts.loc[part == "words", "words"]
    ) and not words & set(vocabulary(words).words["word"])


def test_a_model_of_a_fourth_of_the_training_texts_passes(texts):
    part, words = held_out(texts, 3)
    train = texts[part == "train"][::4]
    model = AspectModel(vocabulary(words)).fit(train["text"], train["aspect"], train["polarity"])
    for exam, aspect, polarity in (("grammar", 0.75, 0.75), ("words", 0.35, 0.6)):
        marks = aspect_scores(texts[part == exam], model.predict(texts.loc[part == exam, "text"]))
        assert (marks["share"] > [aspect, polarity]).all()


def test_saved_and_loaded_it_is_the_same(small, texts, tmp_path):
    again = AspectModel.load(small.save(tmp_path / "aspects.npz"))
    pd.testing.assert_frame_equal(
        again.predict(texts["text"][:2000]), small.predict(texts["text"][:2000]), check_exact=True
    )


def test_the_order_of_rows_changes_nothing(small, texts):
    asked = texts["text"][:3000]
    mixed = asked.sample(frac=1, random_state=0)
    for model in (small, seeds):
        pd.testing.assert_frame_equal(
            model.predict(mixed).set_axis(mixed.index).sort_index(),
            model.predict(asked),
            check_exact=False,
            rtol=1e-5,
        )
    some = texts[::15].sample(frac=1, random_state=1)
    same = AspectModel(seeds).fit(some["text"], some["aspect"], some["polarity"]).predict(asked)
    assert (same["aspect"] == small.predict(asked)["aspect"]).mean() > 0.995 and (
        same["polarity"] == small.predict(asked)["polarity"]
    ).mean() > 0.995


@settings(max_examples=20)
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.just(float("nan")),
            st.text(),
            st.text("不好快递，。！？ \n贵👍\x00\u200b"),
            st.sampled_from(["快" * 100_000, "不" * 3000, "物\x00流快", "\ud800", "~~~", "。，"]),
        ),
        max_size=6,
    )
)
@example([])
@example([None, float("nan"), "", "👍"])
def test_any_texts_are_read(small, rows):
    for model in (small, seeds):
        told = review_aspects(rows, model)
        assert (
            list(told) == ["row", "clause", "aspect", "polarity", "probability"]
            and told["aspect"].isin(ASPECTS).all()
            and told["row"].is_monotonic_increasing
        )
        assert (
            told["row"].isin(range(len(rows))).all()
            and told["polarity"].dtype == "Int8"
            and len(model.predict(rows)) == len(rows)
        )


def test_what_no_text_is():
    for rows, words in (
        ([b"ab"], "row 0 .from 0. holds bytes.*decode"),
        (["好", 3], "row 1"),
        ("物流很快", "a str"),
        (None, "NoneType"),
    ):
        with pytest.raises(ShopError, match=words):
            review_aspects(rows, seeds)
    with pytest.raises(ShopError, match="call fit"):
        AspectModel().predict(["好"])


def test_review_aspects_gives_a_row_a_clause_that_speaks_of_an_aspect(small):
    texts = pd.Series(
        ["物流很快，给妈妈买的，包装破了！", None, "好", "物流很快"], index=[7, 7, 3, 1]
    )
    told = review_aspects(texts, seeds)
    assert told[["row", "clause", "aspect"]].to_numpy().tolist() == [
        [0, "物流很快", "delivery"],
        [0, "包装破了", "packaging"],
        [3, "物流很快", "delivery"],
    ]
    assert (
        told["polarity"].tolist() == [1, 0, 1]
        and told["probability"].isna().all()
        and told.index.equals(pd.RangeIndex(3))
    )
    assert train_aspects() is train_aspects()
    told = review_aspects(texts)
    assert told["probability"].between(1 / 7, 1).all() and told.dtypes.astype(str).tolist() == [
        "int64",
        "str",
        "str",
        "Int8",
        "float64",
    ]
    assert review_aspects([], small).dtypes.equals(told.dtypes)


def test_fit_refuses():
    for rows, words in (
        ((["好", "差"], ["look", "taste"], [1, 0]), "aspect of row 1 .* 'taste'"),
        ((["好", "差"], ["look", "none"], [1, 2]), "polarity of row 1"),
        ((["好"], ["look", "none"], [1, 0]), "1 clauses, 2"),
        ((["好", "差"], ["look", "look"], [1, 0]), "at least two"),
        ((["好", "差"], ["look", "none"], [1, None]), "at least two"),
        (([b"x", "差"], ["look", "none"], [1, 0]), "bytes"),
    ):
        with pytest.raises(ShopError, match=words):
            AspectModel(seeds).fit(*rows)
    two = (
        AspectModel(seeds)
        .fit(
            ["物流快", "物流慢", "很贵", "便宜"],
            ["delivery", "delivery", "price", "price"],
            [1, 0, 0, 1],
        )
        .predict(["物流慢", "贵"])
    )  # two classes are enough
    assert (
        two["aspect"].tolist() == ["delivery", "price"]
        and two["polarity"].tolist() == [0, 0]
        and (two["p_aspect"] > 0.5).all()
    )


def test_the_key_is_labels_and_hashes_only():
    key = pd.read_csv(
        ROOT / "data" / "sentences" / "clauses.csv", dtype="str", keep_default_na=False
    )
    assert (
        list(key)[:4] == ["sha256", "part", "aspect", "polarity"]
        and "text" not in key
        and "clause" not in key
        and len(key) >= 150
        and key["sha256"].str.fullmatch("[0-9a-f]{16}").all()
        and key["sha256"].is_unique
    )
    assert (
        set(key["part"]) == {"random", "topup"}
        and (key["part"] == "random").sum() >= 150
        and (key["aspect"] != "none").sum() >= 150
    )
    for name in key.columns[2:]:
        assert set(key[name]) <= (
            {*ASPECTS, "none"} if name.endswith("aspect") else {"0", "1", ""}
        ), name
    assert key.map(len).max(axis=None) <= 16
