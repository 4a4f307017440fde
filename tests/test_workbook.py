"""Exercises and the learner edition: every exercise is whole and proven, no solution leaks, and no
remake takes anything that a learner wrote.
"""

import ast
import copy
import io
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbclient import NotebookClient
from pyflakes import api, reporter

from segtutorial.core.errors import ShopError
from segtutorial.course import edition as made_by
from segtutorial.course import workbook
from segtutorial.course.edition import edition, exercises

ROOT = Path(__file__).resolve().parent.parent
NBS = ROOT / "nbs"
CHAPTERS = sorted(path.stem for path in NBS.glob("*.ipynb"))
BOOK = workbook._book()
TALK_OF_MARKS = {"00f_workbook", "00g_edition"}  # chapters that explain the marks around a solution
chapters, tasks = (
    pytest.mark.parametrize("chapter", CHAPTERS),
    pytest.mark.parametrize("name", BOOK),
)


def read(folder, chapter):
    return nbformat.read(Path(folder) / f"{chapter}.ipynb", 4).cells


def tags(cell):
    return set(cell.metadata.get("tags", []))


@pytest.fixture(scope="session")
def learner(tmp_path_factory):
    out = tmp_path_factory.mktemp("course") / "workbook"
    edition(NBS, out)
    return out


# --- every exercise ---


def test_the_book_of_exercises_is_in_step_with_the_chapters():
    assert BOOK == exercises(NBS), "run `make export`"
    assert {entry["chapter"][:2] for entry in BOOK.values()} >= {
        "00",
        "01",
        "02",
        "03",
        "04",
        "05",
        "06",
        "10",
    }


@chapters
def test_an_exercise_has_its_cells_in_order(chapter):
    """Checker, exercise, check and prove bear one name; the task precedes them, without hints."""
    cells = [
        cell
        for cell in read(NBS, chapter)
        if tags(cell) & {"checker", "exercise", "check", "prove"}
    ]
    names = [
        name
        for name, entry in sorted(BOOK.items(), key=lambda item: item[1]["number"])
        if entry["chapter"] == chapter
    ]
    assert [tags(cell) for cell in cells] == [
        {kind} for _ in names for kind in ("checker", "exercise", "check", "prove")
    ]
    for name, (checker, exercise, check, prove) in zip(names, zip(*[iter(cells)] * 4)):
        assert f"def check_{name}(" in checker.source and f"def {name}(" in exercise.source
        assert re.search(rf"^check\({name}\)$", check.source, re.MULTILINE)
        assert re.search(rf"^prove\(\s*{name},\s", prove.source, re.MULTILINE)
        assert (
            checker.source.startswith("#| hide\n")
            and prove.source.startswith("#| hide\n")
            and not exercise.source.startswith("#|")
        )
    tasks = "\n".join(
        cell.source
        for cell in read(NBS, chapter)
        if cell.cell_type == "markdown" and "### Exercise" in cell.source
    )
    assert not names or len(re.findall("^### Exercise", tasks, re.MULTILINE)) >= len(names)


