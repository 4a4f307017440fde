"""The report from end to end: a page that needs nothing beside it, tables whose sums agree, and
nothing said that the log cannot say.
"""

import base64
import re
from dataclasses import replace
from urllib.parse import unquote

import pandas as pd
import pytest

from segtutorial import pipeline
from segtutorial.core.folders import MARK, foreign
from segtutorial.core.section import ReportWarning
from segtutorial.core.stages import Stage
from segtutorial.shop import ShopError, simulate_shop, write_shop

STAGES = pipeline.registered_stages()
languages = pytest.mark.parametrize("lang", ["en", "zh"])


def page(folder):
    return (folder / "index.html").read_text(encoding="utf-8")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@languages
def test_the_page_asks_no_other_machine(reports, lang):
    """Every address in it is data, an anchor or a file beside it that is there; and it runs no
    script.
    """
    html = page(reports[lang])
    addresses = re.findall(
        r"""(?:src|href|action|srcset|data|poster)\s*=\s*["']([^"']*)""", html
    ) + re.findall(r"""(?:url\(|@import)\s*["']?([^"');]*)""", html)
    assert len(addresses) > 5
    beside = {unquote(address) for address in addresses if not address.startswith(("data:", "#"))}
    assert beside == {path.name for path in reports[lang].iterdir()} - {"index.html", MARK}
    assert "<script" not in html.lower() and not re.search(r"https?://", html)


@languages
def test_pictures_load_nothing_and_keep_their_words(reports, lang):
    """Each is an SVG with text as text; its only addresses are names of vocabularies, which no
    browser fetches.
    """
    images = re.findall(
        r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)"', page(reports[lang])
    )
    assert len(images) == page(reports[lang]).count("<img") >= 3
    for data, _ in images:
        svg = base64.b64decode(data).decode("utf-8")
        assert (
            "<text" in svg
            and not re.search(r"""(?:href|src)\s*=\s*["'](?!#)""", svg)
            and not re.search(r"@import|@font-face|<image|<script", svg)
        )


@languages
def test_tables_are_what_a_spreadsheet_reads(reports, lang):
    """UTF-8 with its mark in front, so that Chinese stays Chinese; no column without a name, no
    table without a row but by being clean.
    """
    for path in reports[lang].glob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf"), path.name
        table = pd.read_csv(path, encoding="utf-8-sig")
        assert len(table) and not table.columns.str.startswith("Unnamed").any(), path.name
    classes = pd.read_csv(reports[lang] / "classes.csv", encoding="utf-8-sig")
    assert classes["class_zh"].str.fullmatch(r"(重要|一般)(价值|发展|保持|挽留)客户").all()


@languages
def test_sums_agree(reports, shop, lang):
    """Customers of the classes, of the actions and of the list are the same people; money and rows
    add up.
    """
    read = lambda name: pd.read_csv(reports[lang] / f"{name}.csv", encoding="utf-8-sig")
    classes, customers, actions, balance, rejected = map(
        read, ["classes", "customers", "actions", "balance", "rejected"]
    )
    assert (
        classes["customers"].sum()
        == actions["customers"].sum()
        == len(customers)
        == customers["user_id"].nunique()
        > 50
    )
    assert (
        classes.set_index("class_en")["customers"].to_dict()
        == customers["class_en"].value_counts().to_dict()
    )
    assert classes["worth"].sum() == pytest.approx(customers["monetary"].sum()) and classes[
        "customers_share"
    ].sum() == pytest.approx(1)
    assert (balance["read"] == balance["kept"] + balance["rejected"]).all() and balance[
        "rejected"
    ].sum() == len(rejected) > 100
    assert balance.set_index("table")["read"].to_dict() == {
        name: len(table) for name, table in shop.tables().items()
    }


