"""How long all ranking metrics take for a million users, and how that compares with ranx:
bench/results/metrics.csv.

A process of its own a run, so that memory is that run's own. Ours and ranx in turn, on the same
random lists, at a size that ranx takes: it wants dictionaries or typed lists, and both its time
with and without building these is given. Its compiled functions are compiled before anything is
timed.
"""

import json
import resource
import subprocess
import sys
import time

from _results import ROOT, row, write

RUNS, USERS, SMALL, K, ITEMS = 5, 1_000_000, 50_000, 20, 100_000


def lists(n: int, seed: int = 0):
    """Lists of 20 distinct items with falling scores, a tenth of them tied, and one to eight
    relevant items a user, a third of them on the list.
    """
    import numpy as np
    import scipy.sparse as sp

    rng = np.random.default_rng(seed)
    start = rng.integers(0, ITEMS, n)
    items = (start[:, None] + rng.permutation(ITEMS)[:K]) % ITEMS
    scores = -np.sort(-rng.integers(0, 4000, (n, K)).astype(float), axis=1)
    count = rng.integers(1, 9, n)
    user = np.repeat(np.arange(n), count)
    column = np.where(
        rng.random(len(user)) < 1 / 3,
        items[user, rng.integers(0, K, len(user))],
        rng.integers(0, ITEMS, len(user)),
    )
    relevant = sp.csr_array((np.ones(len(user)), (user, column)), shape=(n, ITEMS))
    relevant.sum_duplicates()
    return items, scores, relevant


def ours(items, scores, relevant, all_of_them: bool) -> tuple[float, list[float]]:
    """Seconds, and the means: the six that ranx has too, or all nine."""
    import numpy as np

    from segtutorial import metrics as m

    started = time.perf_counter()
    found, total = m.relevance_mask(items, relevant, scores), np.diff(relevant.indptr)
    means = [float(metric(found, total).mean()) for metric in m.METRICS.values()]
    if all_of_them:
        means += [
            m.coverage(items, ITEMS),
            m.gini(m.exposure(items, ITEMS)),
            float(m.novelty(items, relevant.sum(axis=0), len(items)).mean()),
        ]
    return time.perf_counter() - started, means


def theirs(items, scores, relevant) -> tuple[float, float, list[float]]:
    """Seconds of ranx with and without building its own structures, and the means."""
    import numpy as np
    from ranx import Qrels, Run, evaluate

    names = [f"{name}@{K}" for name in ("hit_rate", "precision", "recall", "ndcg", "map", "mrr")]
    started = time.perf_counter()
    users = np.char.add("u", np.arange(len(items)).astype(str)).tolist()
    wanted = np.split(relevant.indices.astype(str), relevant.indptr[1:-1])
    qrels = Qrels({user: dict.fromkeys(row.tolist(), 1) for user, row in zip(users, wanted)})
    run = Run(
        {
            user: dict(zip(row, values))
            for user, row, values in zip(users, items.astype(str).tolist(), scores.tolist())
        }
    )
    built = time.perf_counter()
    means = evaluate(qrels, run, names)
    ended = time.perf_counter()
    return ended - started, ended - built, [float(means[name]) for name in names]


def child(task: str) -> None:
    """One measurement, as JSON on stdout."""
    if task == "million":
        data = lists(USERS)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds, _ = ours(*data, all_of_them=True)
        print(
            json.dumps(
                {
                    "seconds": seconds,
                    "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
                    "before": before / 2**20,
                }
            )
        )
        return
    import warnings

    import numpy as np

    warnings.filterwarnings("ignore")
    items, scores, relevant = lists(SMALL)
    scores = np.broadcast_to(
        np.arange(K, 0, -1.0), items.shape
    )  # no ties: how ranx breaks them is not stated
    theirs(items[:50], scores[:50], relevant[:50])  # compiles
    ours(items[:50], scores[:50], relevant[:50], False)
    out = []
    for _ in range(RUNS):
        mine, means = ours(items, scores, relevant, False)
        whole, alone, other = theirs(items, scores, relevant)
        out.append(
            {
                "ours": mine,
                "whole": whole,
                "alone": alone,
                "apart": float(np.abs(np.subtract(means, other)).max()),
            }
        )
    print(json.dumps(out))


def measured(task: str):
    done = subprocess.run(
        [sys.executable, __file__, task], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{task} ended with {done.returncode}: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    million = [measured("million") for _ in range(RUNS)]
    both = measured("ranx")

    def median(values):
        return sorted(values)[len(values) // 2]

    own, small = [run["ours"] for run in both], f"{SMALL:,} users x {K}"
    write(
        "metrics",
        [
            row(
                f"{USERS:,} users x {K}",
                "seconds, nine metrics, ties seen",
                [run["seconds"] for run in million],
                10,
            ),
            row(f"{USERS:,} users x {K}", "peak memory, GiB", [run["peak"] for run in million]),
            row(
                small,
                "seconds, six metrics",
                own,
                peer="ranx, lists built too",
                peers_value=f"{median([run['whole'] for run in both]):.3g}",
            ),
            row(
                small,
                "seconds, six metrics",
                own,
                peer="ranx, evaluate alone",
                peers_value=f"{median([run['alone'] for run in both]):.3g}",
            ),
            row(
                small,
                "times as fast as ranx",
                [run["whole"] / run["ours"] for run in both],
                peer="ranx, lists built too",
            ),
            row(
                small,
                "times as fast as ranx",
                [run["alone"] / run["ours"] for run in both],
                peer="ranx, evaluate alone",
            ),
            row(
                small,
                "largest difference of a mean",
                [run["apart"] for run in both],
                1e-9,
                peer="ranx",
            ),
        ],
    )


if __name__ == "__main__":
    child(sys.argv[1]) if len(sys.argv) > 1 else main()
