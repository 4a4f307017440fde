"""A million reviews streamed over both cores, rjieba beside jieba, and characters beside words:
bench/results/text.csv.

The million are rows of a packed CSV, written first: simulated reviews, 50,000 different ones, and
where they are on the machine as many real ones between them; a number behind each makes no two rows
equal. The work is what a model's first step would be: one form, words, hashed vectors, their sum. A
process of its own a run, one worker and two in turn; its memory is the largest sum over it and its
children, looked at ten times a second, in which what they share counts once for each. Speed and
likeness of the two dictionaries, and what is right in five folds, are measured on real reviews,
where they are on the machine.
"""

import csv
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _results import ROOT, row, write

RUNS, ROWS, DIFFERENT, COLUMNS = 3, 1_000_000, 50_000, 2**16


def make(path: Path) -> None:
    """The file: a packed CSV of a million rows."""
    import numpy as np

    from segtutorial.core.datasets import fetch_reviews
    from segtutorial.core.fetching import on_machine
    from segtutorial.simulation.grammar import write_reviews
    from segtutorial.simulation.market import ASPECTS, CATEGORIES, key_of
    from segtutorial.simulation.phrases import NOUNS

    rng, codes = np.random.default_rng(0), list(CATEGORIES.index)
    which, opinions = (
        rng.integers(0, len(NOUNS), DIFFERENT),
        rng.normal(0, 1, (DIFFERENT, len(ASPECTS))),
    )
    stars = np.clip(np.round(3 + 2 * opinions.mean(axis=1)), 1, 5).astype(int)
    category = np.array([codes.index(name) for name, _ in NOUNS])[which]
    texts = write_reviews(
        key_of(0, "line", np.arange(DIFFERENT)),
        opinions,
        stars,
        category,
        np.array([noun for _, noun in NOUNS], object)[which],
    )["text"].tolist()
    if on_machine("online_shopping_10_cats"):
        real = fetch_reviews()["text"].dropna().drop_duplicates().sample(DIFFERENT, random_state=0)
        texts = [text for pair in zip(texts, real) for text in pair]
    with gzip.open(path, "wt", encoding="utf-8", newline="", compresslevel=1) as file:
        out = csv.writer(file)
        out.writerow(["id", "text"])
        out.writerows((at, f"{texts[at % len(texts)]}{at}") for at in range(ROWS))


def summed(texts: list[str]):
    """The sum of the hashed vectors of the texts' words."""
    import numpy as np

    from segtutorial.text import Tokenizer, Vectorizer

    return np.asarray(
        Vectorizer(
            "hashing", "words", ngrams=(1, 1), max_features=COLUMNS, tokenizer=Tokenizer("rjieba")
        )
        .transform(texts)
        .sum(axis=0)
    ).ravel()


def stream(path: str, workers: int) -> None:
    """One run, as JSON on stdout; the bar goes to stderr."""
    from segtutorial.text import map_texts, read_texts

    started, total = time.perf_counter(), 0.0
    for part in map_texts(summed, read_texts(path, "text"), workers=workers, total=ROWS):
        total = total + part
    print(json.dumps({"seconds": time.perf_counter() - started, "size": float(abs(total).sum())}))


def memory(process) -> int:
    """Bytes that a process and its children hold now."""
    import psutil

    held = 0
    try:
        for one in [process, *process.children(recursive=True)]:
            try:
                held += one.memory_info().rss
            except psutil.Error:
                pass
    except psutil.Error:
        pass
    return held


def run(path: Path, workers: int) -> dict:
    """One run in a process of its own: seconds, and GiB at most of it and its children."""
    import psutil

    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as bar:
        child = subprocess.Popen(
            [sys.executable, __file__, "stream", str(path), str(workers)],
            cwd=ROOT,
            stdout=said,
            stderr=bar,
        )
        watched, most = psutil.Process(child.pid), 0
        while child.poll() is None:
            most = max(most, memory(watched))
            time.sleep(0.1)
        said.seek(0), bar.seek(0)
        drawn = bar.read()
        if child.returncode:
            sys.exit(f"stream with {workers} workers ended with {child.returncode}: {drawn[-800:]}")
        if f"{ROWS}/{ROWS}" not in drawn:
            sys.exit(f"the bar did not get to its end: {drawn[-200:]!r}")
        return json.loads(said.read()) | {"peak": most / 2**30}