@languages
def test_future_values_add_up(reports, lang):
    """Tiers, cuts, changes and the list of all customers tell of the same money; each interval
    holds its value where that is a sum.
    """
    read = lambda name: pd.read_csv(reports[lang] / f"{name}.csv", encoding="utf-8-sig")
    future, cuts, changes, everyone, customers = map(
        read, ["future", "cuts", "changes", "lifetime", "customers"]
    )
    assert set(everyone["user_id"]) == set(customers["user_id"]) and everyone["user_id"].is_unique
    assert (
        future["value"].sum()
        == pytest.approx(everyone["value"].sum())
        == pytest.approx(changes["value"].sum())
    )
    assert (
        future["customers"].sum() == changes["customers"].sum() == len(everyone)
        and 0 < changes["brought"].sum() < customers["monetary"].sum()
    )
    assert everyone.groupby("future_tier")["value"].sum().to_dict() == pytest.approx(
        future.set_index("tier")["value"].to_dict()
    )
    assert ((future["low"] <= future["value"]) & (future["value"] <= future["high"])).all() and (
        everyone["low"] <= everyone["high"]
    ).all()
    best = everyone["value"].sort_values(ascending=False)
    assert [row.value for row in cuts.itertuples()] == pytest.approx(
        [best.head(row.customers).sum() for row in cuts.itertuples()]
    )


@languages
def test_every_stage_has_its_section(reports, lang):
    """In the order of the stages, each with words or tables under its title."""
    sections = re.findall(
        r'<section id="(\w+)">\s*<h2>([^<]+)</h2>(.*?)</section>',
        page(reports[lang]),
        flags=re.DOTALL,
    )
    assert (
        [key for key, *_ in sections]
        == [stage.name for stage in STAGES]
        == ["value", "sentiment", "mf", "features", "metrics", "clean"]
    )
    assert all("<table" in body for *_, body in sections) and len(
        {title for _, title, _ in sections}
    ) == len(sections)


def test_both_languages_say_the_same_numbers(reports):
    """The tables are the same files (advice alone is in the language), and the pages have the same
    parts in the same order.
    """
    tables = [
        {
            name: data
            for name, data in contents(reports[lang]).items()
            if name not in ("index.html", "actions.csv", MARK)
        }
        for lang in ("en", "zh")
    ]
    assert tables[0] == tables[1]
    skeleton = [
        re.findall(r"<(?:h2|h3|table|figure|section)\b", page(reports[lang]))
        for lang in ("en", "zh")
    ]
    assert skeleton[0] == skeleton[1] and len(skeleton[0]) > 10


@languages
def test_no_value_that_a_program_would_print(reports, lang):
    """No NaN, None, float with ten digits or name of a type stands where a person reads."""
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", page(reports[lang]), flags=re.DOTALL)
    assert not re.search(
        r"\b(nan|NaN|None|NaT|inf|<NA>|&lt;NA&gt;|dtype|Series|\d+\.\d{5,})\b", text
    )


def test_the_same_shop_gives_the_same_bytes(reports, tmp_path):
    """Also when the shop is simulated anew."""
    again = pipeline.run(
        simulate_shop(200, 60, 90, 7, dirt=0.03, impressions=True),
        tmp_path / "again",
        progress=False,
    ).parent
    assert contents(again) == contents(reports["en"])


def test_a_shop_from_files_gives_the_same_report(reports, shop, cli, tmp_path):
    """simulate, write, run as a process: the tables of the report made in memory, but for notes on
    how the files were read.
    """
    write_shop(shop, tmp_path / "shop")
    code, stdout, _ = cli(
        "run", "--data", tmp_path / "shop", "--out", tmp_path / "out", "--lang", "zh"
    )
    assert code == 0 and str(tmp_path / "out" / "index.html") in stdout
    for name in ("classes", "customers", "actions", "balance", "quality", "movement"):
        assert (tmp_path / "out" / f"{name}.csv").read_bytes() == (
            reports["zh"] / f"{name}.csv"
        ).read_bytes(), name


