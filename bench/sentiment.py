"""How good, how fast and how sturdy the sentiment model is: bench/results/sentiment.csv. All of it
takes some 40 minutes on 2 cores; `python bench/sentiment.py folds speed` makes some tables again.

Every figure but those of the task `choice` is that of `SentimentModel()` as it is by default. Folds
are `text_folds` on `distinct` texts, so that no text is in two of them. Models are fitted two at a
time, one core each; seconds and speeds are measured apart, with both cores. Needs the published
reviews in SEGTUTORIAL_DATA, or the net.
"""

import os
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np
import pandas as pd
from _results import FIELDS, ROOT, row, write

from segtutorial.core.datasets import fetch_reviews
from segtutorial.metrics.binary import calibration, calibration_error, wilson
from segtutorial.sentiment import SentimentModel, SnowModel, load
from segtutorial.sentiment.classifiers import (
    NgramSVM,
    distinct,
    known_chars,
    snow_texts,
    text_folds,
)

SHOPS, FOOD = "online_shopping_10_cats", "waimai_10k"
SETS = ("negation", "contrast", "sarcasm")
FIRST = (
    ROOT / "bench" / "results" / "_first.npz"
)  # the model of the first fold of the ten categories, for `robustness`


def data(name):
    """Distinct texts, labels and, of the ten categories, the category of each."""
    table = fetch_reviews(name).dropna(subset="text")
    texts, y, rows = distinct(table["text"], table["label"])
    return texts, y, table["cat"].to_numpy()[rows] if "cat" in table else None


def take(texts, rows):
    return [texts[i] for i in np.flatnonzero(rows)]


def right(p, y):
    return float(((p > 0.5) == y).mean())


def svm_says(svm, texts):
    """The SVM's answers as 1 and 0; unknown texts count as praise, like most reviews."""
    return (np.nan_to_num(svm.decision_function(texts), nan=1.0) > 0).astype(float)


def line(
    task,
    metric,
    values,
    target=None,
    at_most=False,
    peer="",
    peers_value="",
    low=None,
    high=None,
    digits=4,
):
    """A row whose figure is the mean of `values`; its range is theirs, or an interval that is
    given.
    """
    made = row(task, metric, list(values), target, at_most, peer, peers_value)
    mean, low, high = (
        np.mean(values),
        min(values) if low is None else low,
        max(values) if high is None else high,
    )
    made |= {
        key: f"{value:.{digits}f}" for key, value in (("ours", mean), ("low", low), ("high", high))
    }
    if target is not None:
        made["met"] = "yes" if (mean <= target if at_most else mean >= target) else "no"
    return made


def one_core():
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")


def fold(job):
    """One fold: its rows, the model's P(praise) and the SVM's answers."""
    name, k = job
    texts, y, _ = data(name)
    test = text_folds(len(texts)) == k
    model = SentimentModel().fit(take(texts, ~test), y[~test])
    if job == (SHOPS, 0):
        model.save(FIRST)
    p = model.predict_proba(take(texts, test))
    return (
        np.flatnonzero(test),
        p,
        svm_says(NgramSVM().fit(take(texts, ~test), y[~test]), take(texts, test)),
    )


def folds(pool):
    jobs = [(name, k) for name in (SHOPS, FOOD) for k in range(5)]
    found, rows = dict(zip(jobs, pool.map(fold, jobs))), []
    for name, target, snow in (
        (SHOPS, 0.945, "SnowNLP .845, linear SVM .939, BERT .942 (published)"),
        (FOOD, 0.91, "SnowNLP .794, linear SVM .901 (published)"),
    ):
        _, y, _ = data(name)
        parts = [found[name, k] for k in range(5)]
        ours, svm = ([right(part[at], y[part[0]]) for part in parts] for at in (1, 2))
        errors = [calibration_error(calibration(y[part[0]], part[1], bins=15)) for part in parts]
        sure = [np.maximum(part[1], 1 - part[1]) >= 0.8 for part in parts]
        rows += [
            line("folds", f"{name}: accuracy, mean of 5", ours, target, peer=snow),
            line("folds", f"{name}: sd over folds", [np.std(ours, ddof=1)]),
            line("folds", f"{name}: our linear SVM", svm),
            line("folds", f"{name}: gain over that SVM", np.subtract(ours, svm)),
            line("folds", f"{name}: ECE, 15 bins", errors, 0.02, at_most=True),
            line("folds", f"{name}: answered at sure = 0.8", [some.mean() for some in sure]),
            line(
                "folds",
                f"{name}: right of these",
                [right(part[1][some], y[part[0]][some]) for part, some in zip(parts, sure)],
            ),
        ]
        np.savez(
            ROOT / "bench" / "results" / f"_{name}.npz",
            p=np.concatenate([part[1] for part in parts]),
            rows=np.concatenate([part[0] for part in parts]),
        )
    return rows


