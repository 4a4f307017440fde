"""Matrix factorisation beside irspack, implicit and FAISS, on public logs and at full size:
bench/results/mf.csv.

A process of its own a task. What is compared runs in turn inside one process, epoch by epoch or
list by list, with `OMP_WAIT_POLICY=passive`, which is what a shared machine needs (set below, and
said in the rows). iALS of irspack has the same loss as ours; implicit's weighs cells a little
otherwise, at the same cost. Parameters of what is scored are chosen on items or weeks before the
test. The rows for an accelerator need one, and otherwise nothing but numpy, scipy, pandas and
torch: `python bench/mf.py accelerator` measures them where there is one. Peers: `pip install
implicit irspack faiss-cpu`; without one its figures are not measured. Tasks can be named, such as
`python bench/mf.py epochs topk`; the rows of others stay as they were.
"""

import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _results import FIELDS, ROOT, row, write

POLICY = "OMP passive"
SEEDS, ROUNDS, K = 5, 7, 20
FILMS = dict(
    n_epochs=12, alpha0=0.3, reg=0.007
)  # published for this split: Rendle et al., RecSys 2022, and irspack's notebook


def synthetic(n: int, m: int, cells: int, seed: int = 0):
    """A log with popular and rare users and items: about `cells` different pairs."""
    import numpy as np
    import scipy.sparse as sp

    rng = np.random.default_rng(seed)
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < cells:
        user, item = (
            (n * rng.random(cells) ** 1.6).astype(np.int64),
            (m * rng.random(cells) ** 2.2).astype(np.int64),
        )
        keys = np.unique(np.concatenate([keys, user * m + item]))
    keys = np.sort(rng.choice(keys, cells, replace=False)) if len(keys) > cells else keys
    user, item = rng.permutation(n)[keys // m], rng.permutation(m)[keys % m]
    order = np.lexsort((item, user))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n))])
    return sp.csr_array(
        (np.ones(cells, np.float32), item[order].astype(np.int32), indptr.astype(np.int32)),
        shape=(n, m),
    )


def films():
    """MovieLens 1M, leave one out: matrix, left-out items, negatives; read with pandas alone."""
    import numpy as np
    import pandas as pd
    import scipy.sparse as sp

    folder = Path(os.environ.get("SEGTUTORIAL_DATA", ROOT.parent / "shared" / "data")) / "ncf_ml1m"
    train = pd.read_csv(folder / "ml-1m.train.rebuilt.tsv.gz", sep="\t", header=None).to_numpy()
    test = pd.read_csv(folder / "ml-1m.test.rating.gz", sep="\t", header=None).to_numpy()[:, 1]
    negatives = (
        pd.read_csv(folder / "ml-1m.test.negative.gz", sep="\t", header=None).iloc[:, 1:].to_numpy()
    )
    m = int(max(train[:, 1].max(), test.max(), negatives.max())) + 1
    X = sp.csr_array(
        (np.ones(len(train), np.float32), (train[:, 0], train[:, 1])), shape=(len(test), m)
    )
    X.sum_duplicates()
    X.data[:] = 1
    return X, test, np.where(negatives == test[:, None], -1, negatives)


def irspack(X, d: int, seed: int = 42, **changes):
    """irspack's iALS, ready to run epochs."""
    import scipy.sparse as sp
    from irspack.recommenders import IALSRecommender

    made = IALSRecommender(
        sp.csr_matrix(X),
        **(
            {
                "n_components": d,
                "alpha0": FILMS["alpha0"],
                "reg": FILMS["reg"],
                "n_threads": os.cpu_count(),
                "max_cg_steps": 3,
                "random_seed": seed,
            }
            | changes
        ),
    )
    made.start_learning()
    return made


def loss(X, U, V, alpha0: float, reg: float) -> float:
    """What iALS makes small, from any factors."""
    import numpy as np

    U, V = np.asarray(U, dtype=np.float64), np.asarray(V, dtype=np.float64)
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    seen = np.concatenate(
        [
            np.einsum("ij,ij->i", U[rows[at : at + 500_000]], V[X.indices[at : at + 500_000]])
            for at in range(0, X.nnz, 500_000)
        ]
    )
    known = [X.sum(axis=1) + alpha0 * X.shape[1], X.sum(axis=0) + alpha0 * X.shape[0]]
    return float(
        ((1 - seen) ** 2).sum()
        + alpha0 * ((U.T @ U) * (V.T @ V)).sum()
        + reg * sum((weight[:, None] * Y**2).sum() for weight, Y in zip(known, (U, V)))
    )


