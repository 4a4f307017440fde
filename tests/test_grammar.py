"""Simulated reviews: varied, a function of their own keys, true to what they state, and free of
accidents of typing.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import segtutorial.simulation
from segtutorial.simulation import corruption
from segtutorial.simulation.grammar import IRONY, KINDS, SORTS, banks, write_reviews
from segtutorial.simulation.market import ASPECTS, CATEGORIES, key_of, read_tables
from segtutorial.simulation.phrases import NOUNS, expand, rows_of, sayings

CODES = list(CATEGORIES.index)


def buyers(n, seed=0):
    """Keys, opinions, stars, categories and nouns of n reviews, as the simulator makes them."""
    rng = np.random.default_rng(seed)
    opinions = rng.normal([0.2, 0.1, 0.2, 0.4, 0.2], [0.8, 0.8, 0.6, 0.8, 0.7], (n, 5)) - 1.7 * (
        rng.random((n, 1)) < 0.06
    )
    points = 4.15 + 1.35 * opinions @ [0.33, 0.17, 0.17, 0.12, 0.17] + 0.35 * rng.normal(size=n)
    stars = np.clip(np.round(np.where(points < 3, 3 - 1.6 * (3 - points), points)), 1, 5).astype(
        int
    )
    at = rng.integers(0, len(NOUNS), n)
    return (
        key_of(seed, "line", np.arange(n)),
        opinions,
        stars,
        np.array([CODES.index(category) for category, _ in NOUNS])[at],
        np.array([noun for _, noun in NOUNS], object)[at],
    )


@pytest.fixture(scope="module")
def written():
    given_ = buyers(40_000)
    return given_, write_reviews(*given_)


@pytest.mark.parametrize("seed", range(8))
def test_fewer_than_ten_equals_among_a_thousand(seed):
    texts = write_reviews(*buyers(3000, seed))["text"]
    assert max(1000 - texts[at : at + 1000].nunique() for at in (0, 1000, 2000)) < 10
    assert 3000 - texts.nunique() < 30


def test_few_equals_even_in_one_product_and_one_mood():
    key, opinions, stars, category, noun = buyers(1000)
    texts = write_reviews(
        key,
        np.full((1000, 5), 0.9),
        np.full(1000, 5),
        np.full(1000, CODES.index("家居日用")),
        np.full(1000, "保温杯", object),
    )["text"]
    assert 1000 - texts.nunique() < 30


@given(st.lists(st.integers(0, 299), min_size=0, max_size=20))
def test_a_text_depends_on_nothing_but_its_own_row(rows):
    whole = buyers(300, 3)
    rows = np.array(rows, int)
    alone, among = write_reviews(*(part[rows] for part in whole)), write_reviews(*whole)
    pd.testing.assert_frame_equal(alone, among.iloc[rows].reset_index(drop=True))


def test_the_frame_has_the_promised_types():
    for n in (0, 1, 50):
        table = write_reviews(*buyers(n))
        assert len(table) == n and list(table) == ["text", "kind", *ASPECTS]
        assert [str(dtype) for dtype in table.dtypes] == ["str", "str"] + 5 * ["Int8"] and table[
            "text"
        ].notna().all()


def test_every_cell_speaks():
    for category, noun in KINDS:
        for aspect in ASPECTS:
            for level in range(5):
                assert len(sayings(category, noun, aspect, level)) >= 2, (
                    category,
                    noun,
                    aspect,
                    level,
                )
    assert banks()["sayings"].count.min() >= 2 and len(banks()["sayings"].count) == len(KINDS) * 25


def test_kinds_keep_their_shares_and_places(written):
    (_, _, stars, _, _), table = written
    share = table["kind"].value_counts(normalize=True)
    assert (
        set(share.index) == set(SORTS)
        and 0.94 < share["plain"] < 0.98
        and 0.015 < share["contradicts"] < 0.026
    )
    assert 0.001 < share["empty"] < 0.004 and 0.001 < share["copied"] < 0.006
    mocks = table["kind"] == "sarcastic"
    assert (stars[mocks] <= 2).all() and 0.06 < mocks[stars <= 2].mean() < 0.12
    assert (stars[table["kind"] == "copied"] >= 4).all() and (
        stars[table["kind"] == "contradicts"] != 3
    ).all()
    assert table.loc[table["kind"] == "copied", "text"].nunique() <= 12
    empty = table[table["kind"] == "empty"]
    assert set(empty["text"]) <= {"", "。", "！", "…"} and empty[list(ASPECTS)].isna().all(
        axis=None
    )
    assert (table.loc[table["kind"] != "empty", "text"].str.len() >= 3).all()


def test_one_to_four_aspects_are_spoken_of_and_strong_ones_more(written):
    (_, opinions, _, _, _), table = written
    said = table[list(ASPECTS)].notna().to_numpy()
    assert set(said[(table["kind"] != "empty")].sum(axis=1)) == {1, 2, 3, 4}
    strong, plain = np.abs(opinions) > 1.2, (table["kind"] == "plain").to_numpy()
    assert said[plain][strong[plain]].mean() > said[plain][~strong[plain]].mean() + 0.15


def _spoken_levels(text, category, noun, aspect):
    """The levels at which a text holds a phrase of this product and aspect."""
    rows, bank = KINDS.index((category, noun)), banks()["sayings"]
    found = set()
    for level in range(5):
        cell = (rows * 5 + ASPECTS.index(aspect)) * 5 + level
        for template in bank.templates[bank.start[cell] : bank.start[cell] + bank.count[cell]]:
            if any(
                phrase in text
                for phrase in bank.phrases[
                    bank.first[template] : bank.first[template] + bank.size[template]
                ]
            ):
                found.add(level)
    return found


def test_what_is_stated_stands_in_the_phrase_table(written):
    (_, opinions, stars, category, noun), table = written
    plain = ~table["text"].str.contains(r"[ ,!\d！;]") & table["kind"].isin(
        ["plain", "contradicts"]
    )  # as written, not as typed
    for at in np.flatnonzero(plain)[:400]:
        for aspect in ASPECTS:
            said = table.at[at, aspect]
            if not pd.isna(said):
                levels = _spoken_levels(table.at[at, "text"], CODES[category[at]], noun[at], aspect)
                assert said in np.sign(np.array(sorted(levels)) - 2), (
                    table.at[at, "text"],
                    aspect,
                    said,
                )


def test_contradictions_contradict_and_mockery_blames(written):
    (_, _, stars, _, _), table = written
    said, side = table[list(ASPECTS)].to_numpy(float, na_value=np.nan), np.sign(stars - 3)
    opposite = (table["kind"] == "contradicts").to_numpy()
    assert (np.isnan(said[opposite]) | (said[opposite] == -side[opposite, None])).all()
    mocks = (table["kind"] == "sarcastic").to_numpy()
    assert (np.isnan(said[mocks]) | (said[mocks] == -1)).all() and (~np.isnan(said[mocks])).any(
        axis=1
    ).all()
    assert np.nanmin(said[(table["kind"] == "copied").to_numpy()]) >= 0
    assert len(rows_of(IRONY)) == len(ASPECTS)


def test_no_accidents_of_typing(written):
    _, table = written
    text = table["text"]
    odd = text[text.str.contains(r"[\[\]/{}|@FGBV\n\t]|  |，，|。。|，。|。，|，！|；，|，；|：")]
    assert odd.empty, odd.iloc[0]
    assert not (text.str.contains(",", regex=False) & text.str.contains("，", regex=False)).any()
    assert not text.str.contains(r"^[ ，。！,.；;]|[ ，,；;]$")[~text.isin(["。", "！"])].any()
    assert not text.str.contains(r"很很|非常很|真真|太太|不不|一\d|[四五六]\d天").any()
    assert text.str.len().max() <= 220 and 20 <= text.str.len().median() <= 60


def test_things_happen_only_to_products_that_can_suffer_them(written):
    (_, _, _, category, noun), table = written
    sense = {
        "起球": {"四件套", "速干衣", "连衣裙", "卫衣", "短袖"},
        "续航": {"蓝牙耳机", "智能手表"},
        "拉肚子": {n for c, n in NOUNS if c == "食品生鲜"},
        "错别字": {n for c, n in NOUNS if c == "图书文娱"},
        "粘锅": {"炒锅"},
        "过敏": {n for c, n in NOUNS if c == "美妆护肤"},
        "尺码": {n for c, n in NOUNS if c in ("服饰鞋包", "运动户外")},
    }
    for word, nouns in sense.items():
        found = set(
            noun[(table["text"].str.contains(word) & (table["kind"] != "copied")).to_numpy()]
        )
        assert found and found <= nouns, (word, found - nouns)


def test_a_noun_that_no_table_knows_gets_what_its_category_shares():
    key, opinions, stars, _, _ = buyers(400)
    table = write_reviews(
        key, opinions, stars, np.full(400, CODES.index("图书文娱")), np.full(400, "地图册", object)
    )
    assert (
        table["text"].str.contains("地图册").any()
        and table["text"].str.contains("印刷|纸张|装订").any()
    )
    assert not re.search(
        "|".join(noun for _, noun in NOUNS if len(noun) > 2), "".join(table["text"])
    )


LISTS = Path(segtutorial.simulation.__file__).parent / "lists"


def _templates(name):
    """All templates of a list, of whatever form, before verbs are put in."""
    for table, text in read_tables(name).items():
        for row in text.replace("\n  ", "|").split("\n"):
            if name == "products":
                if row[:2] in ("+ ", "- "):
                    yield row[2:]
            elif name == "extras" or table == "scenes":
                yield from row.split(" = ")[1].split("|")
            else:
                yield from row.split("|")


@pytest.mark.parametrize("name", "sayings products extras stories verdicts irony links".split())
def test_every_template_of_the_lists_is_in_a_bank(name):
    spoken = {phrase for bank in banks().values() for phrase in bank.phrases}
    verbs = {"用", *(re.findall(r"^\S+/(\S)", "\n".join(read_tables("products").values()), re.M))}
    lost = [
        template
        for template in _templates(name)
        if not any(
            phrase.replace("V", verb) in spoken for verb in verbs for phrase in expand(template)[:1]
        )
    ]
    assert not lost


@pytest.mark.parametrize("name", ["looks", "products"])
def test_every_word_of_a_feature_is_in_a_phrase(name):
    """Of each feature every good word and every bad one; and of each pattern a phrase."""
    spoken = "\n".join(banks()["sayings"].phrases)
    features = re.findall(r"([^\s:+]+):(\S+):(\S+)", "\n".join(read_tables(name).values()))
    assert len(features) > 20
    lost = [
        (thing, word)
        for thing, *sides in features
        for words in sides
        for word in words.split(",")
        if not re.search(f"{thing}[^\\n]*{word}", spoken)
    ]
    assert not lost
    for row in rows_of(read_tables("patterns")["patterns"]):
        for pattern in row:
            part = re.sub("[FGB]", ".+", re.escape(expand(pattern)[0]))
            assert re.search(f"^{part}$", spoken, re.M), pattern


def test_every_line_of_the_lists_is_a_row_of_a_table():
    """And every file has a test here that reads it; none has two tables of one name."""
    for path in LISTS.glob("*.txt"):
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line and not line.startswith("#")]
        names = [line[3:] for line in kept if line.startswith("== ")]
        assert kept[0].startswith("== ") and len(set(names)) == len(names)
        assert not any(line != line.rstrip() or "\t" in line for line in kept), path.name
        rows = "\n".join(read_tables(path.stem).values()).split("\n")
        assert rows == [line for line in kept if not line.startswith("== ")]
    tested = "sayings patterns products looks extras stories verdicts irony links traditional"
    assert {path.stem for path in LISTS.glob("*.txt")} == set(tested.split())
    assert {path.name for path in LISTS.iterdir() if path.suffix != ".txt"} == {"categories.csv"}


def test_the_tables_of_signs_and_categories_are_whole():
    pairs = read_tables("traditional")["traditional"].split("\n")
    assert all(re.fullmatch(r"\S \S", pair) and pair[0] != pair[2] for pair in pairs)
    assert (len(pairs), len(corruption._SIMPLE)) == (len(corruption._TRADITIONAL), len(pairs))
    assert set(read_tables("products")) == set(CATEGORIES.index) == {name for name, _ in NOUNS}
    lines = (LISTS / "categories.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(CATEGORIES) + 1 and not CATEGORIES.isna().any(axis=None)
    assert set(CATEGORIES["nouns"].str.split().explode()) == {noun for _, noun in NOUNS}