def everything(_):
    """The model, the SVM, and the model that minds lessons more, of all reviews of the ten
    categories, asked about take-away food and the hand-written sentences.
    """
    texts, y, _ = data(SHOPS)
    food = data(FOOD)[0]
    model, svm, taught = (
        SentimentModel().fit(texts, y),
        NgramSVM().fit(texts, y),
        SentimentModel(epochs=0, teach=1.0).fit(texts, y),
    )
    out = {"food": (model.predict_proba(food), svm_says(svm, food), taught.predict_proba(food))}
    for name in SETS:
        asked = pd.read_csv(ROOT / "data" / "sentences" / f"{name}.csv")["text"]
        out[name] = (model.predict_proba(asked), svm_says(svm, asked), taught.predict_proba(asked))
    return out


def asked(pool):
    found = pool.submit(everything, 0).result()
    food, y, _ = data(FOOD)
    p, svm, taught = found["food"]
    hits, n = int(((p > 0.5) == y).sum()), len(y)
    rows = [
        line(
            "asked",
            "trained on ten categories, asked take-away",
            [hits / n],
            0.859,
            peer="linear SVM .859; ours",
            peers_value=f"{right(svm, y):.4f}",
            low=wilson(hits, n)[0],
            high=wilson(hits, n)[1],
        ),
        line("asked", "the same: ECE, 15 bins", [calibration_error(calibration(y, p, bins=15))]),
        line("asked", "the same, SentimentModel(epochs=0, teach=1)", [right(taught, y)]),
    ]
    snow = SnowModel()
    for name in SETS:
        table = pd.read_csv(ROOT / "data" / "sentences" / f"{name}.csv")
        label, (p, svm, taught) = table["label"].to_numpy(), found[name]
        hits, n = int(((p > 0.5) == label).sum()), len(label)
        rows.append(
            line(
                "asked",
                f"{name}: {n} sentences",
                [hits / n],
                0.9 if name == "negation" else None,
                low=wilson(hits, n)[0],
                high=wilson(hits, n)[1],
                peer="SnowNLP, linear SVM",
                peers_value=(
                    f"{right(snow.predict_proba(table['text']), label):.3f}, "
                    f"{right(svm, label):.3f}"
                ),
            )
        )
        rows.append(
            line(
                "asked",
                f"{name}: SentimentModel(epochs=0, teach=1)",
                [right(taught, label)],
                low=wilson(int(((taught > 0.5) == label).sum()), n)[0],
                high=wilson(int(((taught > 0.5) == label).sum()), n)[1],
            )
        )
        shipped = load().predict_proba(table["text"])
        rows.append(
            line(
                "asked",
                f"{name}: shipped model",
                [right(shipped, label)],
                low=wilson(int(((shipped > 0.5) == label).sum()), n)[0],
                high=wilson(int(((shipped > 0.5) == label).sum()), n)[1],
            )
        )
    return rows


def shipped(pool):
    seen, model, snow, rows = snow_texts(), load(), SnowModel(), []
    rng = np.random.default_rng(0)
    for name, target in ((SHOPS, 0.845), (FOOD, 0.794)):
        texts, y, _ = data(name)
        p = model.predict_proba(texts)
        hits = int(((p > 0.5) == y).sum())
        new = np.flatnonzero([text not in seen for text in texts])
        some = rng.choice(new, 4000, replace=False)
        peer = right(snow.predict_proba([texts[i] for i in some]), y[some])
        rows += [
            line(
                "shipped",
                f"{name}: accuracy, all {len(y):,}",
                [hits / len(y)],
                target,
                low=wilson(hits, len(y))[0],
                high=wilson(hits, len(y))[1],
                peer="SnowNLP, 4,000 texts new to it",
                peers_value=f"{peer:.4f}",
            ),
            line(
                "shipped",
                f"{name}: accuracy on the same 4,000",
                [right(p[some], y[some])],
                peer="SnowNLP",
                peers_value=f"{peer:.4f}",
            ),
            line(
                "shipped", f"{name}: ECE, 15 bins", [calibration_error(calibration(y, p, bins=15))]
            ),
        ]
    return rows


