"""Whatever a file holds: it is refused with a message, or every row of it is accounted for. And
returns are netted as a slow loop nets them.
"""

import csv
import io
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segtutorial.clean import clean
from segtutorial.clean.returns import net_returns
from segtutorial.shop import ACTIONS, ShopError, load_shop

COLUMNS = {
    "behaviors": ["user_id", "item_id", "action", "ts", "quantity", "price", "order_id", "coupon"],
    "products": ["item_id", "title", "category", "brand", "price", "cost", "stock", "listed_at"],
    "reviews": ["user_id", "item_id", "ts", "rating", "text"],
}
GOOD = {
    "user_id": st.sampled_from(["1", "2", "3", "40"]),
    "item_id": st.sampled_from(["7", "8", "9"]),
    "action": st.sampled_from(ACTIONS),
    "ts": st.integers(1_700_000_000, 1_710_000_000).map(str),
    "listed_at": st.just("1690000000"),
    "quantity": st.sampled_from(["1", "2", "3", ""]),
    "price": st.sampled_from(["990", "1000", "5000", ""]),
    "cost": st.just("500"),
    "stock": st.just("3"),
    "order_id": st.sampled_from(["", "100", "101"]),
    "coupon": st.sampled_from(["", "九折"]),
    "title": st.just("茶"),
    "category": st.just("食品"),
    "brand": st.just("霁"),
    "rating": st.sampled_from(["1", "5", ""]),
    "text": st.sampled_from(["很好", "不,好", '他说"好"', "两行\n字"]),
}
ODD = [
    "",
    " ",
    "NULL",
    "nan",
    r"\N",
    "None",
    "0",
    "-0",
    "-1",
    "-3",
    "1.0",
    "1.5",
    "1e3",
    "1e400",
    "9" * 18,
    "9" * 19,
    "9" * 40,
    "-" + "9" * 18,
    "inf",
    "0x1F",
    "１２",
    "一",
    "1,000",
    "¥12.50",
    "１，０００",
    "00012",
    "A17",
    " 7",
    "7 ",
    "1_0",
    "½",
    "٣",
    "²",
    "true",
    "'",
    '"',
    '""',
    'a"b',
    ",",
    ";",
    "a\nb",
    "\n",
    "\t",
    "\u3000",
    "\u200b",
    "\u00a0",
    "#N/A",
    "=1+1",
    "../..",
    "\x1f",
    "é",
    "龘",
    "buy",
    "BUY",
    "购买",
    "2024-06-18",
    "2024-06-18 20:00:00",
    "2024-06-18T20:00:00Z",
    "2024-06-18T20:00:00+08:00",
    "2024-02-30",
    "18/06/2024",
    "0000-00-00",
    "9999-12-31",
    "1718712000000",
    "1718712000.5",
    "-62135596800",
    "253402300800",
    "4102444800",
]
TEXT = st.text(st.characters(codec="gb18030", exclude_characters="\r\x00"), max_size=6)
JUNK = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(ODD),
    st.integers(-(2**70), 2**70).map(str),
    st.floats().map(repr),
    TEXT,
)
# lines as a broken export writes them: too few or too many fields, blank ones, quotation marks out
# of place
LINES = [
    "",
    "",
    " ",
    ",",
    ",,,,,,,",
    "1",
    "1,2,3,4,5,6,7,8,9,10,11",
    '"',
    '"1",2',
    'x"y,1,2',
    '"x"y,1',
    '"a\nb"',
    "\t",
]


@st.composite
def a_file(draw, table):
    """The text of a CSV: mostly good rows, of which some cells, in some columns only, are odd."""
    columns = COLUMNS[table]
    odd = draw(st.sets(st.sampled_from(columns), max_size=4))
    out = io.StringIO()
    writer = csv.writer(
        out, lineterminator="\n", quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    )
    writer.writerow(columns)
    for _ in range(draw(st.integers(0, 3) | st.integers(4, 16))):
        kind = draw(st.integers(0, 15))
        row = [
            draw(JUNK) if name in odd and draw(st.integers(0, 3)) == 0 else draw(GOOD[name])
            for name in columns
        ]
        if kind == 0:
            out.write(draw(st.sampled_from(LINES)) + "\n")
        elif kind == 1:
            writer.writerow(row[: draw(st.integers(1, len(row)))])
        else:
            writer.writerow(row)
    return out.getvalue()[: -1 if draw(st.integers(0, 9)) == 0 else None]


@st.composite
def a_folder(draw):
    """Texts by table, the settings that go with them, and the encoding."""
    texts = {
        table: draw(a_file(table))
        for table in ("behaviors", *draw(st.sets(st.sampled_from(["products", "reviews"]))))
    }
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
    settings = {table: {} if encoding == "utf-8-sig" else {"encoding": encoding} for table in texts}
    if draw(st.integers(0, 4)):  # most shops say what their odd actions mean
        meant = st.sampled_from([*ACTIONS, "ignore"])
        seen = {
            row[2].strip()
            for row in csv.reader(io.StringIO(texts["behaviors"], newline=None))
            if len(row) > 2
        }
        settings["behaviors"]["actions"] = {
            name: draw(meant) for name in sorted(seen - set(ACTIONS) - {"action", ""})
        }
    settings["behaviors"] |= draw(
        st.sampled_from(
            [
                {},
                {},
                {},
                {"money": "yuan"},
                {"money": "yuan", "negative_quantity": "return"},
                {"negative_quantity": "return"},
                {"time": "s"},
                {"time": "ms"},
            ]
        )
    )
    return texts, settings, encoding