@tasks
def test_an_exercise_is_proven_on_wrong_answers(name):
    """The prove cells run with the notebooks; here is looked whether they are there, with two wrong
    answers besides giving nothing back, or more.
    """
    cell = next(
        cell
        for cell in read(NBS, BOOK[name]["chapter"])
        if tags(cell) == {"prove"} and re.search(rf"prove\(\s*{name},", cell.source)
    )
    call = next(
        node
        for node in ast.walk(ast.parse(cell.source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "prove"
    )
    assert len(call.args) >= 3
    assert len(BOOK[name]["hints"]) >= 2 and BOOK[name]["title"].startswith("Exercise ")
    assert ast.get_docstring(
        next(
            node
            for node in ast.parse(workbook.solved(BOOK[name]["exercise"])).body
            if getattr(node, "name", "") == name
        )
    )


@tasks
def test_a_stub_is_told_what_to_do(name, capsys):
    """Without the chapter having run: who has written nothing needs no data to hear so."""
    space = {"__name__": "__main__"}
    try:
        exec(workbook.stub(BOOK[name]["exercise"]), space)
    except NameError:
        pytest.skip(f"skipped: the stub of {name} needs names of its chapter")
    answer = space[name]
    assert workbook._is_stub(answer, BOOK[name]["exercise"])
    said = workbook._to_do(answer)
    assert "write the body" in said and (answer.__doc__ or "").strip()[:20] in said


def names_unknown(source, builtins=()):
    text = re.sub(r"^([ \t]*)[%!].*$", r"\1pass", source, flags=re.MULTILINE)
    out = io.StringIO()
    api.check(text, "nb", reporter.Reporter(out, out))
    return set(re.findall(r"undefined name '(\w+)'", out.getvalue())) - {
        "display",
        "get_ipython",
        *builtins,
    }


@chapters
def test_a_chapter_needs_nothing_that_a_learner_does_not_get(chapter, learner):
    """What visible cells use is made in visible cells; a packaged check may use those, and the
    checkers before it.
    """
    cells = [cell for cell in read(learner, chapter) if cell.cell_type == "code"]
    assert not names_unknown("\n".join(cell.source for cell in cells))
    before, checkers = (
        [],
        sorted(
            (entry for entry in BOOK.values() if entry["chapter"] == chapter),
            key=lambda entry: entry["number"],
        ),
    )
    for cell in cells:
        before.append(cell.source)
        if "check" in tags(cell):
            number = BOOK[made_by._exercise_of(cell)]["number"]
            assert not names_unknown(
                "\n".join(before + [entry["checker"] for entry in checkers[:number]])
            )


# --- the learner edition of the course ---


@chapters
def test_the_learner_edition_gives_nothing_away(chapter, learner):
    cells = read(learner, chapter)
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert not any(
        tags(cell) & {"checker", "prove"} or re.match(r"\s*#\|", cell.source) for cell in cells
    )
    for name, entry in BOOK.items():
        block = textwrap.dedent(
            "\n".join(
                re.findall(
                    r"### BEGIN SOLUTION\n(.*?)\n[ \t]*### END SOLUTION",
                    entry["exercise"],
                    re.DOTALL,
                )
            )
        )
        assert entry["checker"] not in code and f"def check_{name}(" not in code
        if entry["chapter"] == chapter:
            assert textwrap.indent(block, "    ") not in code and entry["exercise"] not in code
    if chapter not in TALK_OF_MARKS:
        assert "SOLUTION" not in code and not re.search(r"^\s*prove\(", code, re.MULTILINE)
    for cell in cells:
        if tags(cell) & {"exercise", "check"}:
            assert cell.outputs == [] and cell.execution_count is None
        if tags(cell) == {"exercise"}:
            assert "...  # your code here" in cell.source


@chapters
def test_the_learner_edition_names_no_machine_and_breaks_no_link(chapter, learner):
    for cell in read(learner, chapter):
        outputs = json.dumps(list(cell.get("outputs", [])), ensure_ascii=False)
        assert not re.search(r"(?<![\w.:/-])/(?:home|root|tmp|work|Users)/\w", outputs)
        if cell.cell_type == "markdown":
            for target in re.findall(
                r"\]\(([\w./-]+)(?:#[\w-]*)?\)|src=\"([\w./-]+)\"", cell.source
            ):
                path = "".join(target)
                assert (
                    (learner / path).exists() or path.startswith("../") and (NBS / path).exists()
                ), path


def test_a_second_making_changes_no_byte(learner):
    before = {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in learner.rglob("*")
        if path.is_file()
    }
    assert set(edition(NBS, learner).values()) == {"as it was"}
    assert before == {
        path: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in learner.rglob("*")
        if path.is_file()
    }
    assert {path.stem for path in learner.glob("*.ipynb")} == set(CHAPTERS) and (
        learner / "index.ipynb"
    ).exists()


def test_the_libraries_that_check_needs_are_light():
    code = (
        "import sys, segtutorial.course.workbook; print(*({'pandas', 'torch', 'matplotlib'} & "
        "sys.modules.keys()))"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (out.returncode, out.stdout.split()) == (0, [])


# --- a learner, in a real kernel ---


def attempt(body):
    return nbformat.v4.new_code_cell(
        'def to_cents(yuan):\n    "Whole cents (Int64) of prices in yuan (float)."\n    '
        f"return {body}\n\ncheck(to_cents)"
    )


def said(cell):
    return "".join(output.get("text", "") for output in cell.outputs)


def test_a_learner_works_through_a_chapter(learner):
    """Run All on the untouched notebook runs to its end; then tries, hints, a solution on request,
    and the right answers.
    """
    notebook = nbformat.read(learner / "00a_tables.ipynb", 4)
    tries = [
        attempt(body)
        for body in (
            "yuan",
            "yuan  # the same again",
            "yuan.round()",
            "np.floor(yuan * 100).astype('Int64')",
            "yuan[0] / nothing",
        )
    ]
    tries += [
        nbformat.v4.new_code_cell(source)
        for source in ("check(to_cents, solution=True)", "check(to_cents, hint=True)", "check(3)")
    ]
    answers = [
        nbformat.v4.new_code_cell(f"{workbook.solved(BOOK[name]['exercise'])}\n\ncheck({name})")
        for name in BOOK
        if BOOK[name]["chapter"] == "00a_tables"
    ]
    untouched = list(notebook.cells)
    notebook.cells += tries + answers
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(learner)}}
    ).execute()

    checks = [said(cell) for cell in untouched if "check" in tags(cell)]
    assert len(checks) == 3 and all(
        text.startswith("Nothing to check yet: write the body of") and "hint=True" in text
        for text in checks
    )
    first, same, second, third, broken, solution, hint, called = map(said, tries)
    assert (
        first.startswith("Not yet. These are still yuan")
        and "Hint 1 of 2" in first
        and same == first
    )
    assert "Hint 2 of 2" in second and "no further hint" not in second
    assert (
        "loses a cent" in third
        and "no further hint" in third
        and "check(to_cents, solution=True)" in third
    )
    assert (
        "NameError: name 'nothing' is not defined" in broken
        and "line 3 of your cell: return yuan[0] / nothing" in broken
        and "Hint" not in broken
    )
    assert (
        "### BEGIN" not in solution
        and '.round().astype("Int64")' in solution
        and "Hint 2 of 2" in hint
        and "without calling it" in called
    )
    assert all(said(cell).startswith("Right: ") for cell in answers)