def speed(pool):
    import torch

    torch.set_num_threads(2)
    texts, y, _ = data(SHOPS)
    test = text_folds(len(texts)) == 0
    started = time.perf_counter()
    model = SentimentModel().fit(take(texts, ~test), y[~test])
    fitted = time.perf_counter() - started
    svm, snow, asked = NgramSVM().fit(take(texts, ~test), y[~test]), SnowModel(), take(texts, test)
    many, few = asked * 5, asked[:200]
    model.predict_proba(asked[:1000])
    batch, peers = [], {"SnowNLP": [], "linear SVM": []}
    for _ in range(5):
        for name, call, some in (
            ("", model.predict_proba, many),
            ("linear SVM", svm.decision_function, many),
            ("SnowNLP", snow.predict_proba, few),
        ):
            started = time.perf_counter()
            call(some)
            (peers[name] if name else batch).append(len(some) / (time.perf_counter() - started))
    torch.set_num_threads(1)
    single = []
    for text in asked[:3000]:
        started = time.perf_counter()
        model.predict_proba([text])
        single.append((time.perf_counter() - started) * 1e3)
    tails = [np.quantile(part, 0.99) for part in np.array_split(single, 5)]
    shown = "; ".join(f"{name} {np.median(values):,.0f}" for name, values in peers.items())
    return [
        line("speed", "reviews a second, batch, 2 cores", batch, 20_000, peer=shown, digits=0),
        line(
            "speed",
            "times as fast as SnowNLP",
            np.array(batch) / np.array(peers["SnowNLP"]),
            digits=0,
        ),
        line(
            "speed",
            "one review, p99 of 3,000, ms",
            [np.quantile(single, 0.99)],
            2,
            at_most=True,
            low=min(tails),
            high=max(tails),
            digits=2,
        ),
        line("speed", "one review, median, ms", [np.median(single)], digits=2),
        line(
            "speed",
            "fit on four fifths of ten categories, s, 2 cores",
            [fitted],
            300,
            at_most=True,
            digits=0,
        ),
    ]


def curve_part(job):
    """Accuracy of the model and the SVM after n of the training texts of fold 0."""
    texts, y, _ = data(SHOPS)
    test = text_folds(len(texts)) == 0
    rows = np.random.default_rng(1).permutation(np.flatnonzero(~test))[:job]
    some, asked = [texts[i] for i in rows], take(texts, test)
    return (
        right(SentimentModel().fit(some, y[rows]).predict_proba(asked), y[test]),
        right(svm_says(NgramSVM().fit(some, y[rows]), asked), y[test]),
        int(test.sum()),
    )


def learning_curve(pool):
    sizes, rows = (300, 1000, 3000, 10_000, 30_000), []
    for n, (ours, svm, asked) in zip(sizes, pool.map(curve_part, sizes)):
        for name, value in (("SentimentModel", ours), ("linear SVM", svm)):
            low, high = wilson(round(value * asked), asked)
            rows.append(line("learning curve", f"{name},{n}", [value], low=low, high=high))
    return rows


def left_part(category):
    texts, y, kind = data(SHOPS)
    test = kind == category
    rows = np.random.default_rng(2).permutation(np.flatnonzero(~test))[
        :20_000
    ]  # of some 45,000: ten models, a few minutes
    some = [texts[i] for i in rows]
    ours = right(SentimentModel().fit(some, y[rows]).predict_proba(take(texts, test)), y[test])
    return (
        ours,
        right(svm_says(NgramSVM().fit(some, y[rows]), take(texts, test)), y[test]),
        int(test.sum()),
    )


def left_out(pool):
    kinds, rows = sorted(set(data(SHOPS)[2])), []
    for kind, (ours, svm, n) in zip(kinds, pool.map(left_part, kinds)):
        low, high = wilson(round(ours * n), n)
        rows.append(
            line(
                "left out",
                f"{kind}, {n:,} reviews",
                [ours],
                low=low,
                high=high,
                peer="linear SVM",
                peers_value=f"{svm:.4f}",
            )
        )
    return rows


