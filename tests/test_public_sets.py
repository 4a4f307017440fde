"""The real sets, where they lie on this machine: the counts that their publishers' files have, and
the whole way from file to report.
"""

import gzip
import shutil

import numpy as np
import pandas as pd
import pytest

from segtutorial import pipeline
from segtutorial.clean import clean
from segtutorial.core.datasets import (
    fetch_books,
    fetch_cdnow,
    fetch_ml1m_loo,
    fetch_online_retail,
    fetch_reviews,
    fetch_tmall,
)
from segtutorial.core.fetching import data_file
from segtutorial.shop import ShopError

NOT_ITEMS = ["POST", "D", "M", "DOT", "C2", "CRUK", "BANK CHARGES", "AMAZONFEE", "S", "B", "PADS"]
TOML = """\
name = "Online Retail"
timezone = "Europe/London"
currency = "GBP"
[behaviors]
file = "online_retail.csv.gz"
money = "yuan"
negative_quantity = "return"
[behaviors.constants]
action = "buy"
[behaviors.columns]
user_id = "CustomerID"
item_id = "StockCode"
order_id = "InvoiceNo"
ts = "InvoiceDate"
price = "UnitPrice"
quantity = "Quantity"
[clean]
not_items = ["POST", "D", "M", "DOT", "C2", "CRUK", "BANK CHARGES", "AMAZONFEE", "S", "B", "PADS"]
"""


@pytest.fixture(scope="module")
def retail(public_data):
    public_data("online_retail")
    return fetch_online_retail()


def table(path, name):
    return pd.read_csv(path / f"{name}.csv", encoding="utf-8-sig")


def money(behaviors):
    return int((behaviors["net_quantity"] * behaviors["price"]).sum())


def test_online_retail_is_whole(retail):
    """Rows, missing customers, cancellations, prices and cents, each counted on the file by other
    means than the library's.
    """
    raw = pd.read_csv(data_file("online_retail"), dtype="str", keep_default_na=False)
    log = retail.behaviors
    assert (
        len(log) == len(raw) == 541_909
        and log["user_id"].isna().sum() == (raw["CustomerID"] == "").sum() == 135_080
    )
    assert (log["order_id"].str.startswith("C") & (log["action"] == "return")).sum() == 9_288
    assert (raw["UnitPrice"].astype(float) <= 0).sum() == 2_517 and (
        log["price"] <= 0
    ).sum() == 2_521  # four prices of £0.001 are no whole penny
    assert any("rounded to the cent" in note for note in retail.notes)
    assert (
        raw.duplicated().sum() == 5_268 and log.drop(columns="row").duplicated().sum() == 5_270
    )  # of two lines only the description differs
    signed = log["quantity"] * np.where(log["action"] == "return", -1, 1)
    assert (signed.to_numpy("int64") == raw["Quantity"].astype(int)).all() and log["quantity"].gt(
        0
    ).all()
    assert (log["price"].to_numpy("int64") == (raw["UnitPrice"].astype(float) * 100).round()).all()
    assert (log["row"] == np.arange(2, 541_911)).all() and retail.unread.empty
    assert (
        log["user_id"]
        .dropna()
        .isin(raw.loc[raw["CustomerID"] != "", "CustomerID"].str.removesuffix(".0").astype(int))
        .all()
    )
    assert (retail.currency, retail.timezone) == ("GBP", "Europe/London") and retail.products[
        "item_id"
    ].is_unique


@pytest.mark.parametrize("sample, rows, customers", [(False, 69_659, 23_570), (True, 6_919, 2_357)])
def test_cdnow_is_whole(public_data, sample, rows, customers):
    """A row a purchase; equal rows and rows of price 0 are real; the money is that of the file's
    lines.
    """
    name = "cdnow_sample" if sample else "cdnow"
    public_data(name)
    log = fetch_cdnow(sample).behaviors
    assert (len(log), log["user_id"].nunique()) == (rows, customers)
    if not sample:
        assert (log["price"] == 0).sum() == 80 and log.drop(columns="row").duplicated().sum() == 255
    path = data_file(name)
    lines = (gzip.open(path, "rt") if path.suffix == ".gz" else open(path)).read().split("\n")
    cents = [
        round(float(line.split()[-1]) * 100)
        for line in lines
        if line.strip() and line.split()[-1][-1].isdigit()
    ]
    assert log["price"].sum() == sum(cents) and (log["quantity"] == 1).all()


