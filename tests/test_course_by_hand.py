"""The workbook's hints and the learner edition, on a chapter of three cells."""

import json

import pytest

from segtutorial.course import workbook
from segtutorial.course.edition import edition


@pytest.fixture
def doubled():
    """An exercise with two hints; it is forgotten again afterwards."""

    @workbook.checker("Think of a sum.", "Add it to itself.")
    def check_doubled(answer):
        assert answer(3) == 6, "3 doubled is 6"

    yield check_doubled
    del workbook._made["doubled"]
    workbook._tries.pop("doubled", None)


def test_each_new_attempt_hears_the_next_hint(doubled, capsys):
    def said(body):
        space = {"__name__": "__main__"}
        exec(
            compile(f"def doubled(x):\n    'Twice x.'\n    return {body}", "<cell>", "exec"), space
        )
        workbook.check(space["doubled"])
        return capsys.readouterr().out.rstrip().split("\n")[-1]

    first, again, second, right = said("x + 1"), said("x + 1"), said("x + 2"), said("x + x")
    assert again == first == "Hint 1 of 2: Think of a sum."
    assert second == "Hint 2 of 2: Add it to itself." and right.startswith("Right")


def cell(key, source, tags=(), outputs=None):
    made = {
        "cell_type": "code",
        "id": key,
        "source": source,
        "metadata": {"tags": list(tags)},
        "execution_count": 1,
        "outputs": outputs or [],
    }
    return made


def test_a_learner_sees_no_verdict_and_keeps_what_is_written(tmp_path):
    said = [{"output_type": "stream", "name": "stdout", "text": "Right: it is\n"}]
    shown = [{"output_type": "stream", "name": "stdout", "text": "42\n"}]
    cells = [
        cell("one", "print(42)", outputs=shown),
        cell(
            "two",
            "def doubled(x):\n    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION",
            ["exercise"],
            said,
        ),
        cell("three", "check(doubled)", ["check"], said),
    ]
    folder, out = tmp_path / "nbs", tmp_path / "workbook"
    folder.mkdir()
    (folder / "01_tea.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
        encoding="utf-8",
    )
    edition(folder, out)
    made = json.loads((out / "01_tea.ipynb").read_text(encoding="utf-8"))["cells"]
    assert [bool(part["outputs"]) for part in made] == [
        True,
        False,
        False,
    ] and "x + x" not in json.dumps(made)
    mine = json.loads((out / "01_tea.ipynb").read_text(encoding="utf-8"))
    mine["cells"][1]["source"] = ["def doubled(x):\n", "    return 2 * x"]
    (out / "01_tea.ipynb").write_text(json.dumps(mine), encoding="utf-8")
    edition(folder, out)
    assert "return 2 * x" in (out / "01_tea.ipynb").read_text(encoding="utf-8")