def perturbed(texts, rng):
    """The texts as others might have typed them: a name and the texts for each way."""
    from opencc import OpenCC

    chars = [chr(code) for code in known_chars(texts, 50) if 0x4E00 <= code < 0xA000]

    def typos(text, share):
        return "".join(
            chars[rng.integers(len(chars))] if rng.random() < share else char for char in text
        )

    def swapped(text):
        at = int(rng.integers(max(len(text) - 1, 1)))
        return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]

    faces, script = ["😀", "👍", "😡", "🌹", "[微笑]"], OpenCC("s2t")
    return {
        "2 of 100 characters replaced": [typos(text, 0.02) for text in texts],
        "5 of 100 characters replaced": [typos(text, 0.05) for text in texts],
        "two neighbours swapped": [swapped(text) for text in texts],
        "one character missing": [
            text[: (at := int(rng.integers(len(text))))] + text[at + 1 :] for text in texts
        ],
        "an emoji of any kind at the end": [
            text + faces[rng.integers(len(faces))] for text in texts
        ],
        "letters and marks of double width": [
            "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
            for text in texts
        ],
        "traditional script": [script.convert(text) for text in texts],
        "a space after every other character": [
            " ".join(text[i : i + 2] for i in range(0, len(text), 2)) for text in texts
        ],
    }


def sturdy_part(_):
    texts, y, _ = data(SHOPS)
    test = text_folds(len(texts)) == 0
    model = (
        SentimentModel.load(FIRST)
        if FIRST.exists()
        else SentimentModel().fit(take(texts, ~test), y[~test])
    )
    svm, asked = NgramSVM().fit(take(texts, ~test), y[~test]), take(texts, test)
    ways = {"as it is": asked} | perturbed(asked, np.random.default_rng(0))
    return {
        name: (
            right(model.predict_proba(some), y[test]),
            right(svm_says(svm, some), y[test]),
            int(test.sum()),
        )
        for name, some in ways.items()
    }


def robustness(pool):
    rows = []
    for name, (ours, svm, n) in pool.submit(sturdy_part, 0).result().items():
        low, high = wilson(round(ours * n), n)
        rows.append(
            line(
                "robustness",
                name,
                [ours],
                low=low,
                high=high,
                peer="linear SVM",
                peers_value=f"{svm:.4f}",
            )
        )
    return rows


