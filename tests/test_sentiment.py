"""The sentiment model: what any fitted one must hold to, the shipped one against SnowNLP, the
command, and the sentences that nothing was tuned on.
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from segtutorial import sentiment
from segtutorial.core.datasets import fetch_reviews
from segtutorial.core.errors import ShopError
from segtutorial.core.fetching import on_machine
from segtutorial.sentiment import SHIPPED, SnowModel, load, shipped, shipped_texts
from segtutorial.sentiment.classifiers import NgramSVM, distinct, ngram_codes, text_folds
from segtutorial.sentiment.ensemble import SentimentModel, carried, highlighted
from segtutorial.sentiment.negation import lessons, read_list

SENTENCES = Path(__file__).resolve().parent.parent / "data" / "sentences"
ODD = [
    None,
    float("nan"),
    "",
    "   ",
    "😀😀",
    "ქართული",
    "\x00\x07\u200b",
    "very good, thanks",
    "好" * 100_000,
    "!!!",
    "ＡＢＣ１２３",
    "這個東西很好",
]


@pytest.fixture(scope="module")
def small():
    """A model with everything that the default has, of few texts."""
    rng = np.random.default_rng(0)
    texts, y = shipped_texts(600)
    rows = rng.choice(len(texts), 1500, replace=False)
    return SentimentModel(epochs=1).fit([texts[i] for i in rows], y[rows])


@pytest.mark.parametrize("maker", [load, SnowModel])
def test_odd_texts_have_a_defined_answer_and_harm_no_other(maker):
    model = maker()
    few = (
        [text if not isinstance(text, str) else text[:2000] for text in ODD]
        if maker is SnowModel
        else ODD
    )
    p = model.predict_proba(["质量很好", *few, "质量太差了"])
    assert p.shape == (len(few) + 2,) and np.isfinite(p).all() and ((p >= 0) & (p <= 1)).all()
    assert (
        (p[1:5] == 0.5).all()
        and p[0] > 0.5 > p[-1]
        and set(model.predict(few).tolist()) <= {-1, 0, 1}
    )
    assert np.allclose(model.predict_proba(["质量很好", "质量太差了"]), p[[0, -1]], atol=1e-6)


def test_no_text_has_no_answer(small):
    assert small.predict_proba([]).shape == (0,) and small.predict([]).dtype == np.int64


@pytest.mark.parametrize(
    "wrong, word",
    [
        (["好", b"\xe5"], "row 1"),
        ("很好", "list"),
        (["好", 3.5], "row 1"),
        (["好", ["差"]], "row 1"),
    ],
)
def test_what_is_no_text_is_refused_with_its_row(small, wrong, word):
    with pytest.raises(ShopError, match=word):
        small.predict_proba(wrong)


@pytest.mark.parametrize(
    "labels, word",
    [
        (["好评", "差评"] * 30, "row 0"),
        ([1] * 60, "0 distinct complaints"),
        ([1, 2] * 30, "row 1"),
        ([1, None] * 30, "row 1"),
        ([1, 0], "2 labels"),
        ([0.5, 1] * 30, "row 0"),
    ],
)
def test_labels_that_cannot_be(labels, word):
    with pytest.raises(ShopError, match=word):
        SentimentModel(epochs=0).fit([f"第{i}次买的很好" for i in range(60)], labels)


@pytest.mark.parametrize(
    "change",
    [
        {"held": 0},
        {"held": 1},
        {"sure": 0.4},
        {"sure": 1},
        {"epochs": -1},
        {"rate": 0},
        {"teach": -1},
    ],
)
def test_parameters_that_cannot_be(change):
    with pytest.raises(ShopError, match=next(iter(change))):
        SentimentModel(**change).fit(["好", "差"] * 30, [1, 0] * 30)


def test_an_answer_depends_on_its_text_alone(small):
    texts = lessons()["text"].sample(300, random_state=0).tolist()
    order = np.random.default_rng(1).permutation(300)
    p = small.predict_proba(texts)
    assert np.allclose(small.predict_proba([texts[i] for i in order]), p[order], atol=1e-5)
    assert np.allclose([small.predict_proba([text])[0] for text in texts[:40]], p[:40], atol=1e-5)


def test_one_form_of_writing_is_as_good_as_another(small):
    """Double width, traditional script and spaces at the ends are removed before reading."""
    assert np.allclose(
        small.predict_proba(["质量不好,ABC", "这个东西没有问题"]),
        small.predict_proba(["  质量不好，ＡＢＣ ", "這個東西沒有問題"]),
        atol=1e-6,
    )


def test_stored_and_loaded_it_answers_the_same(small, tmp_path):
    texts = lessons()["text"].head(400).tolist()
    again = SentimentModel.load(small.save(tmp_path / "model.npz"))
    assert (
        np.array_equal(again.predict_proba(texts), small.predict_proba(texts))
        and again.get_params() == small.get_params()
    )
    with np.load(tmp_path / "model.npz", allow_pickle=False) as stored:
        assert all(
            stored[name].dtype.kind in "fiuU" for name in stored.files
        )  # numbers and one text: nothing in it runs


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x80\x04K\x01."])
def test_what_is_no_model_is_refused_by_name(content, tmp_path):
    (tmp_path / "odd.npz").write_bytes(content)
    with pytest.raises(ShopError, match=r"odd\.npz"):
        load(tmp_path / "odd.npz")


def test_the_same_seed_gives_the_same_model():
    texts, y = shipped_texts(200)
    pick = np.random.default_rng(2).choice(len(texts), 600, replace=False)
    some, labels = [texts[i] for i in pick], y[pick]
    first, second = (
        SentimentModel(epochs=1, random_state=3).fit(some, labels).predict_proba(texts[:200])
        for _ in range(2)
    )
    assert np.array_equal(first, second)


def test_fitting_leaves_the_callers_chance_alone():
    import torch

    texts, y = shipped_texts(200)
    np.random.seed(5), torch.manual_seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    SentimentModel(epochs=1, expert=False).fit(texts[::10], y[::10])
    assert torch.equal(before[0], torch.get_rng_state()) and np.array_equal(
        before[1], np.random.get_state()[1]
    )


def test_folds_share_no_text():
    texts, y, _ = distinct(
        ["好！", "好!", "差", "一般", "不错", "不 错"] * 4, [1, 1, 0, 0, 1, 1] * 4
    )
    fold = text_folds(len(texts), 2)
    assert len(set(texts)) == len(texts) and not {texts[i] for i in np.flatnonzero(fold == 0)} & {
        texts[i] for i in np.flatnonzero(fold == 1)
    }


def test_codes_are_those_of_each_text_alone():
    texts = ["不好吃", "", "好", "质量不错😀" * 5]
    codes, rows = ngram_codes(texts)
    for row, text in enumerate(texts):
        assert codes[rows == row].tolist() == ngram_codes([text])[0].tolist()


def test_the_svm_says_nothing_about_what_it_knows_nothing_of():
    svm = NgramSVM().fit(["质量很好", "质量太差"] * 5, [1, 0] * 5)
    assert np.isnan(svm.decision_function(["", None, "😀"])).all() and (
        svm.decision_function(["质量很好", "质量太差"]) > 0
    ).tolist() == [True, False]


def test_what_carried_a_decision_are_the_words_that_say_it(small):
    for text, side, words in (("质量很好", 1, "很好"), ("质量太差了", -1, "太差")):
        table = carried(small, text)
        assert table["char"].tolist() == list(text) and highlighted(table).count("<span") == len(
            text
        )
        assert table.loc[(side * table["weight"]).idxmax(), "char"] in words
    assert "&lt;" in highlighted(carried(small, "好<b>"))
    for wrong in ("", "很好不错" * 100):
        with pytest.raises(ShopError, match="carried"):
            carried(small, wrong)


def test_the_lists_can_be_used_as_they_stand():
    for line in read_list("words"):
        fields = line.split("|")
        assert len(fields) == 7 and all(
            word == word.strip() and word for field in fields for word in field.split("/")
        ), line
    for name in ("negation", "contrast"):
        lines = read_list(name)
        assert len(lines) == len(set(lines)) and all(
            line[:2] in ("0 ", "1 ") and line.count("[") == line.count("]") for line in lines
        )
    table = lessons(per_negation=3, per_contrast=3)
    assert (
        not table["text"].str.contains(r"[\[\]{}|/]").any()
        and table.groupby("text")["label"].nunique().eq(1).mean() > 0.99
    )


def test_the_sentences_to_be_asked_about():
    """At least 200 of each kind, half of them praise, none a lesson or a line of the lists."""
    taught = set(lessons()["text"])
    for name in ("negation", "contrast", "sarcasm", "tuning"):
        table = pd.read_csv(SENTENCES / f"{name}.csv")
        assert (
            list(table) == ["id", "text", "label", "kind", "pair"]
            and len(table) >= 200
            and not table["text"].duplicated().any()
        )
        assert 0.45 < table["label"].mean() < 0.55 and not set(table["text"]) & taught
    tuned, tested = (
        set().union(*(pd.read_csv(SENTENCES / f"{name}.csv")["text"] for name in names))
        for names in (["tuning"], ["negation", "contrast", "sarcasm"])
    )
    assert not tuned & tested


def test_the_shipped_model_is_small():
    assert SHIPPED.stat().st_size <= 20e6 and isinstance(load(), SentimentModel)


@pytest.mark.skipif(
    "SEGTUTORIAL_DATA" not in os.environ,
    reason="SEGTUTORIAL_DATA is not set: the shipped model is not held against SnowNLP",
)
@pytest.mark.parametrize("name, bar", [("online_shopping_10_cats", 0.845), ("waimai_10k", 0.794)])
def test_the_shipped_model_beats_snownlp(name, bar):
    """What `load` may give instead of SnowNLP: the bars are SnowNLP's own figures on these sets."""
    if not on_machine(name):
        pytest.skip(f"{name} is not on this machine")
    table = fetch_reviews(name).dropna(subset="text")
    texts, y, _ = distinct(table["text"], table["label"])
    assert ((load().predict_proba(texts) > 0.5) == y).mean() > bar


