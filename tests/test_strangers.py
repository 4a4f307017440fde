"""Files from strangers: hostile settings, bombs, damaged tables and models end in one message, and
nothing outside the folder is read.
"""

import datetime as dt
import gzip
import os
import subprocess
import sys
import zipfile
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from segtutorial.core.errors import ShopError
from segtutorial.core.load import load_shop
from segtutorial.core.tables import (
    CONTRACT,
    SHOP_KEYS,
    TABLE_KEYS,
    Shop,
    check_settings,
    read_settings,
)

NOON = 1718683200
HEAD = "user_id,item_id,action,ts,quantity,price,order_id\n"
LOG = HEAD + "".join(
    f"{1 + i % 3},{7 + i % 2},buy,{NOON + 86400 * i},1,990,{500 + i}\n" for i in range(12)
)
REVIEWS = "user_id,item_id,ts,rating,text\n" + "".join(
    f"{1 + i % 3},7,{NOON + 86400 * i},{1 + i % 5},好\n" for i in range(6)
)
posix = pytest.mark.skipif(os.name == "nt", reason="skipped: Windows has no such files")


@pytest.fixture
def place(tmp_path):
    """A small folder that can be read, to spoil."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "behaviors.csv").write_text(LOG)
    (folder / "reviews.csv").write_text(REVIEWS, encoding="utf-8")
    return folder


def message(call, *arguments):
    with pytest.raises(ShopError) as refused:
        call(*arguments)
    return str(refused.value)


NAN, INF = float("nan"), float("inf")
LONG, DEEP = "x" * 100_000, [[[[[[[[[[1]]]]]]]]]]
HOSTILE = {  # name: (settings, what the message must name)
    "a year twice": ({"behaviors": {"time": "%Y%Y"}}, ["[behaviors]", "time", "'%Y%Y'"]),
    "no directive": ({"behaviors": {"time": "%Q"}}, ["time", "'%Q'"]),
    "a day without a year": ({"behaviors": {"time": "%d/%m"}}, ["time", "year"]),
    "a year without a day": ({"behaviors": {"time": "%Y-%m"}}, ["time", "day"]),
    "a clock without a day": ({"behaviors": {"time": "%H:%M"}}, ["time", "day"]),
    "no time": ({"behaviors": {"time": ""}}, ["time", "''"]),
    "a broken percent": ({"behaviors": {"time": "%Y-%m-%d %"}}, ["time"]),
    "a format without end": (
        {"behaviors": {"time": "%Y-%m-%d" + LONG}},
        ["time", "255 characters"],
    ),
    "a line end as separator": ({"behaviors": {"separator": "\n"}}, ["separator", r"'\n'"]),
    "a quotation mark as separator": ({"behaviors": {"separator": '"'}}, ["separator"]),
    "half a character": ({"behaviors": {"separator": "\ud800"}}, ["separator"]),
    "a Chinese separator": ({"behaviors": {"separator": "，"}}, ["separator", "ASCII"]),
    "no separator": ({"behaviors": {"separator": ""}}, ["separator"]),
    **{
        f"encoding {name}": ({"behaviors": {"encoding": name}}, ["encoding", repr(name)])
        for name in ("rot13", "hex", "idna", "zlib", "undefined", "")
    },
    "nan stars": ({"reviews": {"rating": [NAN, 5]}}, ["[reviews]", "rating", "[nan, 5]"]),
    "endless stars": ({"reviews": {"rating": [1, INF]}}, ["rating", "[1, inf]"]),
    "true stars": ({"reviews": {"rating": [True, 5]}}, ["rating", "[True, 5]"]),
    "three stars": ({"reviews": {"rating": [1, 3, 5]}}, ["rating"]),
    "stars in words": ({"reviews": {"rating": ["1", "5"]}}, ["rating"]),
    "stars without number": ({"reviews": {"rating": [0, 10**400]}}, ["rating"]),
    "stars nearly alike": ({"reviews": {"rating": [5, 5 + 1e-12]}}, ["rating"]),
    "a sheet that is true": ({"behaviors": {"sheet": True}}, ["sheet", "True"]),
    "a sheet below none": ({"behaviors": {"sheet": -1}}, ["sheet", "-1"]),
    "a sheet without name": ({"behaviors": {"sheet": ""}}, ["sheet"]),
    "now is true": ({"clean": {"now": True}}, ["[clean]", "now", "True"]),
    "nested lists": ({"clean": {"not_items": DEEP}}, ["[clean]", "not_items"]),
    "nan in clean": ({"clean": {"price_factor": NAN}}, ["[clean]", "price_factor", "nan"]),
    "infinity in clean": ({"clean": {"bot_views_per_day": INF}}, ["bot_views_per_day", "inf"]),
    "a section in clean": ({"clean": {"opened": {"day": 1}}}, ["opened"]),
    "a long currency": ({"currency": LONG}, ["currency", "20 characters"]),
    "no currency": ({"currency": ""}, ["currency"]),
    "a bell as currency": ({"currency": "CNY\a"}, ["currency", "control"]),
    "a name of two lines": ({"name": "tea\nhouse"}, ["name", "line breaks"]),
    "half a name": ({"name": "\ud83d"}, ["name"]),
    "a name that turns the text": ({"name": "\u202etxt.exe"}, ["name"]),
    "a long time zone": ({"timezone": "A" * 10_000}, ["timezone"]),
    "a time zone elsewhere": ({"timezone": "../../etc/passwd"}, ["timezone"]),
    "a folder of time zones": ({"timezone": "Asia"}, ["timezone"]),
    "a constant in a list": (
        {"behaviors": {"constants": {"action": ["buy"]}}},
        ["[behaviors.constants]", "action"],
    ),
    "a constant that is true": (
        {"behaviors": {"constants": {"user_id": True}}},
        ["user_id", "True"],
    ),
    "a constant of no number": ({"behaviors": {"constants": {"price": NAN}}}, ["price", "nan"]),
    "a constant that is an hour": ({"behaviors": {"constants": {"ts": dt.time(12)}}}, ["ts"]),
    "a constant too large to show": (
        {"behaviors": {"constants": {"price": 10**10_000}}},
        ["price", "too large"],
    ),
    "a column and a constant": (
        {"behaviors": {"columns": {"price": "price"}, "constants": {"price": 1}}},
        ["price", "[behaviors.columns]"],
    ),
    "a column that is a number": (
        {"behaviors": {"columns": {"price": 5}}},
        ["[behaviors.columns]", "price", "5"],
    ),
    "an action in a list": ({"behaviors": {"actions": {"pv": ["view"]}}}, ["[behaviors.actions]"]),
    "a key that is a number": ({5: 1, "x": 2}, ["unknown key", "5"]),
    "no dictionary": (["name"], ["settings", "dictionary"]),
    "a list as section": ({"behaviors": [1]}, ["[behaviors]", "section"]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_settings_get_one_message(case, place):
    said, named = HOSTILE[case]
    text = message(check_settings, said, "settings")
    assert (
        [part for part in named if part not in text] == [] and len(text) < 500 and "\n" not in text
    ), text
    assert message(load_shop, place, said) == text


@pytest.mark.parametrize(
    "said",
    [
        {"behaviors": {"time": "%d.%m.%Y %H:%M"}},
        {"behaviors": {"time": "%Y-%m-%dT%H:%M:%S%z"}},
        {"behaviors": {"time": "%y%j"}},
        {"behaviors": {"time": "%d %B %Y"}},
        {"behaviors": {"separator": "\x01"}},
        {"behaviors": {"encoding": "UTF-16"}},
        {"behaviors": {"sheet": 0}},
        {"reviews": {"rating": [5, 1]}},
        {"reviews": {"rating": [0, 0.5]}},
        {
            "behaviors": {
                "constants": {
                    "ts": dt.date(2024, 6, 18),
                    "price": 9.9,
                    "quantity": 1,
                    "action": "buy",
                }
            }
        },
        {"name": "", "currency": "$x^$"},
        {"name": "茶　屋👨‍👩‍👧"},
        {"clean": {"not_items": ["POST", 7], "opened": "2024-06-18", "price_factor": 20.5}},
    ],
)
def test_honest_settings_pass(said):
    assert check_settings(said) is said


def test_a_day_as_a_constant_is_that_day(place):
    shop = load_shop(place, {"behaviors": {"constants": {"ts": dt.date(2024, 6, 18)}}})
    assert shop.behaviors["ts"].eq(1718640000).all()  # its midnight in Shanghai


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**30, -(10**400), 1 << 63]),
    st.floats(),
    st.text(max_size=12),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.sampled_from(
        [
            "view",
            "buy",
            "ignore",
            "user_id",
            "price",
            "cents",
            "yuan",
            "s",
            "ms",
            "auto",
            "%Y",
            "%d/%m/%Y",
            "%Y-%m-%d %H",
            "%c",
            "%x",
            "%s",
            "mixed",
            "ISO8601",
            "utf-8",
            "gb18030",
            "utf-16",
            "utf-7",
            "unicode_escape",
            "punycode",
            "rot13",
            ";",
            ",",
            "\t",
            "UTC",
            "Europe/London",
            "behaviors.csv",
            "reviews.csv",
            "..",
            ".",
            "/dev/zero",
            "return",
            "\0",
            "\ud800",
            "1",
            "7",
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def any_settings(draw):
    """Settings with known keys and any value under them, and some that nobody knows."""

    def section(table):
        names = st.sampled_from([column.name for column in CONTRACT[table]]) | st.text(max_size=6)
        inner = {
            "columns": st.dictionaries(names, VALUES, max_size=3),
            "constants": st.dictionaries(names, VALUES, max_size=3),
            "actions": st.dictionaries(
                st.sampled_from(["buy", "pv", ""]) | st.text(max_size=6), VALUES, max_size=3
            ),
            "rating": st.lists(VALUES, min_size=2, max_size=2),
        }
        return {
            key: draw(VALUES | inner.get(key, VALUES))
            for key in draw(st.sets(st.sampled_from([*TABLE_KEYS]), max_size=3))
        }

    said = {
        key: draw(VALUES)
        for key in draw(st.sets(st.sampled_from([*SHOP_KEYS]) | st.text(max_size=6), max_size=2))
    }
    return said | {
        table: section(table) for table in draw(st.sets(st.sampled_from([*CONTRACT]), max_size=2))
    }


@given(any_settings())
@settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_settings_are_taken_or_refused(place, said):
    """Nothing but a ShopError comes out of `check_settings` and `load_shop`, whatever stands in the
    settings.
    """
    for call in (lambda: check_settings(said), lambda: load_shop(place, said)):
        try:
            assert isinstance(call(), dict | Shop)
        except ShopError as error:
            assert len(str(error)) < 3000


@pytest.mark.parametrize(
    "text, named",
    [
        ("x = " + "[" * 100_000, "nested"),
        ("x = 1" + "0" * 5000, "TOML"),
        ("[behaviors.constants]\nprice = 0x1" + "0" * 9000, "too large"),
        ("name = '\x00'", "TOML"),
        ("x = 1\n" * 2, "TOML"),
        ("timezone = 'Mars'\n#" + "x" * (1 << 20), "larger than 1 MiB"),
        ("[clean]\nnow = true", "now"),
        ("[reviews]\nrating = [nan, 5]", "rating"),
    ],
)
def test_hostile_toml_gets_one_message(text, named, place):
    (place / "columns.toml").write_text(text)
    said = message(load_shop, place)
    assert "columns.toml" in said and named in said and len(said) < 500


@posix
@pytest.mark.parametrize("name", ["columns.toml", "behaviors.csv", "log.csv", "products.xlsx"])
@pytest.mark.parametrize("kind", ["folder", "pipe", "device", "link to a device"])
def test_what_is_no_file_is_refused_and_does_not_hang(name, kind, place):
    path = place / name
    path.unlink(missing_ok=True)
    try:
        {
            "folder": path.mkdir,
            "pipe": lambda: os.mkfifo(path),
            "device": lambda: os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5)),
            "link to a device": lambda: path.symlink_to("/dev/zero"),
        }[kind]()
    except PermissionError:
        pytest.skip("skipped: only root makes a device")
    said = message(load_shop, place, {"behaviors": {"file": name}} if name == "log.csv" else None)
    assert name in said and len(said) < 500


@posix
def test_columns_toml_reads_nothing_outside_its_folder(place, tmp_path):
    """Neither by .., nor by a whole path, nor by a link; a link inside, and a link that stands in
    the place of a table, are the owner's.
    """
    secret = tmp_path / "secret.csv"
    secret.write_text(LOG)
    (place / "out.csv").symlink_to(secret)
    (place / "sub").symlink_to(tmp_path)
    for name in (
        "../secret.csv",
        str(secret),
        "out.csv",
        "sub/secret.csv",
        "../data/../secret.csv",
        "/etc/passwd",
        "../../../../../../etc/passwd",
        ".",
        "",
    ):
        (place / "columns.toml").write_text(f"[behaviors]\nfile = '{name}'\n")
        said = message(load_shop, place)
        assert repr(name) in said and "[behaviors]" in said and "columns.toml" in said
    (place / "inside.csv").symlink_to("behaviors.csv")
    (place / "columns.toml").write_text("[behaviors]\nfile = 'inside.csv'\n")
    assert len(load_shop(place).behaviors) == 12
    (place / "columns.toml").unlink()
    (place / "behaviors.csv").unlink()
    (place / "behaviors.csv").symlink_to(secret)
    assert len(load_shop(place).behaviors) == 12


@contextmanager
def nobody():
    """As a user who may not read what is forbidden to all; root may read everything."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)