def epochs(X, d: int) -> dict:
    """Seconds an epoch of the three, in turn, and the loss of ours and irspack's after as many
    epochs.
    """
    import logging

    import scipy.sparse as sp
    from implicit.cpu.als import AlternatingLeastSquares

    from segtutorial.mf.ials import IALS

    logging.disable(logging.WARNING)
    peer, Xm = irspack(X, d), sp.csr_matrix(X)
    other = AlternatingLeastSquares(
        factors=d,
        regularization=0.01,
        iterations=1,
        num_threads=os.cpu_count(),
        use_cg=True,
        random_state=0,
    )
    spent = {"ours": [], "irspack": [], "implicit": []}
    other.fit(Xm, show_progress=False)
    clock = [time.perf_counter()]

    def in_turn(epoch, model):
        spent["ours"].append(time.perf_counter() - clock[0])
        started = time.perf_counter()
        peer.run_epoch()
        spent["irspack"].append(time.perf_counter() - started)
        taken = []
        other.fit(Xm, show_progress=False, callback=lambda *told: taken.append(told[1]))
        spent["implicit"].append(taken[-1])
        clock[0] = time.perf_counter()

    ours = IALS(d, n_epochs=ROUNDS + 1, alpha0=FILMS["alpha0"], reg=FILMS["reg"], device="cpu").fit(
        X, callback=in_turn
    )
    core = peer.trainer.core_trainer
    return {name: values[1:] for name, values in spent.items()} | {
        "loss": loss(X, ours.user_factors_, ours.item_factors_, FILMS["alpha0"], FILMS["reg"])
        / loss(X, core.user, core.item, FILMS["alpha0"], FILMS["reg"])
    }


def task_epochs() -> list:
    X, *_ = films()
    return [
        {"name": f"iALS epoch, ML-1M, d {d}, {POLICY}", "floor": 0.8} | epochs(X, d)
        for d in (64, 128, 192)
    ] + [
        {"name": f"iALS epoch, 10 million, d 64, {POLICY}", "floor": 0.9}
        | epochs(synthetic(500_000, 100_000, 10_000_000), 64)
    ]


def task_memory() -> dict:
    """Peak memory of a fit of 30 million cells, d 64, in a process that reads the matrix from a
    file.
    """
    out = {}
    with (
        tempfile.TemporaryDirectory() as folder
        # made in a process of its own too: a child's account of memory begins with what its parent
        # held
    ):
        path = Path(folder) / "X.npz"
        child(f"make:{path}")
        for who in ("ours", "implicit"):
            out[who] = [child(f"peak:{who}:{path}") for _ in range(3 if who == "ours" else 1)]
    return out


def make(path: str) -> None:
    import scipy.sparse as sp

    sp.save_npz(path, sp.csr_matrix(synthetic(1_000_000, 200_000, 30_000_000)), compressed=False)


def peak(who: str, path: str) -> dict:
    import resource

    import scipy.sparse as sp

    X, started = sp.load_npz(path), time.perf_counter()
    if who == "ours":
        from segtutorial.mf.ials import IALS

        IALS(64, n_epochs=2, device="cpu").fit(sp.csr_array(X))
    else:
        from implicit.cpu.als import AlternatingLeastSquares

        AlternatingLeastSquares(factors=64, iterations=2, num_threads=os.cpu_count()).fit(
            X, show_progress=False
        )
    return {
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "seconds": time.perf_counter() - started,
    }


def held_back(X, seed: int = 1):
    """One random item of each user held out of the training matrix, and 99 that the user does not
    have: to choose parameters on.
    """
    import numpy as np
    import scipy.sparse as sp

    rng = np.random.default_rng(seed)
    n, m = X.shape
    at = X.indptr[:-1] + (rng.random(n) * np.diff(X.indptr)).astype(int)
    keep = np.ones(X.nnz, bool)
    keep[at] = False
    rows = np.repeat(np.arange(n), np.diff(X.indptr))
    negatives = np.stack(
        [
            rng.choice(
                np.setdiff1d(np.arange(m), X.indices[X.indptr[u] : X.indptr[u + 1]]),
                99,
                replace=False,
            )
            for u in range(n)
        ]
    )
    return (
        sp.csr_array((X.data[keep], (rows[keep], X.indices[keep])), shape=X.shape),
        X.indices[at],
        negatives,
    )