@pytest.mark.parametrize("chapter", ["00e_section", "00f_workbook", "00g_edition"])
def test_solutions_pass_by_the_packaged_checks(chapter, learner):
    """In the learner's notebook there are no hidden cells: the checks come from the package, and
    have all that they need.
    """
    notebook = nbformat.read(learner / f"{chapter}.ipynb", 4)
    for cell in notebook.cells:
        if "exercise" in tags(cell):
            cell.source = next(
                workbook.solved(entry["exercise"])
                for name, entry in BOOK.items()
                if f"def {name}(" in cell.source
            )
    NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(NBS if chapter == "00g_edition" else learner)}},
    ).execute()
    checks = [said(cell) for cell in notebook.cells if "check" in tags(cell)]
    assert checks and all(text.startswith("Right: ") for text in checks)


def test_a_check_before_its_chapter_has_run_says_so(capsys):
    space = {"__name__": "__main__"}
    exec("def known_on(shop, day):\n    'The shop.'\n    return shop", space)
    workbook.check(space["known_on"])
    assert "run them from the top first" in capsys.readouterr().out


def test_any_error_of_a_learner_is_a_verdict(capsys):
    for number, body in enumerate(
        (
            "1 / 0",
            "yuan['x']",
            "[][1]",
            "int('x')",
            "yuan.nothing",
            "to_cents(yuan)",
            "(_ for _ in ()).throw(OSError('gone'))",
        )
    ):
        space = {"__name__": "__main__", "pd": __import__("pandas"), "np": __import__("numpy")}
        exec(compile(f"def to_cents(yuan):\n    return {body}", f"<cell {number}>", "exec"), space)
        workbook.check(space["to_cents"])
        out = capsys.readouterr().out
        assert out.startswith("Not yet. Your code stops with") and "line 2 of your cell" in out, out


def test_what_came_back_and_what_was_asked_for_are_named(capsys):
    """A function whose arguments or docstring were changed still hears what the exercise wants."""
    space = {"__name__": "__main__", "pd": __import__("pandas"), "np": __import__("numpy")}
    exec("def to_cents():\n    return 1", space)
    workbook.check(space["to_cents"])
    out = capsys.readouterr().out
    assert (
        "to_cents() takes 0 positional arguments but 1 was given). Keep its first line as "
        "it was: def to_cents(yuan):"
    ) in out and "Hint" not in out
    exec("def to_cents(yuan):\n    return [1, 2, 3, 4, 5]", space)
    workbook.check(space["to_cents"])
    out = capsys.readouterr().out
    assert (
        "the list of length 5 that to_cents gives back" in out
        and "It should give back: Whole cents" in out
        and "Hint" in out
    )
    workbook.check("to_cents")
    workbook.check(lambda yuan: yuan)
    out = capsys.readouterr().out
    assert "without quotes" in out and "no name of its own" in out