@posix
@pytest.mark.parametrize(
    "name",
    ["behaviors.csv", "columns.toml", "reviews.xlsx", "products.parquet", "impressions.csv.gz", ""],
)
def test_no_right_to_read_is_one_message(name, place):
    path = place / name
    (place / "reviews.csv").unlink()
    if not path.exists():
        path.write_bytes(b"x")
    for folder in (place, *place.parents):
        if folder.owner() == path.owner() and folder.name.startswith(
            ("pytest-", "popen-", "test_", "data")
        ):
            folder.chmod(0o755)
    path.chmod(0)
    try:
        with nobody():
            said = message(load_shop, place)
    finally:
        path.chmod(0o700)
    assert "cannot be read" in said and str(name) in said and "damaged" not in said


def small_machine(code, *arguments, gigabytes=3):
    """What a program prints on a machine that has so much memory."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport pandas, pyarrow.parquet, "
        f"openpyxl\nresource.setrlimit(resource.RLIMIT_AS, ({gigabytes} << 30, {gigabytes} "
        "<< 30))\n"
    ) + code
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert not done.stderr, done.stderr[-2000:]
    return done.stdout


LOADS = """
from segtutorial.core.load import load_shop
from segtutorial.core.errors import ShopError
try: print(load_shop(sys.argv[1]))
except ShopError as error: print("refused:", error)
"""


def bomb_gz(folder):
    with gzip.open(folder / "behaviors.csv.gz", "wb", compresslevel=1) as file:
        file.write(LOG.encode())
        for _ in range(96):
            file.write(bytes(16 << 20))


def bomb_xlsx(folder):
    pd.DataFrame({"user_id": ["1"], "item_id": ["2"]}).to_excel(
        folder / "behaviors.xlsx", index=False
    )
    with (
        zipfile.ZipFile(folder / "behaviors.xlsx", "a", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/more.xml", "w") as part,
    ):
        for _ in range(96):
            part.write(bytes(16 << 20))


def bomb_cells(folder):
    pd.DataFrame({"user_id": ["1"], "item_id": ["2"]}).to_excel(folder / "plain.xlsx", index=False)
    with (
        zipfile.ZipFile(folder / "plain.xlsx") as packed,
        zipfile.ZipFile(folder / "behaviors.xlsx", "w", zipfile.ZIP_DEFLATED) as copied,
    ):
        for name in packed.namelist():
            copied.writestr(
                name,
                packed.read(name)
                .replace(b'<row r="2">', b'<row r="1048576">')
                .replace(b'r="B2"', b'r="XFD1048576"'),
            )
    (folder / "plain.xlsx").unlink()


def bomb_parquet(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = pa.DictionaryArray.from_arrays(
        pa.array(np.zeros(4_000_000, dtype=np.int32)), pa.array(["x" * 1000])
    )
    pq.write_table(pa.table({"user_id": texts}), folder / "behaviors.parquet", store_schema=False)


@pytest.mark.skipif(
    sys.platform != "linux", reason="skipped: a small machine is made by a limit of Linux"
)
@pytest.mark.parametrize(
    "bomb, named",
    [
        (bomb_gz, "behaviors.csv.gz: unpacked"),
        (bomb_xlsx, "behaviors.xlsx: unpacked"),
        (bomb_cells, "row 1,048,576 and column 16,384"),
        (bomb_parquet, "behaviors.parquet: unpacked"),
    ],
)
def test_a_bomb_is_refused_before_memory_runs_out(bomb, named, place):
    (place / "behaviors.csv").unlink()
    bomb(place)
    assert max(path.stat().st_size for path in place.iterdir()) < 16 << 20
    said = small_machine(LOADS, place)
    assert said.startswith("refused: ") and named in said and "memory" in said


@pytest.mark.skipif(
    sys.platform != "linux", reason="skipped: a small machine is made by a limit of Linux"
)
def test_memory_that_runs_out_is_one_message(place):
    """A log that the estimate lets through, and that does not fit after all."""
    (place / "behaviors.csv").unlink()
    with gzip.open(place / "behaviors.csv.gz", "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(b"1,7,view,1718683200\n" * (1 << 19))
    said = small_machine(
        LOADS.replace(
            "try: print",
            "import segtutorial.core.files\nsegtutorial.core.files.TIMES = 0.01\ntry: print",
        ),
        place,
        gigabytes=2,
    )
    assert said.startswith("refused: ") and "not enough memory" in said


FORMATS = {
    "csv": "behaviors.csv",
    "gz": "behaviors.csv.gz",
    "xlsx": "behaviors.xlsx",
    "parquet": "behaviors.parquet",
    "toml": "columns.toml",
}
TOML = (
    'name = "tea"\ntimezone = "Asia/Shanghai"\n[behaviors]\nmoney = "cents"\ntime = '
    '"s"\n[behaviors.actions]\nbuy = "buy"\n[behaviors.columns]\nuser_id = "user_id"\n'
)


@pytest.mark.parametrize("kind", FORMATS)
def test_damaged_bytes_are_taken_or_refused(kind, place):
    """200 files with some bytes changed, taken out or cut off: a Shop, or a ShopError."""
    path, table = place / FORMATS[kind], pd.read_csv(place / "behaviors.csv")
    {
        "csv": lambda: None,
        "gz": lambda: path.write_bytes(gzip.compress(LOG.encode(), mtime=0)),
        "xlsx": lambda: table.to_excel(path, index=False),
        "parquet": lambda: table.to_parquet(path),
        "toml": lambda: path.write_text(TOML),
    }[kind]()
    if kind not in ("csv", "toml"):
        (place / "behaviors.csv").unlink()
    whole, rng, refused = path.read_bytes(), np.random.default_rng(7), 0
    assert len(load_shop(place).behaviors) == 12
    for _ in range(200):
        path.write_bytes(damaged(whole, rng))
        try:
            assert isinstance(load_shop(place), Shop)
        except ShopError as error:
            refused += 1
            assert str(error).strip() and len(str(error)) < 3000
    assert refused > 20


def damaged(whole, rng):
    """Bytes with one of the accidents that befall a file."""
    data = bytearray(whole)
    at = int(rng.integers(len(data)))
    match rng.integers(4):
        case 0:
            for place in rng.integers(len(data), size=int(rng.integers(1, 6))):
                data[place] = int(rng.integers(256))
        case 1:
            del data[at:]
        case 2:
            del data[at : at + int(rng.integers(1, 40))]
        case 3:
            data[at:at] = rng.bytes(int(rng.integers(1, 40)))
    return bytes(data)


def test_a_sheet_that_is_not_there(place):
    pd.read_csv(place / "behaviors.csv").to_excel(
        place / "log.xlsx", sheet_name="June", index=False
    )
    for sheet in ("July", 1, 900):
        said = message(load_shop, place, {"behaviors": {"file": "log.xlsx", "sheet": sheet}})
        assert "log.xlsx" in said and f"sheet = {sheet!r}" in said and "June" in said
    assert (
        len(load_shop(place, {"behaviors": {"file": "log.xlsx", "sheet": "June"}}).behaviors) == 12
    )


def test_headers_that_are_numbers(place):
    """A spreadsheet's header of numbers names columns as any other does."""
    table = pd.read_csv(place / "behaviors.csv").rename(columns={"price": 2024})
    table.to_excel(place / "log.xlsx", index=False)
    shop = load_shop(place, {"behaviors": {"file": "log.xlsx", "columns": {"price": "2024"}}})
    assert shop.behaviors["price"].tolist() == [990] * 12


