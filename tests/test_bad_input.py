"""What people bring: files torn, mistyped, mistimed. One message says what to change, the folder
stays as it was, and nothing half-made is left.
"""

import gzip
import os
import re
import signal
import time
from hashlib import sha256

import pytest

from segtutorial.core.folders import new_folder
from segtutorial.shop import ShopError, day_start, simulate_shop, write_shop

HEAD = "user_id,item_id,action,ts,quantity,price,order_id\n"
NOON = 1718683200  # 2024-06-18 12:00 in Shanghai


def line(user=1, item=7, action="buy", ts=NOON, quantity=1, price=990, order=500):
    return f"{user},{item},{action},{ts},{quantity},{price},{order}\n"


def log(*odd, n=8):
    """A log of n good rows, then the odd ones: the first odd one is row n + 2 of the file."""
    return (
        HEAD
        + "".join(line(user=1 + i % 4, ts=NOON + 86400 * i, order=500 + i) for i in range(n))
        + "".join(odd)
    )


def prints(folder):
    """Everything in a folder: names, sizes, bytes."""
    return {
        str(path.relative_to(folder)): path.is_file() and sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
    }


def messages(stderr):
    """The lines of stderr without the lines that tell how far the work is."""
    return [
        piece
        for piece in re.split(r"[\r\n]+", stderr)
        if piece.strip() and not re.match(r"reading |\w*\s+\d+%\|", piece)
    ]