# --- remaking ---


def cell(key, source, kind="code"):
    return {"cell_type": kind, "id": key, "metadata": {}, "source": source} | (
        {"outputs": [], "execution_count": None} if kind == "code" else {}
    )


def write(folder, name, cells, **more):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.ipynb").write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5} | more),
        encoding="utf-8",
    )


def load(folder, name="01_tea"):
    return json.loads((folder / f"{name}.ipynb").read_text(encoding="utf-8"))


def texts(folder, name="01_tea"):
    return ["".join(cell["source"]) for cell in load(folder, name)["cells"]]


def change(folder, act, name="01_tea"):
    notebook = load(folder, name)
    act(notebook["cells"])
    (folder / f"{name}.ipynb").write_text(json.dumps(notebook), encoding="utf-8")


@pytest.fixture
def course(tmp_path):
    nbs, out = tmp_path / "nbs", tmp_path / "my workbook"
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 1990"), cell("c", "price * 3")],
    )
    edition(nbs, out)
    return nbs, out


def test_new_material_comes_in_and_own_cells_stay(course):
    nbs, out = course
    change(out, lambda cells: cells.insert(2, cell("mine", "note = 1")))
    write(
        nbs,
        "01_tea",
        [
            cell("a", "# Tea and cups", "markdown"),
            cell("b", "price = 1990"),
            cell("d", "cups = 6"),
            cell("c", "price * 3"),
        ],
    )
    write(nbs, "02_cups", [cell("e", "cup")])
    assert edition(nbs, out) == {"01_tea.ipynb": "updated", "02_cups.ipynb": "made"}
    assert texts(out) == ["# Tea and cups", "price = 1990", "note = 1", "cups = 6", "price * 3"]


def test_a_changed_cell_is_kept_to_the_letter_with_what_it_showed(course):
    nbs, out = course

    def work(cells):
        cells[1] |= {
            "source": ["price = 1990  \n", "\n", "# mine"],
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["hi\n"]}],
            "execution_count": 7,
        }
        cells[1]["metadata"]["collapsed"] = True

    change(out, work)
    kept = load(out)["cells"][1]
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 2490"), cell("c", "price * 3")],
    )
    for _ in range(2):
        edition(nbs, out)
        now = load(out)["cells"]
        assert {**now[1], "metadata": 0} == {**kept, "metadata": 0} and now[1]["metadata"][
            "collapsed"
        ]
        assert (
            texts(out)[2]
            == (
                "# the course's new version of the cell above; yours is kept as you wrote "
                "it\nprice = 2490"
            )
            and len(now) == 4
        )
    change(out, lambda cells: cells.pop(2))  # read, and not wanted
    edition(nbs, out)
    assert len(load(out)["cells"]) == 3
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 2990"), cell("c", "price * 3")],
    )
    edition(nbs, out)
    assert texts(out)[2].endswith("price = 2990")
    change(out, lambda cells: cells.pop(1))  # their own is given up, the course's is left
    edition(nbs, out)
    assert texts(out) == ["# Tea", "price = 2990", "price * 3"]


def test_a_run_is_no_work_that_hides_new_material(course):
    nbs, out = course
    change(
        out,
        lambda cells: [
            cell.update(
                execution_count=3,
                outputs=[{"output_type": "stream", "name": "stdout", "text": "ran"}],
            )
            for cell in cells[1:]
        ],
    )
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 2490"), cell("c", "price * 3")],
    )
    edition(nbs, out)
    cells = load(out)["cells"]
    assert (
        texts(out)[1] == "price = 2490"
        and cells[1]["outputs"] == []
        and cells[2]["outputs"][0]["text"] == "ran"
    )