def test_settings_that_are_read_are_settings_that_are_checked(place):
    (place / "columns.toml").write_text(TOML)
    assert read_settings(place) == check_settings(read_settings(place))


TEXTS = [
    "质量很好",
    "物流太慢",
    "客服不错",
    "颜色很差",
    "味道好吃",
    "包装很好",
    "质量不好",
    "价格便宜",
] * 8


def value_models():
    from segtutorial.value import BGNBD, GammaGamma, ParetoNBD

    rng = np.random.default_rng(3)
    x = rng.poisson(2, 300)
    table = pd.DataFrame(
        {
            "frequency": x,
            "recency": np.where(x > 0, rng.uniform(20, 150, 300), 0.0),
            "T": 180.0,
            "m_0": rng.uniform(500, 5000, 300),
            "monetary_value": np.where(x > 0, rng.uniform(500, 5000, 300), np.nan),
        }
    )
    for kind in (BGNBD, ParetoNBD):
        yield (
            kind.__name__,
            kind().fit(table),
            lambda model, t=table: model.expected(t, 90),
            lambda model: model.summary(),
        )
    yield (
        "GammaGamma",
        GammaGamma().fit(table),
        lambda model, t=table: model.expected(t),
        lambda model: model.summary(),
    )


def combination():
    from segtutorial.clean import clean
    from segtutorial.shop import simulate_shop
    from segtutorial.value.backtest import Combination
    from segtutorial.value.bgnbd import repeat_orders

    shop = clean(simulate_shop(150, 40, 200, 5)).shop
    end = int(shop.behaviors["ts"].max()) + 1
    table = repeat_orders(shop.behaviors, end, shop.timezone)
    yield (
        "Combination",
        Combination().fit(shop.behaviors, end, shop.timezone),
        lambda model: model.expected(table, 90),
    )