def few_part(seed):
    """Accuracy on fold 0 of take-away reviews after n labels, chosen at random, with self-training,
    or where the model is least sure.
    """
    texts, y, _ = data(FOOD)
    test = text_folds(len(texts)) == 0
    pool, truth, exam, y_exam = take(texts, ~test), y[~test], take(texts, test), y[test]
    rng, sizes, out = np.random.default_rng(seed), (50, 100, 200, 400, 800, 1600), {}
    order = rng.permutation(len(pool))

    def fitted(rows, labels=None, weights=None):
        rows = np.asarray(rows)
        return NgramSVM().fit(
            [pool[i] for i in rows], truth[rows] if labels is None else labels, weights
        )

    asked = order[:50].tolist()
    for n in sizes:
        while len(asked) < n:
            doubt = np.abs(np.nan_to_num(fitted(asked).decision_function(pool)))
            doubt[asked] = np.inf
            asked += np.argsort(doubt)[: min(n - len(asked), max(len(asked) // 2, 1))].tolist()
        known = order[:n]
        random = fitted(known)
        score = np.nan_to_num(random.decision_function(pool))
        score[known] = 0
        k = len(pool) // 5
        good, bad = np.argsort(-score)[:k], np.argsort(score)[:k]
        again = fitted(
            np.r_[known, good, bad],
            np.r_[truth[known], np.ones(k, int), np.zeros(k, int)],
            np.r_[np.ones(n), np.full(2 * k, 0.3)],
        )
        out[n] = {
            "random": right(svm_says(random, exam), y_exam),
            "self-training": right(svm_says(again, exam), y_exam),
            "uncertainty": right(svm_says(fitted(asked), exam), y_exam),
        }
    return out


def few_labels(pool):
    found = list(pool.map(few_part, range(6)))
    return [
        line("few labels", f"{how},{n}", [one[n][how] for one in found])
        for how in ("random", "self-training", "uncertainty")
        for n in found[0]
    ]


def label_noise(pool):
    """What the labels allow: texts that stand there with both labels, and the wrong answers of the
    folds that were read by hand.
    """
    rows = []
    for name in (SHOPS, FOOD):
        table = fetch_reviews(name).dropna(subset="text")
        from segtutorial.text.tokens import normalize

        same = (
            pd.DataFrame({"text": normalize(table["text"]), "y": table["label"]})
            .query("text != ''")
            .groupby("text")["y"]
            .agg(["mean", "size"])
        )
        same = same[same["size"] > 1]
        pairs = (same["size"] * (same["size"] - 1) / 2).sum()
        ones = same["mean"] * same["size"]
        rows.append(
            line(
                "label noise",
                f"{name}: pairs of copies with other labels, of {int(pairs):,}",
                [float((ones * (same["size"] - ones)).sum() / pairs)],
            )
        )
    read = pd.read_csv(ROOT / "data" / "sentences" / "errors.csv")
    texts, y, _ = data(SHOPS)
    stored = ROOT / "bench" / "results" / f"_{SHOPS}.npz"
    if stored.exists():
        with np.load(stored) as folds_said:
            wrong = float(((folds_said["p"] > 0.5) != y[folds_said["rows"]]).mean())
        n = len(read)
        for verdict, text in (
            ("label", "the label is wrong"),
            ("unclear", "nobody could tell"),
            ("model", "the model is wrong"),
        ):
            k = int((read["verdict"] == verdict).sum())
            low, high = wilson(k, n)
            rows.append(
                line(
                    "label noise",
                    f"of {n} errors read by hand: {text}",
                    [k / n],
                    low=low,
                    high=high,
                )
            )
        k = int((read["verdict"] == "label").sum())
        low, high = wilson(k, n)
        rows.append(
            line(
                "label noise",
                f"{SHOPS}: ceiling by wrong labels among errors",
                [1 - wrong * k / n],
                low=1 - wrong * high,
                high=1 - wrong * low,
            )
        )
        k = int(read["verdict"].isin(["label", "unclear"]).sum())
        low, high = wilson(k, n)
        rows.append(
            line(
                "label noise",
                f"{SHOPS}: ceiling if nobody can tell the unclear ones",
                [1 - wrong * k / n],
                low=1 - wrong * high,
                high=1 - wrong * low,
            )
        )
    return rows


def choice_part(name):
    """A model of the table of choice: its accuracy on a fifth of half of the training texts of fold
    0 after learning from the rest of that half, seconds to fit, reviews a second, one core.
    """
    import torch
    from torch import nn

    from segtutorial.sentiment.textcnn import Encoded, TextCNN, logits, train

    texts, y, _ = data(SHOPS)
    rows = np.flatnonzero(text_folds(len(texts)) > 0)[
        ::2
    ]  # half of them, so that all of this takes minutes
    held = text_folds(len(rows), random_state=1) == 0
    some, asked = [texts[i] for i in rows[~held]], [texts[i] for i in rows[held]]
    y_some, y_asked = y[rows[~held]], y[rows[held]]

    class Bag(nn.Module):
        """Mean of the vectors of characters and pairs."""

        def __init__(self, n):
            super().__init__()
            self.char, self.pair, self.out, self.pair_bits = (
                nn.Embedding(n + 2, 64, padding_idx=0),
                nn.Embedding((1 << 17) + 1, 64, padding_idx=0),
                nn.Linear(64, 1),
                17,
            )

        def forward(self, one, two):
            real = (one > 0)[..., None]
            return self.out(
                ((self.char(one) + self.pair(two)) * real).sum(1) / real.sum(1).clamp(min=1).sqrt()
            ).squeeze(1)

    class Transformer(nn.Module):
        """Two layers of four heads over characters and pairs; the mean of what comes out."""

        def __init__(self, n):
            super().__init__()
            self.char, self.pair, self.place, self.pair_bits = (
                nn.Embedding(n + 2, 96, padding_idx=0),
                nn.Embedding((1 << 15) + 1, 96, padding_idx=0),
                nn.Embedding(512, 96),
                15,
            )
            layer = nn.TransformerEncoderLayer(96, 4, 192, 0.1, batch_first=True, norm_first=True)
            self.layers, self.out = (
                nn.TransformerEncoder(layer, 2, enable_nested_tensor=False),
                nn.Linear(96, 1),
            )

        def forward(self, one, two):
            pad = one == 0
            x = self.char(one) + self.pair(two) + self.place(torch.arange(one.shape[1]))
            x = (
                self.layers(x, src_key_padding_mask=pad & ~(pad.all(1, keepdim=True)))
                * ~pad[..., None]
            )
            return self.out(x.sum(1) / (~pad).sum(1, keepdim=True).clamp(min=1)).squeeze(1)

    class Recurrent(nn.Module):
        """A gated recurrent network in both directions; the largest of what comes out."""

        def __init__(self, n):
            super().__init__()
            self.char, self.pair, self.pair_bits = (
                nn.Embedding(n + 2, 64, padding_idx=0),
                nn.Embedding((1 << 15) + 1, 64, padding_idx=0),
                15,
            )
            self.gru, self.out, self.drop = (
                nn.GRU(64, 96, batch_first=True, bidirectional=True),
                nn.Linear(192, 1),
                nn.Dropout(0.3),
            )

        def forward(self, one, two):
            x, _ = self.gru(self.drop(self.char(one) + self.pair(two)))
            return self.out(
                self.drop(x.masked_fill((one == 0)[..., None], -1e4).max(1).values)
            ).squeeze(1)

    nets = {
        "embedding bag": (Bag, 4e-3),
        "text CNN": (TextCNN, 2e-3),
        "recurrent (GRU)": (Recurrent, 2e-3),
        "small transformer": (Transformer, 1e-3),
    }
    started = time.perf_counter()
    if name in nets:
        kind, rate = nets[name]
        chars = known_chars(some)
        torch.manual_seed(0)
        net = kind(len(chars))
        train(
            net,
            Encoded(some, chars, net.pair_bits),
            y_some,
            Encoded(asked, chars, net.pair_bits),
            y_asked,
            epochs=3,
            patience=3,
            rate=rate,
        )

        def say(part):
            return logits(net, Encoded(part, chars, net.pair_bits)) > 0
    elif name == "linear SVM, characters 1–4":
        svm = NgramSVM().fit(some, y_some)

        def say(part):
            return svm_says(svm, part) > 0.5
    elif name.startswith("SentimentModel"):
        model = SentimentModel(expert="without" not in name).fit(some, y_some)

        def say(part):
            return model.predict_proba(part) > 0.5
    else:
        from sklearn.linear_model import LogisticRegression
        from sklearn.naive_bayes import MultinomialNB

        from segtutorial.text.vectors import Vectorizer

        vectors = (
            Vectorizer(unit="words", ngrams=(1, 1), max_features=100_000)
            if "words" in name
            else Vectorizer(unit="chars", ngrams=(1, 4), max_features=300_000)
        )
        model = (
            MultinomialNB() if "Bayes" in name else LogisticRegression(C=10, max_iter=200)
        ).fit(vectors.fit_transform(some), y_some)

        def say(part):
            return model.predict(vectors.transform(part)) == 1

    fitted = time.perf_counter() - started
    started = time.perf_counter()
    got = say(asked)
    return (
        float((got == y_asked).mean()),
        fitted,
        len(asked) / (time.perf_counter() - started),
        len(asked),
    )


def choice(pool):
    names = [
        "SentimentModel (SVM, expert, CNN in cascade)",
        "SentimentModel without expert",
        "small transformer",
        "recurrent (GRU)",
        "text CNN",
        "linear SVM, characters 1–4",
        "embedding bag",
        "logistic regression, characters 1–4",
        "naive Bayes, words",
    ]
    rows = []
    for name, (value, seconds, rate, n) in zip(names, pool.map(choice_part, names)):
        low, high = wilson(round(value * n), n)
        rows.append(
            line(
                "choice",
                name,
                [value],
                low=low,
                high=high,
                peer="seconds to fit; reviews a second, 1 core",
                peers_value=f"{seconds:.0f}; {rate:,.0f}",
            )
        )
    return rows


TASKS = {
    "shipped": shipped,
    "folds": folds,
    "asked": asked,
    "robustness": robustness,
    "few labels": few_labels,
    "choice": choice,
    "learning curve": learning_curve,
    "left out": left_out,
    "label noise": label_noise,
    "speed": speed,
}


def main() -> None:
    chosen = [name for name in TASKS if not sys.argv[1:] or name.replace(" ", "-") in sys.argv[1:]]
    if not chosen:
        sys.exit(f"tasks: {', '.join(name.replace(' ', '-') for name in TASKS)}")
    path = ROOT / "bench" / "results" / "sentiment.csv"
    known = (
        pd.read_csv(path, dtype=str, keep_default_na=False)[FIELDS].to_dict("records")
        if path.exists()
        else []
    )
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=one_core) as pool:
        for name in chosen:
            started = time.perf_counter()
            known = [one for one in known if one["task"] != name] + TASKS[name](pool)
            known.sort(key=lambda one: list(TASKS).index(one["task"]))
            write("sentiment", known)  # after each, so that what is done is kept
            print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