def records(text):
    """The row numbers that a spreadsheet would show (the header is row 1) of the records that are
    not empty; too many commas are not empty.
    """
    rows = list(csv.reader(io.StringIO(text, newline=None)))
    return [
        number
        for number, row in enumerate(rows, 1)
        if any(row) or len(row) not in (0, len(rows[0]))
    ][1:]


def test_no_file_breaks_it_and_no_row_is_lost():
    """Only a ShopError, never another; and rows in the file = rows kept + rows rejected, each of
    these with its row number and a reason.
    """
    seen = Counter()

    @given(a_folder())
    def check(made):
        texts, settings, encoding = made
        with tempfile.TemporaryDirectory() as folder:
            for table, text in texts.items():
                Path(folder, f"{table}.csv").write_bytes(text.encode(encoding))
            try:
                shop = load_shop(folder, settings)
                seen["loaded"] += 1
                cleaned = clean(shop, now="2026-01-01")
            except ShopError as error:
                assert len(str(error)) > 20
                return
        seen["cleaned"] += 1
        seen["rejected"] += len(cleaned.rejected) > 0
        texts = {
            table: text for table, text in texts.items() if table == "behaviors" or records(text)
        }  # without a row it is no table
        assert set(texts) == set(cleaned.shop.tables())
        for table, text in texts.items():
            kept, rejected = (
                getattr(cleaned.shop, table),
                cleaned.rejected[cleaned.rejected["table"] == table],
            )
            assert sorted([*kept["row"], *rejected["row"]]) == records(text), table
            assert tuple(cleaned.balance.loc[table]) == (
                len(records(text)),
                len(kept),
                len(rejected),
            )
            assert rejected["reason"].str.len().gt(3).all()

    check()
    assert seen["cleaned"] >= 10 and seen["rejected"] >= 5, (
        f"too few files get through for this to mean anything: {seen}"
    )


def lifo(log):
    """What `net_returns` says of a log, by a loop over events: a return takes from the latest buys
    before it, at one instant a buy is first; once among the rows of one order, then, with what is
    left of both, among all rows of the item of a user who is known.
    """
    log = log[log["action"].isin(["buy", "return"]) & log["quantity"].notna()].sort_values(
        ["ts", "action"], kind="stable"
    )
    left = log["quantity"].astype(int).to_dict()
    for keys, rows in (
        (["user_id", "item_id", "order_id"], log[log["order_id"].notna()]),
        (["user_id", "item_id"], log[log["user_id"].notna()]),
    ):
        for _, events in rows.groupby(keys, dropna=False):
            stack = []
            for at, action in events["action"].items():
                if action == "buy":
                    stack.append(at)
                for buy in reversed(stack) if action == "return" else ():
                    taken = min(left[at], left[buy])
                    left[at] -= taken
                    left[buy] -= taken
    buys = log["action"] == "buy"
    return {at: left[at] * buys[at] for at in left}, {at: left[at] * ~buys[at] for at in left}


EVENT = st.tuples(
    st.sampled_from([1, 1, 2, None]),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["buy", "buy", "buy", "return", "return", "view"]),
    st.integers(0, 6),
    st.sampled_from([1, 1, 2, 3, 5, None]),
    st.sampled_from([None, 1, 2]),
)


@given(st.lists(EVENT, max_size=14), st.randoms(use_true_random=False))
def test_returns_are_netted_as_a_loop_nets_them(events, random):
    """Every number of both columns, on any log, whatever its order and its index."""
    log = pd.DataFrame(
        events,
        columns=["user_id", "item_id", "action", "ts", "quantity", "order_id"],
        index=random.sample(range(100), len(events)),
    )
    log = log.astype({"user_id": "Int64", "quantity": "Int64", "order_id": "Int64", "ts": "int64"})
    net, orphaned = net_returns(log)
    left, missing = lifo(log)
    assert list(net.index) == list(orphaned.index) == list(log.index)
    assert net.dropna().to_dict() == left
    assert orphaned.dropna().to_dict() == missing


def test_the_loop_itself_is_right():
    """The oracle on a case worked out by hand: order 2 gives 1 piece back to itself; 4 others go to
    the latest buy first; 1 was never bought.
    """
    log = pd.DataFrame(
        {
            "user_id": 1,
            "item_id": "a",
            "action": ["buy", "buy", "buy", "return", "return"],
            "ts": [1, 2, 3, 4, 5],
            "quantity": pd.array([2, 1, 1, 1, 4], "Int64"),
            "order_id": pd.array([1, 2, None, 2, None], "Int64"),
        }
    )
    assert lifo(log) == ({0: 0, 1: 0, 2: 0, 3: 0, 4: 0}, {0: 0, 1: 0, 2: 0, 3: 0, 4: 1})


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"guests": "keep"},
        {"guests": "keep", "orphan_returns": "keep", "duplicates": "keep", "zero_price": "keep"},
    ],
)
def test_guests_who_return_things_are_counted(kept):
    """Rows without a user go through every policy: read = kept + rejected."""
    shop = load_shop_of(
        "user_id,item_id,action,ts,quantity,price\n,7,buy,1700000000,2,500\n,7,return,1700000100,1,500\n1,7,buy,1700000000,1,500\n1,7,return,1700000100,1,500\n"
    )
    cleaned = clean(shop, **kept)
    assert cleaned.balance.loc["behaviors", "read"] == 4
    assert cleaned.balance.loc["behaviors", "rejected"] == (
        0
        if "orphan_returns" in kept
        else 2
        if not kept
        else cleaned.balance.loc["behaviors", "rejected"]
    )
    assert cleaned.shop.behaviors["net_quantity"].notna().all()


def load_shop_of(text):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "behaviors.csv").write_text(text, encoding="utf-8")
        return load_shop(folder)