def factor_models():
    import scipy.sparse as sp

    from segtutorial.mf import EASE, IALS, MF

    X = sp.random_array(
        (30, 20), density=0.2, rng=np.random.default_rng(1), format="csr", dtype=np.float32
    )
    X.data[:] = 1
    for kind in (IALS(4, 2), MF(4, 2), EASE()):
        yield (
            type(kind).__name__,
            kind.fit(X),
            lambda model: model.recommend([0, 29], 3)[1],
            lambda model: model.score([29], np.array([[19, 0]])),
            lambda model: model.recommend_new(X[:2], 3)[1],
        )


def text_models():
    from segtutorial.shop import simulate_shop
    from segtutorial.text import ItemText, SkipGram, Tokenizer, UserText, Vectorizer

    words = [list(text) for text in TEXTS]
    yield (
        "SkipGram",
        SkipGram(8, epochs=1, min_count=1).fit(words),
        lambda model: model.vector("好"),
        lambda model: model.nearest("好", 2),
    )
    for name, made in {
        "tfidf": Vectorizer(),
        "words": Vectorizer(unit="both", tokenizer=Tokenizer("chars", stop=["的"])),
        "hashing": Vectorizer("hashing", max_features=64),
        "learned": Vectorizer("learned", skipgram=SkipGram(8, epochs=1, min_count=1)),
    }.items():
        yield (
            f"Vectorizer {name}",
            made.fit(TEXTS),
            lambda model: np.asarray(model.transform(["质量好", ""]).sum(axis=1)),
        )
    shop = simulate_shop(40, 12, 40, 5)
    for kind in (ItemText, UserText):
        yield (
            kind.__name__,
            kind(8).fit(shop, "2030-01-01"),
            lambda model: model.transform(shop, "2030-01-02").filter(regex="^t[0-9]+$").to_numpy(),
        )