def test_an_exercise_that_changed_does_not_undo_the_answer(course):
    nbs, out = course

    def task(key, argument):
        return cell(
            key,
            (
                f"def cost({argument}):\n    'Price.'\n    ### BEGIN SOLUTION\n    return 1\n   "
                " ### END SOLUTION"
            ),
        ) | {"metadata": {"tags": ["exercise"]}}

    write(nbs, "01_tea", [task("x", "tea")])
    edition(nbs, out)
    change(out, lambda cells: cells[-1].update(source="def cost(tea):\n    return tea * 2"))
    write(
        nbs, "01_tea", [task("written-anew", "pot")]
    )  # the same exercise, in a cell of another id
    edition(nbs, out)
    cells = load(out)["cells"]
    assert [cell["cell_type"] for cell in cells] == ["code", "markdown"] and texts(out)[
        0
    ] == "def cost(tea):\n    return tea * 2"
    assert (
        "new version of the exercise" in texts(out)[1]
        and "def cost(pot)" in texts(out)[1]
        and "return 1" not in texts(out)[1]
    )


def test_deleted_cells_stay_away_until_they_change(course):
    nbs, out = course
    change(out, lambda cells: cells.pop(2))
    assert edition(nbs, out) == {"01_tea.ipynb": "as it was"} or len(texts(out)) == 2
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 1990"), cell("c", "price * 4")],
    )
    edition(nbs, out)
    assert texts(out) == ["# Tea", "price = 1990", "price * 4"]
    (out / "01_tea.ipynb").unlink()
    assert edition(nbs, out) == {"01_tea.ipynb": "made"}


def test_a_pasted_cell_and_one_without_an_id_are_kept(course):
    nbs, out = course

    def paste(cells):
        cells.insert(0, copy.deepcopy(cells[1]) | {"id": "pasted"})
        cells.append({key: value for key, value in cell("x", "old program").items() if key != "id"})

    change(out, paste)
    write(
        nbs,
        "01_tea",
        [cell("a", "# Tea", "markdown"), cell("b", "price = 2490"), cell("c", "price * 3")],
    )
    edition(nbs, out)
    assert texts(out) == ["price = 1990", "# Tea", "price = 2490", "price * 3", "old program"]
    nbformat.validate(nbformat.read(out / "01_tea.ipynb", 4))


def test_what_the_course_did_not_make_is_not_touched(course):
    nbs, out = course
    write(out, "scratch", [cell("s", "mine")])
    (out / "01_tea-Copy1.ipynb").write_bytes((out / "01_tea.ipynb").read_bytes())
    (out / "torn.ipynb").write_text('{"cells": [')
    (out / "notes.txt").write_text("mine")
    write(out, "02_cups", [cell("s", "mine before the chapter came")])
    write(nbs, "02_cups", [cell("e", "cup")])
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    done = edition(nbs, out)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}
    assert (
        done.keys() == {"01_tea.ipynb", "02_cups.ipynb"}
        and "left: was not made by this course" in done["02_cups.ipynb"]
    )


@pytest.mark.parametrize(
    "text", ['{"cells": [', "", "[]", '{"cells": 3}', "\udce4".encode("utf-8", "surrogateescape")]
)
def test_an_unreadable_notebook_is_left_and_the_others_go_on(course, text):
    nbs, out = course
    data = text if isinstance(text, bytes) else text.encode()
    (out / "01_tea.ipynb").write_bytes(data)
    write(nbs, "02_cups", [cell("e", "cup")])
    done = edition(nbs, out)
    assert (
        done["01_tea.ipynb"].startswith("left: ")
        and done["02_cups.ipynb"] == "made"
        and (out / "01_tea.ipynb").read_bytes() == data
    )
    assert not [path for path in out.iterdir() if path.name.endswith(".tmp")]


def test_a_chapter_that_vanished_stays_where_work_is_in_it(course):
    nbs, out = course
    write(nbs, "02_cups", [cell("e", "cup")])
    write(nbs, "03_pots", [cell("f", "pot")])
    edition(nbs, out)
    change(out, lambda cells: cells.append(cell("mine", "note")), "02_cups")
    (nbs / "02_cups.ipynb").unlink(), (nbs / "03_pots.ipynb").unlink()
    done = edition(nbs, out)
    assert (
        done["03_pots.ipynb"] == "removed"
        and done["02_cups.ipynb"].startswith("kept")
        and texts(out, "02_cups") == ["cup", "note"]
        and not (out / "03_pots.ipynb").exists()
    )