def test_tmall_is_whole(public_data):
    """No prices, no views; and the shop's days are Beijing's, of which there are nine."""
    public_data("tmall")
    shop = fetch_tmall()
    assert (
        len(shop.behaviors) == 357_412
        and shop.unread.empty
        and set(shop.behaviors["action"]) == {"buy", "cart", "favorite"}
    )
    assert (
        not shop.behaviors.duplicated(["user_id", "item_id", "action"]).any()
        and shop.behaviors["price"].isna().all()
    )
    assert pd.to_datetime(shop.behaviors["ts"] + 8 * 3600, unit="s").dt.normalize().nunique() == 9


@pytest.mark.parametrize(
    "name, rows, cats, missing",
    [("online_shopping_10_cats", (53_358, 62_774), 10, 1), ("waimai_10k", (11_987,), 1, 0)],
)
def test_reviews_are_whole(public_data, name, rows, cats, missing):
    public_data(name)
    reviews = fetch_reviews(name)
    assert (
        len(reviews) in rows
        and reviews["cat"].nunique() == cats
        and set(reviews["label"]) == {0, 1}
        and reviews["text"].isna().sum() == missing
    )
    assert reviews["text"].dropna().str.contains(r"[\u4e00-\u9fff]").mean() > 0.99


def test_ml1m_is_whole(public_data):
    """One test item and 99 negatives a user; the 156 that are the test item are marked; nobody is
    tested on what was learned from.
    """
    public_data("ml1m_train")
    data = fetch_ml1m_loo()
    assert (
        data.train.shape == (994_169, 2)
        and data.test.shape == (6_040, 2)
        and data.negatives.shape == (6_040, 99)
    )
    assert (~data.valid).sum() == 156 and (data.negatives != data.test[:, 1:]).all()
    pairs = set(map(tuple, data.train.tolist()))
    assert len(pairs) == 994_169 and not pairs & set(map(tuple, data.test.tolist()))


def test_books_are_whole(public_data):
    """Every shelving is of a book that is there; 0 stars are none."""
    public_data("books")
    shelf = fetch_books()
    assert (
        len(shelf.log) == 63_725 and len(shelf.books) == 1_200 and shelf.books["item_id"].is_unique
    )
    assert (
        shelf.log["item_id"].isin(shelf.books["item_id"]).all()
        and shelf.log["rating"].dropna().between(1, 5).all()
        and shelf.log["tags"].isna().sum() == 40_520
    )


@pytest.fixture(scope="module")
def retail_report(retail, tmp_path_factory):
    """The report of Online Retail as it is fetched, without a word about items that are postage."""
    return pipeline.run(retail, tmp_path_factory.mktemp("retail") / "out", progress=False).parent


@pytest.fixture(scope="module")
def by_command(public_data, cli, tmp_path_factory):
    """The same set as a shop would bring it: the file itself in a folder, and a columns.toml beside
    it.
    """
    public_data("online_retail")
    folder = tmp_path_factory.mktemp("command")
    (folder / "columns.toml").write_text(TOML, encoding="utf-8")
    shutil.copy(
        data_file("online_retail"), folder / "online_retail.csv.gz"
    )  # a link out of the folder is refused
    code, stdout, stderr = cli(
        "run", "--data", folder, "--out", folder.parent / "command-out", "--lang", "zh"
    )
    assert code == 0, stderr
    assert str(folder.parent / "command-out" / "index.html") in stdout
    return folder.parent / "command-out"


def test_online_retail_from_file_to_report(retail_report):
    """541,909 rows read; guests, free pieces, doubles and orphans are rejected and counted; about
    4,300 customers bring 8 to 9 million pounds.
    """
    balance, classes, customers = (
        table(retail_report, name) for name in ("balance", "classes", "customers")
    )
    assert (
        balance.set_index("table")["read"]["behaviors"] == 541_909
        and (balance["read"] == balance["kept"] + balance["rejected"]).all()
    )
    assert len(table(retail_report, "rejected")) == balance["rejected"].sum() > 135_080
    assert 4_200 < len(customers) == classes["customers"].sum() < 4_400
    assert 8_000_000 < customers["monetary"].sum() < 9_000_000