def sentiment_models():
    from segtutorial.sentiment.aspects import AspectModel
    from segtutorial.sentiment.ensemble import SentimentModel

    praise = [
        f"{a}{b}{c}"
        for a in ("质量", "物流", "客服", "味道", "包装")
        for b in ("很", "非常", "挺")
        for c in ("好", "棒", "快")
    ]
    blame = [
        f"{a}{b}{c}"
        for a in ("质量", "物流", "客服", "味道", "包装")
        for b in ("很", "非常", "太")
        for c in ("差", "慢", "烂")
    ]
    for epochs in (0, 1):
        yield (
            f"SentimentModel {epochs}",
            SentimentModel(epochs, expert=False).fit(praise + blame, [1] * 45 + [0] * 45),
            lambda model: model.predict_proba(["质量很好", "太慢", "x"]),
        )
    aspects = AspectModel().fit(
        TEXTS,
        ["quality", "delivery", "service", "quality", "quality", "none", "quality", "price"] * 8,
        [1, 0, 1, 0, 1, 1, 0, 1] * 8,
    )
    yield (
        "AspectModel",
        aspects,
        lambda model: model.predict(["质量很好"])[["p_aspect", "p_polarity"]].to_numpy(dtype=float),
    )


MAKERS = [value_models, combination, factor_models, text_models, sentiment_models]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A fitted model of every kind: class, file, and what is asked of it."""
    folder, found = tmp_path_factory.mktemp("models"), {}
    for maker in MAKERS:
        for name, model, *uses in maker():
            path = model.save(folder / f"{name}.npz")
            for use in uses:
                use(type(model).load(path))
            found[name] = (type(model), path, uses)
    return found


def is_safe(kind, path, uses):
    """Whether a file is refused (True) or gives a model that answers with numbers (False); anything
    else fails here.
    """
    try:
        model = kind.load(path)
        for use in uses:
            answer = use(model)
            assert np.isfinite(
                answer.to_numpy(dtype=float)
                if isinstance(answer, pd.Series)
                else answer[np.isfinite(answer)]
                if isinstance(answer, np.ndarray)
                else 0
            ).all()
    except ShopError as error:
        assert str(error).strip() and len(str(error)) < 1000
        return True
    return False


def parts(path):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    import json

    return json.loads(str(arrays.pop("header"))), arrays


def rewritten(path, header, arrays, told=True):
    """The file with other content; `told` says whether the header's list of arrays follows."""
    import json

    if not told:
        header = {key: value for key, value in header.items() if key != "arrays"}
    np.savez(path, header=np.array(json.dumps(header)), **arrays)
    return path