def task_quality() -> dict:
    """MovieLens 1M, left-out item: chosen on items held back from training, then five seeds on the
    test.
    """
    from segtutorial.mf.ease import EASE, Blend
    from segtutorial.mf.factors import leave_one_out_metrics
    from segtutorial.mf.ials import IALS

    X, test, negatives = films()
    T, held, drawn = held_back(X)
    tried, first = {}, IALS(192, **FILMS).fit(T)
    linear = {reg: EASE(reg).fit(T) for reg in (250.0, 500.0, 1000.0)}
    for reg, two in linear.items():
        for share in (0.2, 0.35, 0.5, 0.7, 1.0):
            tried[reg, share] = leave_one_out_metrics(
                Blend(first, two, share), T, held, drawn
            ).mean()
    sampled, full = (
        max(tried, key=lambda at: tried[at]["NDCG@10"]),
        max(tried, key=lambda at: tried[at]["N@20"]),
    )
    alone = max((at for at in tried if at[1] == 1.0), key=lambda at: tried[at]["N@20"])
    out = {
        name: [] for name in ("iALS, d 64", "iALS, d 192", "blend", "blend, full", "irspack, d 192")
    }
    for seed in range(SEEDS):
        for d in (64, 192):
            started = time.perf_counter()
            model = IALS(d, random_state=seed, **FILMS).fit(X)
            took = time.perf_counter() - started
            out[f"iALS, d {d}"].append(
                dict(leave_one_out_metrics(model, X, test, negatives).mean()) | {"seconds": took}
            )
        for name, (reg, share) in (("blend", sampled), ("blend, full", full)):
            started = time.perf_counter()
            both = Blend(model, EASE(reg).fit(X), share)
            took_ease = time.perf_counter() - started
            out[name].append(
                dict(leave_one_out_metrics(both, X, test, negatives).mean())
                | {"seconds": took + took_ease}
            )
        out["irspack, d 192"].append(_irspack_films(X, test, negatives, seed))
    started = time.perf_counter()
    model = EASE(alone[0]).fit(X)
    took = time.perf_counter() - started
    out["EASE"] = [
        dict(leave_one_out_metrics(model, X, test, negatives).mean()) | {"seconds": took}
    ]
    return out | {"chosen": {"blend": sampled, "blend, full": full, "EASE": alone}}


def _irspack_films(X, test, negatives, seed: int) -> dict:
    import numpy as np
    import torch

    from segtutorial.mf.factors import FactorModel, leave_one_out_metrics

    class Vectors(FactorModel):
        _arrays = ("U",)

        def __init__(self):
            pass

        def _vectors(self, rows):
            return self.U[rows], self.V

    started = time.perf_counter()
    peer = irspack(X, 192, seed)
    for _ in range(FILMS["n_epochs"]):
        peer.run_epoch()
    seconds, made = time.perf_counter() - started, Vectors()
    made.U, made.V = (
        torch.from_numpy(np.ascontiguousarray(peer.trainer.transform_user(peer.X_train_all))),
        torch.from_numpy(np.array(peer.trainer.core_trainer.item)),
    )
    made.n_users_, made.n_items_ = X.shape
    return dict(leave_one_out_metrics(made, X, test, negatives).mean()) | {"seconds": seconds}