def test_an_earlier_report_is_replaced_only_when_asked(shop, tmp_path):
    """Without overwrite it stays as it is; with it all of it is replaced, a file that is no part of
    the new one included.
    """
    out = pipeline.run(shop, tmp_path / "out", progress=False, stages=STAGES[:1]).parent
    before = contents(out)
    assert "movement.csv" in before
    with pytest.raises(ShopError, match="--overwrite"):
        pipeline.run(shop, out, progress=False)
    assert contents(out) == before
    pipeline.run(shop, out, "zh", overwrite=True, progress=False, stages=STAGES[-1:])
    assert (
        'lang="zh-CN"' in page(out) and "movement.csv" not in contents(out) and foreign(out) == []
    )
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


class Broken(Stage):
    name, place = "odd", 15

    def run(self, shop, results, ctx):
        raise RuntimeError("this stage fails")


@pytest.mark.parametrize(
    "broken, error",
    [
        ({"lang": "fr"}, ShopError),
        ({"policy": {"guest": "keep"}}, ShopError),
        ({"as_of": "1999-01-01"}, ShopError),
        ({"model": "no such file"}, ShopError),
    ],
)
def test_a_run_that_fails_touches_nothing(shop, tmp_path, broken, error):
    """The report of last week is still there after this week's failed, and no half of a new one."""
    out = pipeline.run(shop, tmp_path / "out", progress=False, stages=STAGES[-1:]).parent
    before = contents(out)
    with pytest.raises(error):
        pipeline.run(shop, out, overwrite=True, progress=False, **broken)
    assert contents(out) == before and [path.name for path in tmp_path.iterdir()] == ["out"]


class Unusable(Stage):
    name, place = "odd", 15

    def run(self, shop, results, ctx):
        raise ShopError("nobody has bought on a second day")


@languages
@pytest.mark.parametrize(
    "stage, reason",
    [
        (Broken(), "RuntimeError: this stage fails"),
        (Unusable(), "nobody has bought on a second day"),
    ],
)
def test_a_stage_that_fails_becomes_a_sentence(shop, tmp_path, lang, stage, reason):
    """With its true reason; the other stages are there, and one warning is given."""
    stages = [STAGES[0], stage, STAGES[-1]]
    with pytest.warns(ReportWarning, match=re.escape(reason)) as warned:
        html = page(
            pipeline.run(shop, tmp_path / "out", lang, progress=False, stages=stages).parent
        )
    assert len([w for w in warned if w.category is ReportWarning]) == 1
    sections = dict(re.findall(r'<section id="(\w+)">(.*?)</section>', html, flags=re.DOTALL))
    assert (
        list(sections) == ["value", "odd", "clean"]
        and reason in sections["odd"]
        and "<table" in sections["value"]
        and "<table" in sections["clean"]
    )


@pytest.mark.parametrize("strict, code", [((), 0), (("--strict",), 1)])
def test_the_command_warns_of_a_stage_that_fails(folder, main, monkeypatch, tmp_path, strict, code):
    """The report is there either way; one line on stderr, no traceback."""
    monkeypatch.setattr(pipeline, "registered_stages", lambda: [Broken(), STAGES[-1]])
    found, _, stderr = main("run", "--data", folder, "--out", tmp_path / "out", *strict)
    assert (
        found == code and (tmp_path / "out" / "index.html").exists() and "Traceback" not in stderr
    )
    assert [
        line
        for line in stderr.splitlines()
        if "warning" in line and "RuntimeError: this stage fails" in line
    ]


def test_no_memory_in_a_stage_is_no_sentence(shop, tmp_path):
    """Whatever came after it would be as unsure."""

    class Greedy(Stage):
        name = "greedy"

        def run(self, shop, results, ctx):
            raise MemoryError

    with pytest.raises(MemoryError):
        pipeline.run(shop, tmp_path / "out", progress=False, stages=[Greedy()])
    assert not list(tmp_path.iterdir())


def test_the_shop_is_not_changed(shop, tmp_path):
    """The tables that go in are the tables that are there afterwards."""
    before = {name: table.copy() for name, table in shop.tables().items()}
    pipeline.run(shop, tmp_path / "out", progress=False)
    for name, table in shop.tables().items():
        pd.testing.assert_frame_equal(table, before[name])