def test_every_class_that_loads_is_among_them(stored):
    """A new kind of model gets these tests."""
    import ast
    from pathlib import Path

    import segtutorial

    loads = set()
    for path in Path(segtutorial.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(part, ast.FunctionDef) and part.name == "load" for part in node.body
            ):
                loads.add(node.name)
    assert loads and loads <= {
        base.__name__ for kind, *_ in stored.values() for base in kind.__mro__
    }


def test_models_of_damaged_bytes(stored, tmp_path):
    """Twenty-five files of each kind, more than 400 in all."""
    rng, refused, n = np.random.default_rng(11), 0, 0
    for kind, path, uses in stored.values():
        whole = path.read_bytes()
        for _ in range(25):
            (tmp_path / "damaged.npz").write_bytes(damaged(whole, rng))
            refused += is_safe(kind, tmp_path / "damaged.npz", uses)
            n += 1
    assert n >= 400 and refused > 0.8 * n


def test_models_with_arrays_missing_or_others(stored, tmp_path):
    """Each array left out, of another shape, of another type, full of nan; whether the header's
    list knows or not.
    """
    changes = {
        "none": lambda a: None,
        "short": lambda a: a.reshape(-1)[:-1],
        "long": lambda a: np.concatenate([a.reshape(-1), a.reshape(-1)]),
        "flat": lambda a: a[None],
        "empty": lambda a: a[:0] if a.ndim else a[None][:0],
        "text": lambda a: a.astype("U4"),
        "nan": lambda a: np.full(a.shape, np.nan),
        "double": lambda a: a.astype(np.float64),
        "negative": lambda a: -1 - a.astype(np.int64),
        "large": lambda a: np.full_like(a, 2**31 - 1 if a.dtype.kind in "iu" else 6e4),
    }
    for name, (kind, path, uses) in stored.items():
        header, arrays = parts(path)
        for changed in arrays:
            for change, made in changes.items():
                new = made(arrays[changed])
                left = {key: value for key, value in arrays.items() if key != changed} | (
                    {} if new is None else {changed: new}
                )
                for told in (True, False) if change == "none" else (False,):
                    refused = is_safe(
                        kind, rewritten(tmp_path / "changed.npz", header, left, told), uses
                    )
                    assert refused or change != "text" and not (change == "none" and told), (
                        name,
                        changed,
                        change,
                    )