def test_two_ways_to_online_retail_agree(retail, retail_report, by_command):
    """By `fetch_online_retail` and by a folder with columns.toml: the money differs by what [clean]
    not_items takes out, to the cent.
    """
    with_postage, without = (
        clean(retail).shop.behaviors,
        clean(retail, not_items=tuple(NOT_ITEMS)).shop.behaviors,
    )
    postage = with_postage[with_postage["item_id"].isin(NOT_ITEMS)]
    assert money(with_postage) - money(without) == money(postage) > 0
    for frame, folder in ((with_postage, retail_report), (without, by_command)):
        assert round(table(folder, "customers")["monetary"].sum() * 100) == money(frame)
    assert table(by_command, "balance").set_index("table")["read"].to_dict() == {
        "behaviors": 541_909
    }
    assert not set(table(by_command, "quality")["check"]) - {
        *table(retail_report, "quality")["check"],
        "not a product",
    }


def test_the_money_of_online_retail_by_hand(retail):
    """The buys that are kept are the file's lines with a customer, a positive quantity and a price,
    once each, less slips of the price.
    """
    raw = (
        pd.read_csv(data_file("online_retail"))
        .drop(columns=["Description", "Country"])
        .drop_duplicates()
    )
    raw = raw[raw["CustomerID"].notna() & (raw["Quantity"] > 0) & (raw["UnitPrice"] >= 0.005)]
    cleaned = clean(retail)
    slips = cleaned.rejected[cleaned.rejected["reason"].str.startswith("price more than")]
    kept = cleaned.shop.behaviors.query("action == 'buy'")
    assert len(kept) == len(raw) - len(slips) and len(slips) < 100
    cents = round(float((raw["Quantity"] * (raw["UnitPrice"] * 100).round()).sum()))
    gone = retail.behaviors.set_index("row").loc[slips["row"]]
    assert int((kept["quantity"] * kept["price"]).sum()) == cents - int(
        (gone["quantity"] * gone["price"]).sum()
    )


def test_cdnow_from_file_to_report(public_data, tmp_path):
    """Its equal rows are real, so they are kept; only the 80 rows of price 0 go, and every cent of
    the others is in the customers' table.
    """
    public_data("cdnow")
    shop = fetch_cdnow()
    folder = pipeline.run(
        shop, tmp_path / "out", "zh", progress=False, policy={"duplicates": "keep"}
    ).parent
    quality, customers = table(folder, "quality"), table(folder, "customers")
    slips = quality.loc[quality["check"].str.startswith("price more than"), "rows"].sum()
    assert quality.loc[quality["check"].str.startswith("price 0"), "rows"].tolist() == [80]
    assert table(folder, "balance")["kept"].tolist() == [69_659 - 80 - slips]
    rejected = table(folder, "rejected")
    lost = shop.behaviors.set_index("row").loc[rejected["row"], "price"].sum()
    assert round(customers["monetary"].sum() * 100) == shop.behaviors["price"].sum() - lost
    assert slips == 0, (
        "CDs of 50 times the usual price are whole orders: a row is an order here, and no slip"
    )


def test_tmall_from_file_to_report(public_data, tmp_path):
    """Without prices there is a report by orders, and no sum of money in it."""
    public_data("tmall")
    folder = pipeline.run(fetch_tmall(), tmp_path / "out", progress=False).parent
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert (
        "no prices or quantities" in html
        and "¥" not in html
        and table(folder, "customers")["monetary"].isna().all()
    )


def test_a_set_that_is_not_whole_is_refused(public_data, tmp_path, monkeypatch):
    """One line less than published is found, and said with both counts."""
    public_data("waimai_10k")
    path = data_file("waimai_10k")
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    place = tmp_path / "zh_reviews" / "waimai_10k.csv.gz"
    place.parent.mkdir()
    place.write_bytes(gzip.compress(raw[: raw.rstrip(b"\n").rindex(b"\n") + 1]))
    monkeypatch.setenv("SEGTUTORIAL_DATA", str(tmp_path))
    with pytest.raises(ShopError, match=r"11,987 x 2.*found 11,986 x 2"):
        fetch_reviews("waimai_10k")