def dictionaries() -> None:
    """jieba and rjieba in turn on real reviews, as JSON on stdout."""
    from segtutorial.core.datasets import fetch_reviews
    from segtutorial.text import Tokenizer, normalize

    texts = normalize(
        fetch_reviews()["text"].dropna().drop_duplicates().sample(10_000, random_state=0)
    )
    made, seconds = {}, {"jieba": [], "rjieba": []}
    for engine in seconds:
        Tokenizer(engine).transform(texts[:10])  # loads the dictionary
    for _ in range(RUNS):
        for engine, times in seconds.items():
            started = time.perf_counter()
            made[engine] = Tokenizer(engine).transform(texts)
            times.append(time.perf_counter() - started)
    letters = sum(map(len, texts)) / 1e6
    alike = sum(one == other for one, other in zip(made["jieba"], made["rjieba"])) / len(texts)
    print(
        json.dumps(
            {"alike": 100 * alike, "texts": len(texts)}
            | {engine: [letters / spent for spent in times] for engine, times in seconds.items()}
        )
    )


def units() -> None:
    """Share of right answers in five folds on waimai_10k, by unit, as JSON on stdout."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline

    from segtutorial.core.datasets import fetch_reviews
    from segtutorial.text import Tokenizer, Vectorizer

    real, out = fetch_reviews("waimai_10k").dropna().drop_duplicates("text"), {}
    for unit in ("words", "chars", "both"):
        model = make_pipeline(
            Vectorizer(unit=unit, tokenizer=Tokenizer("rjieba")),
            LogisticRegression(C=10, solver="liblinear"),
        )
        out[unit] = (
            100
            * cross_val_score(
                model,
                real["text"].to_numpy(object),
                real["label"],
                cv=StratifiedKFold(5, shuffle=True, random_state=0),
            )
        ).tolist()
    print(json.dumps(out | {"texts": len(real)}))


def measured(task: str):
    done = subprocess.run(
        [sys.executable, __file__, task], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{task} ended with {done.returncode}: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    from segtutorial.core.fetching import on_machine

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reviews.csv.gz"
        make(path)
        both, one = zip(*((run(path, 2), run(path, 1)) for _ in range(RUNS)))  # in turn
    sizes = [done["size"] for done in (*both, *one)]
    if max(sizes) > min(sizes) * (1 + 1e-5):
        sys.exit(f"one process and two do not agree: {sizes}")
    million, speed, alone = (
        f"{ROWS:,} reviews",
        [ROWS / done["seconds"] for done in both],
        [ROWS / done["seconds"] for done in one],
    )
    rows = [
        row(
            million,
            "peak memory, GiB, parent and 2 workers",
            [done["peak"] for done in both],
            2,
            peer="1 process",
            peers_value=f"{statistics.median([done['peak'] for done in one]):.3g}",
        ),
        row(
            million,
            "rows a second, 2 workers",
            speed,
            peer="1 process",
            peers_value=f"{statistics.median(alone):.3g}",
        ),
        row(
            million,
            "seconds, 2 workers",
            [done["seconds"] for done in both],
            peer="1 process",
            peers_value=f"{statistics.median([done['seconds'] for done in one]):.3g}",
        ),
    ]
    cut = measured("dictionaries") if on_machine("online_shopping_10_cats") else None
    name = f"{cut['texts']:,} real reviews" if cut else "real reviews"
    rows += [
        row(
            name,
            "million characters a second, rjieba",
            cut and cut["rjieba"],
            peer="jieba",
            peers_value=f"{statistics.median(cut['jieba']):.3g}" if cut else "",
        ),
        row(
            name,
            "times as fast as jieba, rjieba",
            cut and [fast / slow for fast, slow in zip(cut["rjieba"], cut["jieba"])],
        ),
        row(name, "% of texts cut otherwise, rjieba", cut and [100 - cut["alike"]], peer="jieba"),
    ]
    right = measured("units") if on_machine("waimai_10k") else None
    name = f"waimai, {right['texts']:,} texts" if right else "waimai"
    for unit in ("words", "chars", "both"):
        rows += [
            row(
                name,
                f"% right, {unit}, mean of 5 folds",
                right and [statistics.mean(right[unit])],
                peer="words",
                peers_value=f"{statistics.mean(right['words']):.3g}" if right else "",
            ),
            row(name, f"% right, {unit}, sd of 5 folds", right and [statistics.stdev(right[unit])]),
        ]
    write("text", rows)


if __name__ == "__main__":
    if sys.argv[1:2] == ["stream"]:
        stream(sys.argv[2], int(sys.argv[3]))
    elif len(sys.argv) > 1:
        {"dictionaries": dictionaries, "units": units}[sys.argv[1]]()
    else:
        main()