def task_topk() -> list:
    """All lists of 20 without what the user has, of ours, implicit and FAISS's exact index in turn;
    and one list.
    """
    import numpy as np
    import scipy.sparse as sp
    import torch
    from implicit.cpu.als import AlternatingLeastSquares

    from segtutorial.mf.topk import top_k

    out, rng = [], np.random.default_rng(0)
    for n, m in ((6040, 4_000), (4000, 50_000), (2000, 200_000)):
        U, V = (rng.standard_normal((rows, 64), dtype=np.float32) for rows in (n, m))
        X = sp.random_array(
            (n, m), density=min(0.04, 100 / m), format="csr", rng=rng, dtype=np.float32
        )
        X.sort_indices()
        peer, Xm = AlternatingLeastSquares(factors=64, num_threads=os.cpu_count()), sp.csr_matrix(X)
        peer.user_factors, peer.item_factors = U, V
        u, v, everyone = torch.from_numpy(U), torch.from_numpy(V), np.arange(n)
        ways = {
            "ours": lambda: top_k(u, v, K, X),
            "implicit": lambda: peer.recommend(everyone, Xm, N=K, filter_already_liked_items=True),
            "torch.topk": lambda: [
                torch.topk(u[at : at + 256] @ v.T, K) for at in range(0, n, 256)
            ],
            "argsort, a tenth": lambda: np.argsort(-(U[: n // 10] @ V.T), axis=1)[:, :K],
        }
        try:
            import faiss

            faiss.omp_set_num_threads(os.cpu_count())
            index = faiss.IndexFlatIP(64)
            index.add(V)
            ways["FAISS"] = lambda: index.search(U, K)
        except ImportError:
            pass
        mine, theirs = ways["ours"](), ways["implicit"]()
        same = float(np.isclose(np.sort(mine[1], 1), np.sort(theirs[1], 1), rtol=1e-4).mean())
        spent = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                started = time.perf_counter()
                way()
                spent[name].append(
                    (time.perf_counter() - started) * (10 if name.startswith("argsort") else 1)
                )
        one = {"ours": [], "implicit": []}
        for at in range(400):  # each picks the user's row of what is not to be shown itself
            who = at % n
            for name, way in (
                ("ours", lambda: top_k(u[who : who + 1], v, K, X[who : who + 1])),
                ("implicit", lambda: peer.recommend(who, Xm[who], N=K)),
            ):
                started = time.perf_counter()
                way()
                one[name].append(time.perf_counter() - started)
        out.append(
            {
                "users": n,
                "items": m,
                "same": same,
                "spent": spent,
                "one": {name: float(np.median(values[50:])) * 1e3 for name, values in one.items()},
                "p99": {
                    name: float(np.quantile(values[50:], 0.99)) * 1e3
                    for name, values in one.items()
                },
            }
        )
    return out


def task_naive() -> dict:
    """Examples a second: the listing with its DataLoader of 32, and a whole epoch of MF on
    MovieLens 1M, in turn.
    """
    import numpy as np
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from segtutorial.mf.sgd import MF

    X, *_ = films()
    users, items = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices.astype(np.int64)

    class Listing(nn.Module):
        def __init__(self):
            super().__init__()
            self.user, self.item = nn.Embedding(X.shape[0], 64), nn.Embedding(X.shape[1], 64)

        def forward(self, u, i):
            return torch.sigmoid((self.user(u) * self.item(i)).sum(1))

    net = Listing()
    optimizer, loader = (
        torch.optim.Adam(net.parameters()),
        DataLoader(
            TensorDataset(torch.from_numpy(users), torch.from_numpy(items), torch.ones(len(items))),
            batch_size=32,
            shuffle=True,
        ),
    )

    def listing(steps=150):
        rows, started = iter(loader), None
        for step in range(steps + 10):
            u, i, y = next(rows)
            started = time.perf_counter() if step == 10 else started
            optimizer.zero_grad()
            nn.functional.mse_loss(net(u, i), y).backward()
            optimizer.step()
        return 32 * steps / (time.perf_counter() - started)

    out = {"naive": [], "ours": []}
    for _ in range(5):
        out["naive"].append(listing())
        model = MF(n_factors=64, n_epochs=2, device="cpu")
        model.fit(X)
        out["ours"].append(
            X.nnz * (1 + model.negatives) / float(model.history_["seconds"].diff().iloc[-1])
        )
    return out


def task_shops() -> dict:
    """Tmall and Online Retail by time: parameters by search on earlier windows, NDCG@10 on the last
    fifth, same users for all.
    """
    import numpy as np
    import scipy.sparse as sp

    from segtutorial.clean import clean
    from segtutorial.core.datasets import fetch_online_retail, fetch_tmall
    from segtutorial.metrics import ItemKNN, MostPopular, evaluate
    from segtutorial.metrics.split import split_by_time
    from segtutorial.mf.ease import EASE
    from segtutorial.mf.ials import IALS
    from segtutorial.mf.tuning import EventRecommender, search

    class Peer:
        """A peer's factors behind the methods that EventRecommender asks for."""

        def __init__(self, kind, **settings):
            self.kind, self.settings = kind, settings

        def fit(self, X):
            import torch

            if self.kind == "irspack":
                alpha0 = self.settings["balance"] * float(X.sum()) / np.prod(X.shape)
                peer = irspack(X, 64, alpha0=alpha0, reg=self.settings["reg"], random_seed=0)
                for _ in range(16):
                    peer.run_epoch()
                U, V = peer.trainer.transform_user(peer.X_train_all), peer.trainer.core_trainer.item
            else:
                from implicit.cpu.als import AlternatingLeastSquares

                peer = AlternatingLeastSquares(
                    factors=64,
                    regularization=self.settings["reg"],
                    alpha=self.settings["alpha"],
                    iterations=16,
                    num_threads=os.cpu_count(),
                    random_state=0,
                )
                peer.fit(sp.csr_matrix(X), show_progress=False)
                U, V = peer.user_factors, peer.item_factors
            self.U, self.V = (
                torch.from_numpy(np.array(U, dtype=np.float32)),
                torch.from_numpy(np.array(V, dtype=np.float32)),
            )
            return self

        def recommend(self, rows, k, exclude=None, allowed=None):
            from segtutorial.mf.topk import top_k

            return top_k(
                self.U[rows], self.V, k, None if exclude is None else exclude[rows], allowed
            )

    from functools import partial

    grids = {
        "iALS": (
            partial(IALS, 64, random_state=0),
            {"reg": [0.005, 0.02, 0.06], "balance": [1, 5, 20]},
        ),
        "irspack": (partial(Peer, "irspack"), {"reg": [0.005, 0.02, 0.06], "balance": [1, 5, 20]}),
        "implicit": (
            partial(Peer, "implicit"),
            {"reg": [0.1, 1.0, 10.0], "alpha": [1.0, 5.0, 20.0]},
        ),
        "EASE": (EASE, {"relative": [1, 4, 16, 64]}),
    }
    out = {}
    for shop, weights in (
        ("online_retail", {"buy": 1}),
        ("tmall", {"favorite": 0.3, "cart": 0.5, "buy": 1}),
    ):
        log = (
            clean(fetch_online_retail()).shop.behaviors
            if shop == "online_retail"
            else fetch_tmall().behaviors
        )
        split, rows = split_by_time(log), {}
        for name, (make, grid) in grids.items():
            if name == "EASE" and EASE.needs(split.train["item_id"].nunique()) > 4 << 30:
                continue
            best = search(
                make, grid, split.train, weights, folds=2, users=1000, patience=None
            ).iloc[0]
            model = EventRecommender(make(**{key: best[key] for key in grid}), weights)
            result = evaluate(model, split, metrics=["ndcg"], against=MostPopular()).iloc[0]
            rows[name] = [result["value"], result["low"], result["high"]]
            rows["most popular"] = [
                result["against"],
                result["against_low"],
                result["against_high"],
            ]
        result = evaluate(ItemKNN(), split, metrics=["ndcg"]).iloc[0]
        out[shop] = rows | {
            "item-kNN": [result["value"], result["low"], result["high"]],
            "users": int(split.counts["test_users"]),
        }
    return out


def task_accelerator() -> dict:
    """Seconds an epoch and lists a second on an accelerator and on this machine's processor; empty
    without an accelerator.
    """
    import torch

    if not torch.cuda.is_available():
        return {}
    from segtutorial.mf.ials import IALS
    from segtutorial.mf.topk import top_k

    out = {"device": torch.cuda.get_device_name(), "cores": os.cpu_count()}
    for name, X in (
        ("ML-1M", films()[0]),
        ("30 million", synthetic(1_000_000, 200_000, 30_000_000)),
    ):
        seconds = {}
        for device, rounds in (("cuda", 8), ("cpu", 4)):
            history = (
                IALS(64, n_epochs=rounds, device=device, alpha0=FILMS["alpha0"], reg=FILMS["reg"])
                .fit(X)
                .history_["seconds"]
            )
            seconds[device] = history.diff().iloc[2:-1].tolist()
        # a half epoch reads each filled cell's vector four times (two sampled products, two sums)
        moved = 2 * 4 * X.nnz * 64 * 4
        out[name] = {"seconds": seconds, "GB/s": [moved / value / 1e9 for value in seconds["cuda"]]}
        try:
            peer, spent = irspack(X, 64), []
            for _ in range(4):
                started = time.perf_counter()
                peer.run_epoch()
                spent.append(time.perf_counter() - started)
            out[name]["irspack"] = spent[1:]
        except ImportError:
            pass
        try:
            import scipy.sparse as sp
            from implicit.gpu.als import AlternatingLeastSquares

            taken = []
            AlternatingLeastSquares(factors=64, iterations=4).fit(
                sp.csr_matrix(X), show_progress=False, callback=lambda *told: taken.append(told[1])
            )
            out[name]["implicit"] = taken[1:]
        except Exception:  # implicit says in several ways that it was built without CUDA
            pass
    big = torch.empty(1 << 28, device="cuda")
    started = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    big.clone(), torch.cuda.synchronize(), started[0].record()
    for _ in range(5):
        big.clone()
    started[1].record(), torch.cuda.synchronize()
    out["copy GB/s"] = 5 * 2 * big.nbytes / (started[0].elapsed_time(started[1]) / 1e3) / 1e9
    U, V, spent = (
        torch.randn(100_000, 64, device="cuda"),
        torch.randn(50_000, 64, device="cuda"),
        [],
    )
    for _ in range(4):
        at = time.perf_counter()
        top_k(U, V, K)
        spent.append(len(U) / (time.perf_counter() - at))
    return out | {"topk": spent[1:]}


TASKS = {
    "epochs": task_epochs,
    "memory": task_memory,
    "quality": task_quality,
    "topk": task_topk,
    "naive": task_naive,
    "shops": task_shops,
    "accelerator": task_accelerator,
}


def child(task: str):
    """What a task found, from a process of its own; None where a package or data set is missing, or
    it failed, which is said.
    """
    done = subprocess.run(
        [sys.executable, __file__, f"child:{task}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_WAIT_POLICY": "passive"},
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else ""
        if (
            "ModuleNotFoundError" in last
            or "FileNotFoundError" in last
            or "is not on this machine" in last
        ):
            print(f"not measured, {task}: {last}")
            return None
        sys.exit(f"{task} ended with {done.returncode}: {done.stderr[-1500:]}")
    return json.loads(done.stdout.splitlines()[-1])


def median(values) -> float:
    return statistics.median(values)


def ratios(theirs: list[float], ours: list[float]) -> list[float]:
    """How many times as fast ours is, pair by pair of the rounds."""
    return [a / b for a, b in zip(theirs, ours)]


def rows_epochs(found) -> list[dict]:
    if found is None:
        return [
            row(
                f"iALS epoch, {name}, {POLICY}",
                "times as fast as the faster of irspack and implicit",
                None,
                floor,
                False,
            )
            for name, floor in (
                ("ML-1M, d 64", 0.8),
                ("ML-1M, d 128", 0.8),
                ("ML-1M, d 192", 0.8),
                ("10 million, d 64", 0.9),
            )
        ]
    out = []
    for one in found:
        best = min(("irspack", "implicit"), key=lambda name: median(one[name]))
        out += [
            row(
                one["name"],
                "times as fast as the faster of irspack and implicit",
                ratios(one[best], one["ours"]),
                one["floor"],
                False,
                peer=best,
                peers_value=1,
            ),
            row(
                one["name"],
                "seconds",
                one["ours"],
                peer="irspack",
                peers_value=f"{median(one['irspack']):.3g}",
            ),
            row(
                one["name"],
                "seconds",
                one["ours"],
                peer="implicit",
                peers_value=f"{median(one['implicit']):.3g}",
            ),
            row(
                one["name"],
                f"loss after {ROUNDS + 1} epochs, beside irspack's",
                [one["loss"]],
                1.005,
                peer="irspack",
                peers_value=1,
            ),
        ]
    return out


def rows_memory(found) -> list[dict]:
    peer = (
        f"{median([one['peak'] for one in found['implicit']]):.3g}"
        if found and found["implicit"][0]
        else ""
    )
    return [
        row(
            "30 million, d 64",
            "peak memory, GiB, the matrix included",
            found and [one["peak"] for one in found["ours"]],
            1.35,
            peer="implicit",
            peers_value=peer,
        )
    ]


def rows_quality(found) -> list[dict]:
    name, out = "ML-1M, one left out, ", []

    def values(model, metric):
        return found and [one[metric] for one in found[model]]

    def peer(metric):
        return f"{statistics.mean(values('irspack, d 192', metric)):.4f}" if found else ""

    def add(model, metric, target, at_most=False, whose="irspack, d 192", label=None):
        got = values(model, metric)
        made = row(
            name + (label or model),
            metric if metric != "seconds" else "seconds of fitting",
            got,
            target,
            at_most,
            peer=whose,
            peers_value=peer(metric) if whose == "irspack, d 192" else "",
        )
        if got:  # a mean over seeds was asked for, with four digits
            made |= {
                "ours": f"{statistics.mean(got):.4f}",
                "low": f"{min(got):.4f}",
                "high": f"{max(got):.4f}",
            }
            if target is not None:
                made["met"] = (
                    "yes"
                    if (
                        statistics.mean(got) <= target
                        if at_most
                        else statistics.mean(got) >= target
                    )
                    else "no"
                )
        out.append(made)

    chosen = (
        found["chosen"]
        if found
        else {"blend": ["?", "?"], "blend, full": ["?", "?"], "EASE": ["?", 1]}
    )
    best = (
        f"blend of iALS d 192 and EASE {chosen['blend'][0]}, share {chosen['blend'][1]}, chosen "
        "on held-back items"
    )
    for metric, floor in (("HR@10", 0.729), ("NDCG@10", 0.452), ("seconds", 10)):
        add("blend", metric, floor, metric == "seconds", label=best)
    for metric, aim in (("HR@10", 0.735), ("NDCG@10", 0.455)):
        add("blend", metric, aim, label=best + "; the aim")
    for model in ("iALS, d 192", "iALS, d 64"):
        for metric in ("HR@10", "NDCG@10", "R@20", "N@20", "seconds"):
            add(model, metric, None)
    for metric, floor in (("R@20", 0.182), ("N@20", 0.073)):
        add(
            "EASE",
            metric,
            floor,
            whose="EASE, measured before, to three digits",
            label=f"EASE {chosen['EASE'][0]}, full ranking",
        )
        if found:
            out[-1]["met"] = (
                "yes" if round(statistics.mean(values("EASE", metric)), 3) >= floor else "no"
            )
    full = (
        f"blend with EASE {chosen['blend, full'][0]}, share {chosen['blend, full'][1]}, full "
        "ranking; the aim"
    )
    for metric, aim in (("R@20", 0.185), ("N@20", 0.075)):
        add("blend, full", metric, aim, whose="", label=full)
    for metric in ("HR@10", "NDCG@10"):
        add("EASE", metric, None, whose="", label=f"EASE {chosen['EASE'][0]}")
    return out


def rows_topk(found) -> list[dict]:
    if found is None:
        return [row("top-20, all users", "times as fast as implicit", None)]
    out = []
    for one, floor in zip(found, (1.8, 1.0, 1.2)):
        name, spent = f"top-20, {one['items']:,} items, d 64, {POLICY}", one["spent"]
        out += [
            row(
                name,
                "times as fast as implicit, what users have left out",
                ratios(spent["implicit"], spent["ours"]),
                floor,
                False,
                peer="implicit",
                peers_value=1,
            )
        ]
        out += [
            row(
                name,
                "lists a second",
                [one["users"] / value for value in spent["ours"]],
                peer=peer + (", excludes nothing" if peer in ("FAISS", "torch.topk") else ""),
                peers_value=f"{one['users'] / median(spent[peer]):.3g}",
            )
            for peer in ("implicit", "FAISS", "torch.topk", "argsort, a tenth")
            if peer in spent
        ]
        out += [
            row(
                name,
                "share of scores that agree with implicit's",
                [one["same"]],
                0.9999,
                False,
                peer="implicit",
            )
        ]
        if one["items"] == 50_000:
            out += [
                row(
                    name,
                    "one user, ms, p50",
                    [one["one"]["ours"]],
                    round(one["one"]["implicit"], 3),
                    peer="implicit",
                    peers_value=f"{one['one']['implicit']:.3g}",
                ),
                row(
                    name,
                    "one user, ms, p99",
                    [one["p99"]["ours"]],
                    peer="implicit",
                    peers_value=f"{one['p99']['implicit']:.3g}",
                ),
            ]
    return out


def rows_naive(found) -> list[dict]:
    return [
        row(
            f"MF, ML-1M, d 64, {POLICY}",
            "times as fast as the naive listing, examples a second",
            found and ratios(found["ours"], found["naive"]),
            100,
            False,
            peer="naive listing",
            peers_value=1,
        ),
        row(
            f"MF, ML-1M, d 64, {POLICY}",
            "examples a second",
            found and found["ours"],
            peer="naive listing",
            peers_value=f"{median(found['naive']):.3g}" if found else "",
        ),
    ]


def rows_shops(found) -> list[dict]:
    out = []
    for shop in ("online_retail", "tmall"):
        for name in ("iALS", "EASE", "irspack", "implicit", "item-kNN", "most popular"):
            got = found and found[shop].get(name)
            made = row(
                f"{shop} by time" + (f", {found[shop]['users']:,} users" if found else ""),
                f"NDCG@10, {name}",
                got and got[:1],
                peer="most popular",
                peers_value=f"{found[shop]['most popular'][0]:.4f}" if found else "",
            )
            if got:
                made |= {"ours": f"{got[0]:.4f}", "low": f"{got[1]:.4f}", "high": f"{got[2]:.4f}"}
            out.append(made)
    return out


def rows_accelerator(found) -> list[dict]:
    out = []
    for name in ("ML-1M", "30 million"):
        one = found[name] if found else None
        task = f"accelerator, {name}, d 64"
        cores = f"{found['cores']} cores of that machine" if found else "2 cores"
        out += [
            row(
                task,
                "seconds an epoch",
                one and one["seconds"]["cuda"],
                peer=cores,
                peers_value=f"{median(one['seconds']['cpu']):.3g}" if one else "",
            ),
            row(
                task,
                "times as fast as irspack on that machine's cores",
                ratios(
                    [median(one["irspack"])] * len(one["seconds"]["cuda"]), one["seconds"]["cuda"]
                )
                if one and "irspack" in one
                else None,
                peer="irspack",
            ),
            row(
                task,
                "times as fast as implicit's GPU build",
                ratios(
                    [median(one["implicit"])] * len(one["seconds"]["cuda"]), one["seconds"]["cuda"]
                )
                if one and "implicit" in one
                else None,
                peer="implicit, GPU",
            ),
            row(
                task,
                "share of the memory bandwidth of a copy",
                [value / found["copy GB/s"] for value in one["GB/s"]] if one else None,
            ),
        ]
    out += [row("accelerator, top-20, 50,000 items", "lists a second", found and found["topk"])]
    return [one | ({"device": found["device"]} if found else {}) for one in out]


ROWS = {
    "epochs": rows_epochs,
    "memory": rows_memory,
    "quality": rows_quality,
    "topk": rows_topk,
    "naive": rows_naive,
    "shops": rows_shops,
    "accelerator": rows_accelerator,
}
NAMES = {
    "epochs": "iALS epoch",
    "memory": "30 million",
    "quality": "ML-1M",
    "topk": "top-20",
    "naive": "MF, ML-1M",
    "shops": ("online_retail", "tmall"),
    "accelerator": "accelerator",
}


def main(chosen: list[str]) -> None:
    path = ROOT / "bench" / "results" / "mf.csv"
    before = list(csv.DictReader(path.open(encoding="utf-8", newline=""))) if path.exists() else []
    rows = []
    for task in TASKS:
        if task in chosen:
            print(f"… {task}", flush=True)
            rows += ROWS[task](child(task) or None)
        else:
            rows += [
                {name: one[name] for name in FIELDS}
                for one in before
                if one["task"].startswith(NAMES[task])
            ]
    write("mf", rows)


if __name__ == "__main__":
    if sys.argv[1:] and sys.argv[1].startswith("child:"):
        task, *rest = sys.argv[1].removeprefix("child:").split(":", 2)
        print(
            json.dumps(
                TASKS[task]() if task in TASKS else {"make": make, "peak": peak}[task](*rest)
            )
        )
    else:
        main(sys.argv[1:] or list(TASKS))