def test_models_with_headers_missing_or_others(stored, tmp_path):
    """Each parameter left out, renamed, added, or of another type; each entry of the header as
    well.
    """
    values, rng = (
        [None, True, -1, 0, 1e308, "x", [], [1], {}, {"a": 1}, [[1]], NAN],
        np.random.default_rng(5),
    )
    for name, (kind, path, uses) in stored.items():
        header, arrays = parts(path)
        params = header.get("params", {})
        for key in params:
            left = {other: value for other, value in params.items() if other != key}
            # files of before there was `two_columns` are read without it
            later = [left] if key != "two_columns" else []
            for new in (*later, left | {key + "s": params[key]}):
                assert is_safe(
                    kind,
                    rewritten(tmp_path / "changed.npz", header | {"params": new}, arrays),
                    uses,
                ), (name, key)
            for value in (values[at] for at in rng.permutation(12)[:3]):
                is_safe(
                    kind,
                    rewritten(
                        tmp_path / "changed.npz", header | {"params": params | {key: value}}, arrays
                    ),
                    uses,
                )
        if params:
            assert is_safe(
                kind,
                rewritten(
                    tmp_path / "changed.npz", header | {"params": params | {"speed": 1}}, arrays
                ),
                uses,
            )
        for key in header:
            left = {other: value for other, value in header.items() if other != key}
            assert is_safe(
                kind, rewritten(tmp_path / "changed.npz", left, arrays), uses
            ) or key in ("arrays", "tokenizer"), (name, key)  # which may be missing
            for value in (values[at] for at in rng.permutation(12)[:6]):
                is_safe(
                    kind, rewritten(tmp_path / "changed.npz", header | {key: value}, arrays), uses
                )
        for other in ("[]", '"x"', "5", "null", "{", "[" * 100_000):
            np.savez(tmp_path / "changed.npz", header=np.array(other))
            assert is_safe(kind, tmp_path / "changed.npz", uses)


