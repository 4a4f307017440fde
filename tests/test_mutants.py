"""The faults that `make mutants` tries, without trying them: each still fits the source, and the
machinery does what it says."""

import ast
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "mutants"))

from mutant_rewrite import PACKAGE, Fault, NoMatch, place, rewritten, sources  # noqa: E402
from mutant_table import FAULTS, TESTS  # noqa: E402

# what holds data or words, and computes nothing that a fault could be in
NO_FAULTS = {
    "shop",
    "core/completeness",
    "core/datasets",
    "core/errors",
    "core/fetching",
    "simulation/phrases",
    "simulation/grammar",
    "value/stage",
    "value/outlook_section",
    "sentiment/stage",
    "clean/stage",
    "features/stage",
    "metrics/stage",
    "mf/stage",
    "mf/memory",
}


def named(path):
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def test_every_fault_fits_one_place_of_the_source():
    trees, lost, found = sources(), [], Counter()
    for fault in FAULTS:
        try:
            found[named(place(fault, trees))] += 1
        except NoMatch as error:
            lost.append(str(error))
    assert not lost, "\n".join(lost)
    without = sorted(
        {named(path) for path in trees if path.stem[0] != "_"} - NO_FAULTS - set(found)
    )
    assert not without, f"no fault is in {', '.join(without)}: add one to mutant_table.py"
    assert len(FAULTS) >= 60
    assert max(Counter(fault.name for fault in FAULTS).values()) == 1


def test_the_tests_of_every_fault_are_there():
    named = {name for fault in FAULTS for name in TESTS[fault.tests]}
    assert {name for name in named if not (HERE / name).is_file()} == set()


SOURCE = """
def mean(x, weights=None, *, axis=0):
    # a comment
    total, n = sum(x), len(x)
    return total / max(n, 1) if weights is None else dot(x, weights, where=x>0, axis=axis) / total

class Model:
    def fit(self, X):
        self.mean_ = mean(X); self.n_ = len(X)
        return self
"""


@pytest.mark.parametrize(
    "target, find, put, after",
    [
        ("mean", "max(n, 1)", "n", "return total / n if weights is None"),
        (
            "mean",
            "total / _1 if _2 else _3",
            "_3",
            "return dot(x, weights, where=x > 0, axis=axis) / total",
        ),
        ("mean", "dot(*_1, axis=axis, **_2)", "dot(*_1, **_2)", "dot(x, weights, where=x > 0)"),
        ("mean", "x > 0", "x >= 0", "where=x >= 0"),
        ("Model.fit", "self.n_ = len(X)", "pass", "self.mean_ = mean(X)\n        pass"),
        (
            "Model.fit",
            "return self",
            "self.n_ += 1\nreturn self",
            "self.n_ += 1\n        return self",
        ),
    ],
)
def test_a_snippet_is_exchanged(target, find, put, after):
    assert after in ast.unparse(
        rewritten(Fault("one", target, find, put, "shop"), ast.parse(SOURCE))
    )


@pytest.mark.parametrize(
    "target, find",
    [
        ("mean", "max(n, 2)"),
        ("Model.mean", "max(n, 1)"),
        ("mean", "len(X)"),
        ("mean", "dot(x, weights)"),
        ("mean", "x"),
    ],
)
def test_what_fits_nowhere_or_too_often_is_an_error(target, find):
    assert rewritten(Fault("one", target, find, "0", "shop"), ast.parse(SOURCE)) is None
    with pytest.raises(NoMatch, match="one: "):
        place(Fault("one", target, find, "0", "shop"), {Path("made.py"): ast.parse(SOURCE)})


def test_layout_and_place_do_not_matter(tmp_path):
    """The same function, laid out otherwise in another module, holds the same fault."""
    fault = Fault("one", "mean", "total / max(n, 1)", "total / n", "shop")
    moved = """
import os
def mean(x, weights=None):
    total = sum(x)
    n = len(x)
    if weights is None:
        return (total  # all of it
                / max(n, 1))
"""
    trees = {tmp_path / "deep" / "other.py": ast.parse(moved)}
    assert place(fault, trees).name == "other.py"


def test_a_fault_is_in_every_process(tmp_path):
    """The module is read with the fault in it, wherever it is imported, and a note says that it
    was.
    """
    fault = next(fault for fault in FAULTS if fault.target == "windows")
    code = "from segtutorial.value import windows; print(windows(5000, 180 * 86400, 90)[0])"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    path = os.pathsep.join([str(HERE / "mutants"), str(HERE.parent)])
    env = {**os.environ, "PYTHONPATH": path}
    plain = subprocess.run(
        [sys.executable, "-c", outer], env=env, capture_output=True, text=True
    ).stdout.strip()
    env |= {
        "SEGTUTORIAL_FAULT": fault.name,
        "SEGTUTORIAL_FAULT_FILE": str(place(fault, sources())),
        "SEGTUTORIAL_FAULT_SEEN": str(tmp_path / "seen"),
    }
    changed = subprocess.run(
        [sys.executable, "-c", outer], env=env, capture_output=True, text=True
    ).stdout.strip()
    assert (plain, changed) == ("0", "172800")
    assert (tmp_path / "seen").exists()
