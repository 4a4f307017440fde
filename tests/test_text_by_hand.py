"""Words, sentiment and opinions on a handful of texts: by hand, and against the formulas of the
papers."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from torch.nn.functional import binary_cross_entropy_with_logits

from segtutorial.core.calendar import day_start
from segtutorial.core.errors import ShopError
from segtutorial.sentiment import SnowModel, shop_texts
from segtutorial.sentiment.aspects import aspect_scores, review_aspects
from segtutorial.sentiment.classifiers import NgramSVM, distinct, text_folds
from segtutorial.sentiment.ensemble import SentimentModel
from segtutorial.sentiment.lexicon import Lexicon
from segtutorial.sentiment.negation import held_lines, lessons
from segtutorial.sentiment.opinions import (
    class_aspects,
    contradictions,
    over_time,
    sentiment_of,
    shrunken_means,
)
from segtutorial.sentiment.textcnn import Encoded, TextCNN, logits, train
from segtutorial.shop import Shop
from segtutorial.text import ItemText, UserText
from segtutorial.text.keywords import log_odds
from segtutorial.text.skipgram import word_pairs
from segtutorial.text.streaming import map_texts
from segtutorial.text.tokens import Tokenizer, normalize
from segtutorial.text.vectors import Vectorizer

NOON = day_start("2024-06-18") + 12 * 3600


# words and vectors


def test_stop_words_are_removed_and_repeated_characters_shortened():
    assert (
        Tokenizer(stop=["的"]).transform(["手机的屏幕"]) == [["手机", "屏幕"]]
        and "的" in Tokenizer().transform(["手机的屏幕"])[0]
    )
    assert normalize(["好好好好好好好 ＯＫ", "10000000 元"]) == ["好好好 ok", "10000000 元"]


def test_vectors_are_those_of_scikit_learn():
    """Sublinear counts, smoothed idf and unit length."""
    texts = ["好吃好吃好吃", "好看不好吃", "物流很慢很慢"]
    mine = Vectorizer(ngrams=(1, 2)).fit(texts)
    theirs = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True).fit(texts)
    assert np.allclose(
        mine.transform(texts).toarray(), theirs.transform(texts).toarray(), atol=1e-6
    )


def test_words_of_two_texts_are_no_neighbours():
    """Two texts of two words: whatever the window, each word has its one companion."""
    found = word_pairs(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]), 3, np.random.default_rng(0))
    assert sorted(map(tuple, found.tolist())) == [(0, 1), (1, 0), (2, 3), (3, 2)]


def test_keywords_are_those_of_the_paper():
    """Monroe, Colaresi and Quinn (2008), equations 15, 16, 22: a Dirichlet prior of strength 10 in
    the proportions of all words."""
    a, b = [["x"] * 6, ["y"] * 2], [["x"] * 2, ["y"] * 6, ["z"] * 4]
    table = log_odds(a, b, strength=10, min_count=1, variance="words").set_index("word")
    count = {"x": (6, 2), "y": (2, 6), "z": (0, 4)}
    whole = {word: sum(pair) + 0.5 for word, pair in count.items()}
    for word, pair in count.items():
        prior = 10 * whole[word] / sum(whole.values())
        odds = [np.log((n + prior) / (total + 10 - n - prior)) for n, total in zip(pair, (8, 12))]
        z = (odds[0] - odds[1]) / np.sqrt(sum(1 / (n + prior) for n in pair))
        assert table.loc[word, "log_odds"] == pytest.approx(odds[0] - odds[1]) and table.loc[
            word, "z"
        ] == pytest.approx(z)
    assert table.index.tolist() == ["x", "y", "z"] and table.loc["x", "log_odds"] > 0


def test_a_failing_row_has_its_place_in_the_stream():
    def measured(texts):
        if "bad" in texts:
            raise ValueError("too bad")
        return [len(text) for text in texts]

    texts = ["a"] * 7 + ["bad"] + ["a"] * 3
    with pytest.raises(ShopError, match="row 7 .from 0."):
        list(map_texts(measured, texts, batch=3, workers=1, progress=False))
    assert sum(map_texts(measured, ["ab"] * 7, batch=3, workers=1, progress=False), []) == [2] * 7


@pytest.fixture
def shop():
    """Two items with a title, and reviews of the first: three before NOON, one at it."""
    events = pd.DataFrame(
        {
            "user_id": [1, 2],
            "item_id": [1, 2],
            "action": "buy",
            "ts": NOON - 100,
            "quantity": 1,
            "price": 100,
        }
    )
    products = pd.DataFrame({"item_id": [1, 2], "title": ["红色雨伞", "蓝色杯子"]})
    reviews = pd.DataFrame(
        {
            "user_id": [1, 1, 2, 2],
            "item_id": [1, 1, 1, 1],
            "ts": [NOON - 3, NOON - 2, NOON - 1, NOON],
            "rating": [5.0, 3.0, 1.0, 5.0],
            "text": ["很好看", "一般般", "太差了", "好喜欢"],
        }
    )
    return Shop(events, products, reviews)


@pytest.mark.parametrize("kind, key", [(ItemText, "item_id"), (UserText, "user_id")])
def test_a_review_of_the_moment_itself_is_not_known(shop, kind, key):
    table = kind(n_dims=2).fit_transform(shop, NOON).set_index(key)
    assert table.loc[1, "n_reviews"] == (3 if key == "item_id" else 2) and table.loc[
        2, "n_reviews"
    ] == (0 if key == "item_id" else 1)


def test_a_page_counts_as_much_as_five_reviews(shop):
    """An item's vector is (5 page + sum of reviews) / (5 + reviews): the mean of unit vectors, with
    the weight of the prior."""
    model = ItemText(n_dims=4, prior=5.0).fit(shop, NOON)
    table = model.transform(shop, NOON).set_index("item_id").filter(regex=r"^t\d")
    page, own = model._vectors(shop.products["title"]), model._vectors(shop.reviews["text"][:3])
    assert np.allclose(table.loc[1], (5 * page[0] + own.sum(0)) / 8, atol=1e-6) and np.allclose(
        table.loc[2], page[1], atol=1e-6
    )


# what is learned from


def test_texts_with_contradictory_labels_are_left_out():
    texts, y, rows = distinct(["好", "差", "好", "差 ", "还行", "还行", ""], [1, 0, 1, 1, 1, 0, 1])
    assert texts == ["好"] and y.tolist() == [1] and rows.tolist() == [0]
    assert distinct(["好", "好", "好"], [1, 0, 1])[1].tolist() == [1]  # most say so


def test_reviews_with_three_stars_teach_nothing(shop):
    assert shop_texts(shop)[0] == ["很好看", "太差了", "好喜欢"] and shop_texts(shop)[
        1
    ].tolist() == [1, 0, 1]


def test_folds_are_of_one_size():
    assert (
        np.bincount(text_folds(103, 5, 1)).tolist() == [21, 21, 21, 20, 20]
        and (text_folds(103, 5, 1) != text_folds(103, 5, 2)).any()
    )


def test_held_out_lessons_share_no_template_with_training():
    table = lessons(10, 10, 0)
    out = held_lines(table, 0)
    asked, taught = set(table["template"][out]), set(table["template"][~out])
    assert not asked & taught and 0.05 < len(asked) / table["template"].nunique() < 0.2


def test_the_idf_of_the_svm():
    """idf of a term in n of N texts is ln((1 + N) / (1 + n)) + 1; a term of one text is not learned
    at all."""
    texts = ["甲一", "甲二", "甲三", "甲一", "乙二", "乙三", "甲一", "乙四"]
    model = NgramSVM(longest=1).fit(texts, [1, 0, 1, 1, 0, 0, 1, 0])
    known = sorted(model.idf_[model.idf_ > 0].tolist())
    n = [5, 3, 3, 2, 2]  # 甲, 乙, 一, 二, 三; 四 stands once
    assert np.allclose(known, sorted(np.log(9 / (1 + k)) + 1 for k in n))


def noise(n, seed, length=12):
    """Random texts: their labels cannot be learned."""
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list("天地人和春夏秋冬山水花鸟风云雷电"), length)) for _ in range(n)]


def test_probabilities_are_not_calibrated_on_the_training_texts():
    """With random labels the model knows every text that it has seen by heart; calibrated on these,
    it would be just as sure of new ones."""
    texts, rng = noise(600, 0), np.random.default_rng(1)
    model = SentimentModel(epochs=0, expert=False).fit(texts, rng.integers(0, 2, 600))
    assert np.abs(model.predict_proba(noise(300, 9)) - 0.5).mean() < 0.15


def test_unsure_texts_get_no_label():
    class Fixed(SentimentModel):
        def praise_probability(self, texts):
            return np.array([0.9, 0.8, 0.79, 0.5, 0.21, 0.1])

    assert Fixed(sure=0.8).predict(["x"] * 6).tolist() == [1, 1, -1, -1, -1, 0]


def test_a_network_keeps_the_epoch_that_was_best_on_what_it_did_not_see():
    """With random labels the network memorises its own texts and gets worse on others."""
    texts, held, rng = noise(150, 3), noise(80, 4), np.random.default_rng(2)
    y, y_held = rng.integers(0, 2, 150), rng.integers(0, 2, 80)
    chars = np.unique(np.array([ord(char) for char in "".join(texts)], dtype=np.uint32))
    torch.manual_seed(0)
    calm = {"dropout": 0.0, "embedding_dropout": 0.0, "hidden": 0.0, "pair_bits": 8}
    net = TextCNN(len(chars), n_dims=8, n_filters=8, widths=(1, 2), **calm)
    data, out = (Encoded(part, chars, pair_bits=8) for part in (texts, held))
    history = train(net, data, y, out, y_held, epochs=8, patience=8, rate=0.05, average=0.0)
    wanted = torch.from_numpy(y_held.astype(np.float32))
    loss = binary_cross_entropy_with_logits(torch.from_numpy(logits(net, out)), wanted).item()
    assert history["held"].iloc[-1] > 1.1 * history["held"].min()  # else this test shows nothing
    assert loss == pytest.approx(history["held"].min(), rel=1e-4)


def test_what_a_network_says_does_not_depend_on_the_batch():
    """Padding beside a longer text does not change the answer for a short one."""
    chars = np.unique(np.array([ord(char) for char in "好差看不"], dtype=np.uint32))
    torch.manual_seed(1)
    net = TextCNN(len(chars), n_dims=8, n_filters=8)
    alone, beside = (
        logits(net, Encoded(["好看"], chars)),
        logits(net, Encoded(["好看", "不好看" * 20], chars)),
    )
    assert alone[0] == pytest.approx(beside[0], abs=1e-5)


def test_snownlp_is_undecided_on_empty_texts():
    assert SnowModel().predict_proba(["", "  "]).tolist() == [0.5, 0.5]


# aspects and opinions


def test_a_negator_turns_an_opinion():
    table = Lexicon().predict(["质量好", "质量不好", "物流不是很快", "物流很慢"])
    assert table["aspect"].tolist() == ["quality", "quality", "delivery", "delivery"] and table[
        "polarity"
    ].tolist() == [1, 0, 0, 0]


def test_aspect_scores_leave_out_unlabelled_rows():
    truth = pd.DataFrame(
        {"aspect": ["price", "look", None], "polarity": pd.array([1, None, 0], "Int8")}
    )
    guess = pd.DataFrame(
        {"aspect": ["price", "price", "look"], "polarity": pd.array([1, 1, 1], "Int8")}
    )
    table = aspect_scores(truth, guess).set_index("what")
    assert (
        table[["n", "right"]].values.tolist() == [[2, 1], [2, 1]]
        and table.loc["aspect", "share"] == 0.5
    )


def test_clauses_on_no_aspect_are_not_listed():
    table = review_aspects(["质量很好，昨天刚到家", "谢谢"], Lexicon())
    assert table[["row", "clause", "aspect"]].values.tolist() == [[0, "质量很好", "quality"]]


def test_an_opinion_is_pulled_to_the_mean_by_how_little_is_known():
    """Three items, prior 1/2. Within: squares 0.1² * 2, 0, 0.1² * 2 with 6 - 3 degrees of freedom.
    Between, by method of moments: (sum of n (mean - prior)² - 3 within) / N. Then n between / (n
    between + within) of the way from the prior to the mean."""
    scores, groups = [0.9, 0.7, 0.1, 0.2, 0.4, 0.3], ["a", "a", "b", "c", "c", "c"]
    table = shrunken_means(scores, groups, prior=0.5)
    within = (0.02 + 0 + 0.02) / 3
    between = ((2 * 0.3**2 + 1 * 0.4**2 + 3 * 0.2**2) - 3 * within) / 6
    n, mean = np.array([2, 1, 3]), np.array([0.8, 0.1, 0.3])
    pull = n * between / (n * between + within)
    assert table.attrs["within"] == pytest.approx(within) and table.attrs[
        "between"
    ] == pytest.approx(between)
    assert np.allclose(table["mean"], mean) and np.allclose(
        table["shrunken_mean"], 0.5 + pull * (mean - 0.5)
    )
    assert abs(table.loc["b", "shrunken_mean"] - 0.1) > 2 * abs(
        table.loc["a", "shrunken_mean"] - 0.8
    )  # one text moves less than two


def reviews_of(scores, items, ts=None, rating=None):
    """A shop whose reviews say their own probability of praise."""
    table = pd.DataFrame(
        {
            "user_id": range(len(scores)),
            "item_id": items,
            "ts": NOON if ts is None else ts,
            "rating": rating,
            "text": [f"x{score}" for score in scores],
        }
    )
    return Shop(
        pd.DataFrame({"user_id": [1], "item_id": [1], "action": "view", "ts": NOON}), reviews=table
    )


def read(texts):
    return np.array([float(text[1:]) for text in texts])


def test_an_items_opinion_is_shrunk():
    scores, items = [0.9, 0.8, 0.95, 0.1, 0.5, 0.6, 0.4], [1, 1, 1, 2, 3, 3, 3]
    table = sentiment_of(reviews_of(scores, items), read)
    assert np.allclose(
        table["shrunken_mean"], shrunken_means(scores, items)["shrunken_mean"]
    ) and table.loc[2, "mean"] == pytest.approx(0.1)
    assert table.loc[2, "shrunken_mean"] > 0.12 and table["n"].tolist() == [3, 1, 3]


def test_stars_and_text_contradict():
    table = contradictions(
        reviews_of(
            [0.95, 0.95, 0.95, 0.05, 0.05, 0.5], [1] * 6, rating=[1.0, 2, 3, 4, 2, 5]
        ).reviews,
        read,
    )
    assert sorted(table["rating"]) == [1, 2, 4]


def test_a_class_is_set_against_the_others():
    """In class a three of four clauses on price praise, in b and c two of six."""
    spoken = pd.DataFrame(
        {"row": range(10), "aspect": "price", "polarity": [1, 1, 1, 0, 1, 0, 0, 1, 0, 0]}
    )
    table = class_aspects(spoken, ["a"] * 4 + ["b"] * 3 + ["c"] * 3)
    row = table[(table["class"] == "a") & (table["aspect"] == "price")].iloc[0]
    assert (
        (row["n"], row["praise"], row["rest_n"]) == (4, 0.75, 6)
        and row["rest"] == pytest.approx(1 / 3)
        and row["difference"] == pytest.approx(5 / 12)
    )


def test_months_begin_in_the_shops_time_zone():
    """An hour after midnight in Shanghai it is still the month before in London."""
    first = day_start("2024-06-01")
    table = over_time(
        reviews_of([0.2, 0.4, 0.9], [1] * 3, ts=[first - 10, first, first + 3600]), read
    )
    assert (
        table["n"].tolist() == [1, 2]
        and table["mean"].tolist() == pytest.approx([0.2, 0.65])
        and str(table.index[1].date()) == "2024-06-01"
    )