@pytest.fixture
def made(tmp_path):
    """`made(behaviors=..., columns=...)` writes a folder of files: text as UTF-8, bytes as they
    are, under the suffix of the name's last part.
    """

    def write(**files):
        folder = tmp_path / "data"
        folder.mkdir()
        for name, content in files.items():
            name = {"columns": "columns.toml", "behaviors_gz": "behaviors.csv.gz"}.get(
                name, f"{name}.csv"
            )
            (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder

    return write


@pytest.fixture
def refused(main, tmp_path):
    """Runs `check` and `run` on a folder: both say the same one message, leave no output and no
    folder changed; gives the message.
    """

    def both(folder, *also):
        before, beside = prints(folder), {path.name for path in tmp_path.iterdir()}
        said = []
        for arguments in (
            ["check", "--data", folder],
            ["run", "--data", folder, "--out", tmp_path / "out", *also],
        ):
            code, stdout, stderr = main(*arguments)
            assert code == 1, stdout
            assert "Traceback" not in stderr and len(messages(stderr)) == 1, stderr
            said += messages(stderr)
        assert said[0] == said[1] and said[0].startswith("segtutorial: ")
        assert prints(folder) == before and {path.name for path in tmp_path.iterdir()} == beside
        return said[0]

    return both


@pytest.fixture
def taken(main, tmp_path):
    """Runs `check` and `run` on a folder that has some bad rows: both succeed without a word on
    stderr; gives what `check` said, and rejected.csv.
    """

    def both(folder):
        before = prints(folder)
        code, checked, stderr = main("check", "--data", folder)
        assert (code, messages(stderr)) == (0, [])
        code, _, stderr = main("run", "--data", folder, "--out", tmp_path / "out")
        assert (code, messages(stderr)) == (0, [])
        assert prints(folder) == before and sorted(path.name for path in tmp_path.iterdir()) == [
            "data",
            "out",
        ]
        return checked, (tmp_path / "out" / "rejected.csv").read_text(
            encoding="utf-8-sig"
        ).splitlines()[1:]

    return both


GB = (
    HEAD.replace("\n", ",coupon\n") + "".join(line().replace("\n", ",满减\n") for _ in range(3))
).encode("gb18030")
WHOLE = gzip.compress(log(n=2000).encode(), mtime=0)
REFUSED = {  # name: (files, what the message must name)
    "no behaviors": ({"products": "item_id,title\n1,a\n"}, ["behaviors.csv", "products.csv"]),
    "named file missing": (
        {"columns": '[behaviors]\nfile = "log.csv"\n', "behaviors": log()},
        ["columns.toml", "[behaviors]", "'log.csv'"],
    ),
    "no column price": (
        {"columns": '[behaviors.columns]\nprice = "Preis"\n', "behaviors": log()},
        ["behaviors.csv", "'Preis'", "columns.toml"],
    ),
    "no column ts": (
        {"behaviors": log().replace(",ts,", ",time,")},
        ["behaviors.csv", "'ts'", "time", "[behaviors.columns]"],
    ),
    "no column in products": (
        {"behaviors": log(), "products": "item_id,title\n7,茶\n"},
        ["products.csv", "'category'"],
    ),
    "wrong separator": (
        {"behaviors": log().replace(",", ";")},
        ["behaviors.csv", "separator = ';'"],
    ),
    "wrong encoding": ({"behaviors": GB}, ["behaviors.csv", "line 2", "encoding = 'gb18030'"]),
    "unknown encoding": (
        {"columns": '[behaviors]\nencoding = "gb2313"\n', "behaviors": log()},
        ["behaviors.csv", "'gb2313'"],
    ),
    "torn last line": (
        {"behaviors": log("3,7,buy,17186")},
        ["behaviors.csv", "row 10", "torn", "3,7,buy,17186"],
    ),
    "open quotation mark": (
        {"behaviors": log('"3,7,buy\n', line())},
        ["behaviors.csv", "line 10", "quotation mark"],
    ),
    "gzip cut off": (
        {"behaviors_gz": WHOLE[: len(WHOLE) // 2]},
        ["behaviors.csv.gz", "export it again"],
    ),
    "gzip with a broken byte": (
        {"behaviors_gz": WHOLE[:-6] + b"\0\0" + WHOLE[-4:]},
        ["behaviors.csv.gz", "export it again"],
    ),
    "not gzip at all": ({"behaviors_gz": log()}, ["behaviors.csv.gz", "export it again"]),
    "unknown action": (
        {"behaviors": log(line(action="purchase"))},
        ["behaviors.csv", "row 10", "action", "'purchase'", "view", "[behaviors.actions]"],
    ),
    "empty file": ({"behaviors": ""}, ["behaviors.csv", "empty"]),
    "header and no rows": ({"behaviors": HEAD}, ["behaviors.csv", "empty"]),
    "header, no rows and no line end": ({"behaviors": HEAD[:-1]}, ["behaviors.csv", "empty"]),
    "times are texts": (
        {"behaviors": log().replace("17", "x")},
        ["behaviors.csv", "row 2", "ts", "'x18683200'"],
    ),
    "times in milliseconds": (
        {"behaviors": HEAD + line(ts=NOON * 1000)},
        ["behaviors.csv", "row 2", "ts", str(NOON * 1000), "'ms'"],
    ),
    "prices in yuan": (
        {"behaviors": log().replace(",990,", ",9.90,")},
        ["behaviors.csv", "row 2", "price", "'9.90'", "money = 'yuan'"],
    ),
    "all in the future": (
        {"behaviors": HEAD + line(ts=NOON + 50 * 31556952)},
        ["behaviors", "all rows were rejected", "ts", "row 2"],
    ),
    "all prices negative": (
        {"behaviors": HEAD + line(price=-1) * 3},
        ["behaviors", "all rows were rejected", "price", "row 2"],
    ),
    "only returns of what was never bought": (
        {"behaviors": HEAD + line(action="return")},
        ["behaviors", "all rows were rejected", "not bought", "row 2"],
    ),
    "all without user": (
        {"behaviors": HEAD + line(user="") * 3},
        ["behaviors", "all rows were rejected", "user_id", "row 2"],
    ),
    "unknown key": (
        {"columns": 'curency = "CNY"\n', "behaviors": log()},
        ["columns.toml", "'curency'", "currency"],
    ),
    "unknown table": (
        {"columns": "[behaviours]\n", "behaviors": log()},
        ["columns.toml", "'behaviours'", "behaviors"],
    ),
    "unknown key of a table": (
        {"columns": '[behaviors]\nseperator = ";"\n', "behaviors": log()},
        ["columns.toml", "[behaviors]", "'seperator'", "separator"],
    ),
    "unknown column of the contract": (
        {"columns": '[behaviors.columns]\nuid = "user_id"\n', "behaviors": log()},
        ["columns.toml", "[behaviors.columns]", "'uid'", "user_id"],
    ),
    "unknown key of clean": (
        {"columns": '[clean]\nduplicate = "keep"\n', "behaviors": log()},
        ["columns.toml", "[clean]", "'duplicate'", "duplicates"],
    ),
    "unknown value of clean": (
        {"columns": '[clean]\nguests = "drop"\n', "behaviors": log()},
        ["clean", "guests", "'drop'", "reject, keep"],
    ),
    "wrong type in clean": (
        {"columns": '[clean]\nbot_views_per_day = "many"\n', "behaviors": log()},
        ["clean", "bot_views_per_day", "'many'"],
    ),
    "wrong list in clean": (
        {"columns": "[clean]\nnot_items = 1.5\n", "behaviors": log()},
        ["clean", "not_items", "1.5"],
    ),
    "clean is no section": (
        {"columns": 'clean = "all"\n', "behaviors": log()},
        ["columns.toml", "clean", "'all'"],
    ),
    "wrong day in clean": (
        {"columns": '[clean]\nopened = "3.4.2024"\n', "behaviors": log()},
        ["'3.4.2024'", "2024-06-18"],
    ),
    "no TOML": ({"columns": "name = Laden\n", "behaviors": log()}, ["columns.toml", "TOML"]),
    "not a time zone": (
        {"columns": 'timezone = "Beijing"\n', "behaviors": log()},
        ["columns.toml", "timezone", "'Beijing'", "Asia/Shanghai"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused_with_one_message_that_names_it(case, made, refused):
    files, named = REFUSED[case]
    message = refused(made(**files))
    assert [part for part in named if part not in message] == [], message


# name: (files, what `check` must say, what the one line of rejected.csv must hold, or none)
TAKEN = {
    "ids of mixed types": (
        {"behaviors": log(line(user="A17"), line(user="1.0"))},
        ["user_id", "kept as text"],
        [],
    ),
    "ids as floats": (
        {"behaviors": log(line(user="17850.0"))},
        ["user_id", "'17850.0'", "whole numbers"],
        [],
    ),
    "a negative price": (
        {"behaviors": log(line(price=-990))},
        ["price is not 0 cents or more"],
        ["behaviors,10,", "price", "-990"],
    ),
    "an absent price": (
        {"behaviors": log(line(price=""))},
        ["without price"],
        ["behaviors,10,", "price"],
    ),
    "a price of nothing": (
        {"behaviors": log(line(price="free"))},
        ["not an amount in whole cents"],
        ["behaviors,10,", "price", "free"],
    ),
    "no prices at all": (
        {"behaviors": log().replace(",990,", ",,")},
        ["behaviors.price: empty", "no money is computed"],
        [],
    ),
    "a time in the future": (
        {"behaviors": log(line(ts=NOON + 50 * 31556952))},
        ["ts is not a time from 1995"],
        ["behaviors,10,", "ts", str(NOON + 50 * 31556952)],
    ),
    "a time before the shop opened": (
        {
            "columns": '[clean]\nopened = "2024-06-01"\n',
            "behaviors": log(line(ts=NOON - 40 * 86400)),
        },
        ["ts is not a time from 2024-05-31"],
        ["behaviors,10,", str(NOON - 40 * 86400)],
    ),
    "a time of 1970": (
        {"behaviors": log(line(ts=0))},
        ["ts is not a time from 1995"],
        ["behaviors,10,", "ts,0,"],
    ),
    "no time": ({"behaviors": log(line(ts=""))}, ["no ts"], ["behaviors,10,", "ts"]),
    "a negative quantity": (
        {"behaviors": log(line(quantity=-1))},
        ["quantity is not 1 piece or more"],
        ["behaviors,10,", "quantity", "-1"],
    ),
    "too few fields": (
        {"behaviors": log("1,7,buy\n", line(user=9))},
        ["not the 7 fields of the header"],
        ["behaviors,10,", "1,7,buy"],
    ),
    "one user, one event": ({"behaviors": HEAD + line()}, ["1 behaviors", "1 users"], []),
    "an order that came back": (
        {"behaviors": log(line(ts=NOON + 5, action="return", order=500))},
        ["buy that came back"],
        [],
    ),
    "a windows file": (
        {"behaviors": b"\xef\xbb\xbf" + log().replace("\n", "\r\n").encode()},
        ["8 behaviors"],
        [],
    ),
}


@pytest.mark.parametrize("case", TAKEN)
def test_is_taken_and_what_is_rejected_is_said(case, made, taken):
    files, said, row = TAKEN[case]
    checked, rejected = taken(made(**files))
    assert [part for part in said if part not in checked] == [], checked
    assert len(rejected) == bool(row) and [part for part in row if part not in rejected[0]] == [], (
        rejected
    )


def test_an_optional_table_without_rows_is_none(made, main, tmp_path):
    """As of a small shop that nobody has reviewed yet; it is said, and the report is that of a shop
    without the table.
    """
    folder = made(
        behaviors=log(),
        products="item_id,title,category,brand,price\n",
        reviews="user_id,item_id,ts,rating,text\n",
    )
    code, checked, _ = main("check", "--data", folder)
    assert (
        code == 0
        and "products.csv: a header and no rows" in checked
        and "reviews: missing" in checked
    )
    assert main("run", "--data", folder, "--out", tmp_path / "out")[0] == 0


@pytest.mark.parametrize(
    "lang, words",
    [
        ("en", "Nobody bought anything before the day of the report"),
        ("zh", "报告日之前没有购买记录"),
    ],
)
def test_nobody_bought_anything(made, main, tmp_path, lang, words):
    """A log of views can be checked, and gets a report that says that there are no customers."""
    folder = made(
        behaviors=HEAD
        + line(action="view", quantity="", price="", order="")
        + line(action="cart", quantity="", price="", order="")
    )
    assert main("check", "--data", folder)[0] == 0
    code, _, stderr = main("run", "--data", folder, "--out", tmp_path / "out", "--lang", lang)
    html = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert (
        (code, messages(stderr)) == (0, [])
        and words in html
        and "Not made" not in html
        and "未生成" not in html
    )


def test_there_is_no_such_folder(main, tmp_path):
    for data in (tmp_path / "nowhere", __file__):
        code, _, stderr = main("run", "--data", data, "--out", tmp_path / "out")
        assert (
            code == 1
            and len(messages(stderr)) == 1
            and str(data) in stderr
            and not (tmp_path / "out").exists()
        )


def a_file(path):
    path.write_text("mine")
    return path


def a_folder_of_mine(path):
    path.mkdir()
    (path / "mine.txt").write_text("mine")
    return path


OUT = {
    "a folder of something else": (a_folder_of_mine, "not made by segtutorial"),
    "a file": (a_file, "this is a file"),
    "below a file": (lambda path: a_file(path) / "out", "cannot be written"),
    "where nobody may write": (lambda path: "/proc/segtutorial/out", "cannot be written"),
}


@pytest.mark.parametrize("case", OUT)
@pytest.mark.parametrize("command", ["run", "simulate"])
def test_an_output_folder_that_cannot_be(case, command, folder, main, tmp_path):
    """Nothing is written there, nor is what was there touched, with --overwrite or without."""
    out, named = OUT[case][0](tmp_path / "place"), OUT[case][1]
    before = prints(tmp_path)
    source = ["--data", folder] if command == "run" else ["--users", 5, "--items", 5, "--days", 5]
    for also in ([], ["--overwrite"]):
        code, _, stderr = main(command, *source, "--out", out, *also)
        assert code == 1 and len(messages(stderr)) == 1 and named in stderr and str(out) in stderr
    assert prints(tmp_path) == before


USAGE = {
    "unknown language": (["run", "--data", "d", "--out", "o", "--lang", "fr"], "'fr'"),
    "no command": ([], "COMMAND"),
    "unknown command": (["walk"], "walk"),
    "no --out": (["run", "--data", "d"], "--out"),
    "unknown option": (["check", "--data", "d", "--fast"], "--fast"),
    "not a number": (["simulate", "--users", "many", "--out", "o"], "'many'"),
}


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_told_from_bad_input(case, main, tmp_path, monkeypatch):
    """Exit code 2, what was wrong, and nothing written."""
    monkeypatch.chdir(tmp_path)
    code, _, stderr = main(*USAGE[case][0])
    assert (
        code == 2
        and USAGE[case][1] in stderr.splitlines()[-1]
        and "usage: segtutorial" in stderr
        and not list(tmp_path.iterdir())
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--as-of", "2020-01-01"],
        ["--as-of", "yesterday"],
        ["--as-of", "3.4.2024"],
        ["--as-of", "June"],
        ["--as-of", ""],
    ],
)
def test_a_day_of_the_report_that_cannot_be(arguments, folder, main, tmp_path):
    """No day, a day that two readers read as two days, or one before the first event: said, and
    nothing written.
    """
    code, _, stderr = main("run", "--data", folder, "--out", tmp_path / "out", *arguments)
    assert (
        code == 1
        and len(messages(stderr)) == 1
        and arguments[1] in stderr
        and [path.name for path in tmp_path.iterdir()] == ["shop"]
    )


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--users", 0], "n_users = 0"),
        (["--dirt", 2], "dirt = 2"),
        (["--seed", -1], "random_state = -1"),
    ],
)
def test_a_shop_that_cannot_be_simulated(arguments, named, main, tmp_path):
    code, _, stderr = main(
        "simulate", "--users", 5, "--items", 5, "--days", 5, "--out", tmp_path / "out", *arguments
    )
    assert (
        code == 1
        and len(messages(stderr)) == 1
        and named in stderr
        and not list(tmp_path.iterdir())
    )


def test_the_process_gives_the_code_and_the_message(made, cli, tmp_path):
    """The same as above, from the shell's side: code 1, one line on stderr, nothing on stdout."""
    folder = made(behaviors=log(line(action="purchase")))
    code, stdout, stderr = cli("run", "--data", folder, "--out", tmp_path / "out")
    assert (code, stdout) == (1, "") and len(messages(stderr)) == 1 and "'purchase'" in stderr
    assert cli("run", "--lang", "fr")[0] == 2


def test_output_that_nobody_reads_to_the_end(folder, process):
    """`segtutorial check | head -1` ends without a complaint."""
    with process("check", "--data", folder) as started:
        started.stdout.close()
        stderr = started.stderr.read()
    assert "Traceback" not in stderr and "BrokenPipe" not in stderr and started.returncode == 0


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A shop that takes seconds to work through, so that it can be interrupted on the way."""
    return write_shop(simulate_shop(3000, 200, 60, 1), tmp_path_factory.mktemp("large") / "shop")


@pytest.mark.skipif(os.name == "nt", reason="skipped: there is no SIGINT to send on Windows")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("earlier", [False, True])
def test_an_interrupted_run_leaves_nothing(stop, earlier, large, process, tmp_path):
    """Ctrl-C while the report is being made: code 130, one message, no report, no hidden half of
    one, and an earlier report as it was.
    """
    out = tmp_path / "out"
    if earlier:
        with new_folder(out, "report") as made:
            (made.path / "index.html").write_text("the earlier report")
    before, there = prints(large), prints(out)
    with process(
        "run", "--data", large, "--out", out, "--overwrite", start_new_session=True
    ) as started:
        try:
            until = time.monotonic() + 120
            while not list(tmp_path.glob(".*.part")):  # it has read the files and is at work
                assert started.poll() is None and time.monotonic() < until, (
                    "it ended before it could be interrupted"
                )
                time.sleep(0.005)
            started.send_signal(stop)
            stdout, stderr = started.communicate(timeout=120)
        finally:
            started.kill()
    assert started.returncode == 130, stderr
    assert stdout == "" and messages(stderr) == ["segtutorial: stopped; nothing was written"]
    assert prints(large) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"] * earlier
    assert prints(out) == there


def test_an_empty_time_zone_is_refused():
    """As any other name that is no zone."""
    with pytest.raises(ShopError, match="is not a time zone"):
        day_start("2024-06-18", "")