def test_a_making_that_is_cut_short_leaves_no_half_notebook(course, monkeypatch):
    nbs, out = course
    before = (out / "01_tea.ipynb").read_bytes()
    write(nbs, "01_tea", [cell("b", "price = 2490")])
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        edition(nbs, out)
    assert (out / "01_tea.ipynb").read_bytes() == before and [
        path.name for path in out.iterdir()
    ] == ["01_tea.ipynb"]


ODD = [
    "{",
    "[]",
    '{"cells": [3]}',
    '{"cells": [{"cell_type": "code", "source": 3}]}',
    '{"cells": [{"source": [1]}]}',
    '{"cells": [{"metadata": null}]}',
    '{"cells": [{"metadata": {"tags": "exercise"}}]}',
    '{"cells": [], "metadata": []}',
    '{"cells": [{"outputs": [1]}]}',
    '{"cells": [{"id": 5}]}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", ODD)
def test_an_odd_chapter_is_left_aside_and_the_others_go_on(course, text):
    """The learner's notebook of that chapter stays as it is, and is named with the reason."""
    nbs, out = course
    write(nbs, "00_new", [cell("n", "new")])
    (nbs / "01_tea.ipynb").write_text(text)
    before = (out / "01_tea.ipynb").read_bytes()
    done = edition(nbs, out)
    assert done["00_new.ipynb"] == "made" and done["01_tea.ipynb"].startswith(
        "left, since the chapter "
    )
    assert (out / "01_tea.ipynb").read_bytes() == before
    (nbs / "00_new.ipynb").unlink()
    with pytest.raises(ShopError, match="none of the notebooks there can be read"):
        edition(nbs, out)


@pytest.mark.parametrize(
    "text",
    [
        *ODD,
        '{"cells": [], "metadata": {"segtutorial": 3}}',
        '{"cells": [], "metadata": {"segtutorial": {"chapter": "01_tea", "cells": 3}}}',
        (
            '{"cells": [{"cell_type": "code", "metadata": {"segtutorial": {"cell": ["a"], '
            '"made": 1}}}], "metadata": {"segtutorial": {"chapter": "01_tea"}}}'
        ),
    ],
)
def test_an_odd_notebook_of_a_learner_is_left_aside_and_the_others_go_on(course, text):
    nbs, out = course
    write(nbs, "00_new", [cell("n", "new")])
    (out / "01_tea.ipynb").write_text(text)
    done = edition(nbs, out)
    assert done["00_new.ipynb"] == "made" and done["01_tea.ipynb"].startswith("left: ")
    assert (out / "01_tea.ipynb").read_text() == text


def test_a_learners_own_picture_stays(course):
    """One under the name of a course's picture, too; the course's own are brought up to date."""
    nbs, out = course
    (nbs / "images").mkdir()
    (out / "images").mkdir()
    for name, data in (("a.png", b"course a"), ("b.png", b"course b")):
        (nbs / "images" / name).write_bytes(data)
    (out / "images" / "a.png").write_bytes(b"mine")
    assert edition(nbs, out)["images/a.png"].startswith("left: ")
    (nbs / "images" / "b.png").write_bytes(b"course b, new")
    edition(nbs, out)
    assert (out / "images" / "a.png").read_bytes() == b"mine" and (
        out / "images" / "b.png"
    ).read_bytes() == b"course b, new"
    (out / "images" / "b.png").write_bytes(b"mine now")
    assert (
        edition(nbs, out)["images/b.png"].startswith("left: ")
        and (out / "images" / "b.png").read_bytes() == b"mine now"
    )


def test_ids_are_mended_and_half_signs_survive(course):
    nbs, out = course
    change(
        out,
        lambda cells: cells.extend(
            [
                cell("b", "mine \ud83d"),
                cell("b", "mine too"),
                {"cell_type": "raw", "metadata": {}, "source": "raw"},
            ]
        ),
    )
    for _ in range(2):
        edition(nbs, out)
        ids = [cell["id"] for cell in load(out)["cells"]]
        assert len(set(ids)) == len(ids) and texts(out)[-3:] == ["mine \ud83d", "mine too", "raw"]
    assert edition(nbs, out) == {"01_tea.ipynb": "as it was"}


def test_folders_that_cannot_be_are_refused(course, tmp_path):
    nbs, out = course
    (tmp_path / "file").write_text("")
    for wrong in ((nbs, nbs), (tmp_path / "nowhere", out), (nbs, tmp_path / "file")):
        with pytest.raises(ShopError):
            edition(*wrong)


TEXT = st.sampled_from(["a = 1", "b = 2", "c = 3", "d = 4", ""])
SOURCES = st.lists(
    st.tuples(st.sampled_from("ABCDEF"), TEXT),
    unique_by=lambda pair: pair[0],
    min_size=1,
    max_size=6,
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["edit", "own", "delete", "run"]), st.integers(0, 9), st.integers(0, 99)
    ),
    max_size=5,
)