def without(shop, *columns):
    trade = shop.behaviors.copy()
    for column in columns:
        trade[column] = pd.array([pd.NA] * len(trade), "Int64")
    return replace(shop, behaviors=trade)


LESS = {
    "no prices": (lambda shop: without(shop, "price"), "no prices or quantities", "没有价格或数量"),
    "no prices and quantities": (
        lambda shop: without(shop, "price", "quantity"),
        "no prices or quantities",
        "没有价格或数量",
    ),
    "no order ids": (lambda shop: without(shop, "order_id"), "", ""),
    "behaviors only": (
        lambda shop: replace(shop, products=None, reviews=None, impressions=None, truth={}),
        "",
        "",
    ),
    "one customer": (
        lambda shop: replace(
            shop,
            behaviors=shop.behaviors[
                shop.behaviors["user_id"]
                == shop.behaviors.loc[shop.behaviors["action"] == "buy", "user_id"].iloc[-1]
            ],
        ),
        "",
        "",
    ),
    "one week": (
        lambda shop: replace(
            shop, behaviors=shop.behaviors[shop.behaviors["ts"].between(1706803200, 1707408000)]
        ),
        "",
        "",
    ),
}


@languages
@pytest.mark.parametrize("case", LESS)
def test_a_poorer_shop_still_has_a_report(shop, tmp_path, case, lang):
    """And where something cannot be said, the page says so instead; no amount of money is shown
    that nobody paid, but for the catalogue's own prices in the tables of attributes and thin
    places.
    """
    make, *said = LESS[case]
    folder = pipeline.run(make(shop), tmp_path / "out", lang, progress=False).parent
    html = page(folder)
    assert said[lang == "zh"] in html
    paid = re.sub(
        r"<p class=\"caption\">[^<]*<a href=\"(?:catalogue_gaps|attributes)\.csv\">.*?</table>",
        "",
        html,
        flags=re.DOTALL,
    )
    assert ("¥" in paid) == (not case.startswith(("no prices", "no buys")))
    customers = pd.read_csv(folder / "customers.csv", encoding="utf-8-sig")
    assert (
        len(customers)
        and customers["monetary"].isna().all() == case.startswith("no prices")
        and customers["frequency"].ge(1).all()
    )


def test_check_says_what_a_poorer_shop_costs(shop, main, tmp_path):
    """Every missing table and column by name, with the words for what will not be computed."""
    write_shop(
        replace(
            without(shop, "price", "order_id"),
            products=None,
            reviews=None,
            impressions=None,
            truth={},
        ),
        tmp_path / "shop",
    )
    _, stdout, _ = main("check", "--data", tmp_path / "shop")
    for words in (
        "products: missing; no product is known",
        "reviews: missing; nothing is said",
        "behaviors.price: empty; no money is computed",
        "behaviors.order_id: empty; an order is then",
    ):
        assert words in stdout, stdout


def test_words_from_the_log_are_shown_as_words(shop, tmp_path):
    """A shop's name or note with signs of HTML is text on the page, not markup."""
    odd = replace(
        shop, name="茶<script>alert(1)</script>&'\"", notes=["<img src=x onerror=alert(1)>"]
    )
    html = page(pipeline.run(odd, tmp_path / "out", progress=False).parent)
    assert "<script" not in html and "<img src=x" not in html and "茶&lt;script&gt;" in html


@languages
def test_a_currency_is_no_formula(shop, tmp_path, lang):
    """One that looks like a formula of TeX is written as it is, in pictures too."""
    odd = replace(shop, currency="$x^$")
    html = page(pipeline.run(odd, tmp_path / "out", lang, progress=False, stages=STAGES[:1]).parent)
    pictures = "".join(
        base64.b64decode(data).decode() for data in re.findall(r"svg\+xml;base64,([^\"]+)", html)
    )
    assert (
        "$x^$" in html
        and "$x^$" in pictures
        and "Not made" not in html
        and "未生成" not in html
        and "未显示，原因" not in html
        and "because of this" not in html
    )