def test_without_a_shipped_model_snownlp_answers_and_that_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "none.npz")
    shipped._shipped.cache_clear()
    try:
        with pytest.warns(UserWarning, match="SnowNLP answers"):
            assert isinstance(load(), SnowModel)
    finally:
        shipped._shipped.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not isinstance(sentiment.load(SHIPPED), SnowModel)


def test_the_command_trains_on_a_shop_and_run_uses_it(cli, tmp_path):
    shop, out = tmp_path / "shop", tmp_path / "own.npz"
    assert (
        cli("simulate", "--users", "2500", "--items", "80", "--days", "150", "--out", shop)[0] == 0
    )
    code, said, errors = cli("train-sentiment", "--data", shop, "--out", out)
    assert code == 0 and "Written to" in said and out.is_file(), errors
    assert SentimentModel.load(out).predict_proba(["质量很好"])[0] > 0.5
    code, _, errors = cli("run", "--data", shop, "--out", tmp_path / "report", "--sentiment", out)
    assert code == 0 and "opinions_classes.csv" in {
        path.name for path in (tmp_path / "report").iterdir()
    }, errors
    code, _, errors = cli("train-sentiment", "--data", shop, "--out", out)
    assert code == 1 and "--overwrite" in errors


def test_the_command_says_what_is_missing(main, tmp_path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "behaviors.csv").write_text(
        "user_id,item_id,action,ts\n1,1,view,1700000000\n", encoding="utf-8"
    )
    for arguments, word in (
        (["--data", tmp_path / "bare", "--out", tmp_path / "a.npz"], "no reviews"),
        (["--out", tmp_path], "folder"),
        (["--out", tmp_path / "no" / "a.npz"], "no folder"),
        (["--data", tmp_path, "--shipped", "--out", tmp_path / "a.npz"], "--shipped"),
    ):
        code, _, errors = main("train-sentiment", *arguments)
        assert code == 1 and word in errors and len(errors.strip().splitlines()) <= 2, errors
    assert not (tmp_path / "a.npz").exists()


def test_a_shop_without_reviews_gets_a_sentence(main, tmp_path):
    shop = tmp_path / "shop"
    assert (
        main("simulate", "--users", "300", "--items", "40", "--days", "60", "--out", shop)[0] == 0
    )
    (shop / "reviews.csv.gz").unlink()
    assert main("run", "--data", shop, "--out", tmp_path / "report")[0] == 0
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "There were no reviews" in page and 'id="sentiment"' in page