@given(st.lists(st.tuples(SOURCES, STEPS), min_size=2, max_size=4))
def test_whatever_happens_no_word_of_a_learner_is_lost(tmp_path_factory, story):
    """Versions of a chapter follow each other, and between them a learner edits, adds, deletes and
    runs.
    """
    folder = tmp_path_factory.mktemp("story")
    nbs, out, theirs, known = folder / "nbs", folder / "out", set(), {}
    for version, steps in story:
        write(nbs, "01_tea", [cell(key, text or f"text of {key}") for key, text in version])
        edition(nbs, out)
        made = load(out)["cells"]
        assert theirs <= set(texts(out)) and len({cell["id"] for cell in made}) == len(made)
        once = (out / "01_tea.ipynb").read_bytes()
        assert (
            edition(nbs, out) == {"01_tea.ipynb": "as it was"}
            and once == (out / "01_tea.ipynb").read_bytes()
        )
        for (
            key,
            text,
            # what is new or changed comes in, whatever they did; what they left as it was is up to
            # date
        ) in version:
            if known.get(key) != text:
                assert any((text or f"text of {key}") in source for source in texts(out)), key
            known[key] = text
        for one in made:
            mark = one["metadata"].get("segtutorial", {})
            if (
                "version" not in mark
                and made_by._hash(one) == mark.get("made")
                and one["id"] == mark["cell"]
            ):
                assert "".join(one["source"]) in {
                    text or f"text of {key}" for key, text in version if key == one["id"]
                }

        def live(cells):
            for step, place, word in steps:
                at = place % (len(cells) + 1)
                if step == "own":
                    cells.insert(
                        at,
                        cell(
                            f"own{len(theirs)}-{word}-{len(cells)}", f"own = {word}, {len(theirs)}"
                        ),
                    )
                    theirs.add(cells[at]["source"])
                elif at < len(cells):
                    if step == "run" and cells[at]["cell_type"] == "code":
                        cells[at] |= {"execution_count": 1}
                    text = "".join(cells[at]["source"])
                    if step in ("edit", "delete"):
                        theirs.discard(text)
                    if step == "delete":
                        del cells[at]
                    if step == "edit":
                        cells[at]["source"] = f"edited = {word}, {len(theirs)}, {place}"
                        theirs.add(cells[at]["source"])

        change(out, live)
    edition(nbs, out)
    assert theirs <= set(texts(out))


# --- the command ---


def test_the_command_makes_the_folder_and_says_what_it_did(course, main, tmp_path, monkeypatch):
    nbs, out = course
    code, stdout, _ = main("workbook", "--from", nbs, "--out", out)
    assert code == 0 and "1 notebook as it was" in stdout and "What you write there stays" in stdout
    (out / "01_tea.ipynb").write_text("{")
    code, stdout, _ = main("workbook", "--from", nbs, "--out", out)
    assert code == 0 and "01_tea.ipynb left: cannot be read" in stdout
    monkeypatch.chdir(tmp_path / "nbs")
    code, _, stderr = main("workbook")
    assert code == 1 and stderr.startswith("segtutorial: nbs: no notebooks there")


def test_make_lab_opens_the_learner_edition():
    recipe = re.search(
        r"^lab: setup\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE
    )[1]
    assert re.search(
        r"segtutorial workbook --from nbs --out workbook\n.*jupyterlab workbook/index\.ipynb",
        recipe,
    )
    assert (
        "/workbook/" in (ROOT / ".gitignore").read_text().split()
        and "workbook"
        not in re.search(r"^clean:\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)[
            1
        ]
    )