CUTS = """
import os, sys
from segtutorial.text.tokens import Tokenizer
print(Tokenizer().transform(["没坏的耳机"])[0])
"""


@posix
@pytest.mark.parametrize("case", ["usual", "nowhere", "everybody's", "again"])
def test_jieba_writes_and_reads_nothing_that_others_may_write(case, tmp_path):
    """The cache lies in a folder of the user's own; where there can be none, nothing is cached. The
    temporary folder stays as it was, and a cache that lies there is not loaded.
    """
    import marshal

    temporary, cache = tmp_path / "tmp", tmp_path / "cache"
    temporary.mkdir()
    (temporary / "jieba.cache").write_bytes(
        marshal.dumps(({"没": 1, "坏": 1, "没坏的耳机": 10**9}, 10**9))
    )
    if case == "nowhere":
        cache.write_text("a file")
    elif case == "everybody's":
        (cache / "jieba").mkdir(parents=True)
        (cache / "jieba").chmod(0o777)
        (cache / "jieba" / "jieba-0.42.1.cache").write_bytes(
            (temporary / "jieba.cache").read_bytes()
        )
    env = os.environ | {"TMPDIR": str(temporary), "SEGTUTORIAL_CACHE": str(cache)}
    for _ in range(1 + (case == "again")):
        done = subprocess.run(
            [sys.executable, "-c", CUTS], capture_output=True, text=True, env=env, timeout=120
        )
        assert done.stderr == "" and done.stdout.strip().endswith("'的', '耳机']"), done
    assert [path.name for path in temporary.iterdir()] == ["jieba.cache"]
    if case in ("usual", "again"):
        assert [path.suffix for path in (cache / "jieba").iterdir()] == [".cache"] and (
            cache / "jieba"
        ).stat().st_mode & 0o777 == 0o700
    elif case == "nowhere":
        assert cache.read_text() == "a file"


def test_every_download_has_a_hash():
    """Of what the publisher is known to have; of the rest the first copy's is kept (chapter 00c
    tries it).
    """
    from segtutorial.core.fetching import FILES

    without = {name for name, file in FILES.items() if file.urls and file.sha256 is None}
    assert without == {"online_retail", "ml1m_train"} and all(
        len(FILES[name].urls) == 1 for name in without
    )
    assert all(
        len(file.sha256) == 64 and int(file.sha256, 16) for file in FILES.values() if file.sha256
    )
    assert all(url.startswith("https://") for file in FILES.values() for url in file.urls)
