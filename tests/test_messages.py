"""A language is a file and nothing else: a made-up one leaves nothing of the report in English."""

import base64
import html
import re

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from segtutorial import pipeline
from segtutorial.core import messages
from segtutorial.core.messages import languages

# what is data, a name or a unit, and so the same in every language
SAME = re.compile(
    r"simulated|shop|segtutorial|CSV|csv|CNY|Asia/Shanghai|BG/NBD|Pareto/NBD|NBD|RFM|iALS|NDCG"
    r"|[\w.]+\.csv|[A-Z]{3}|\d{4}-[A-Z][a-z]{2}-\d\d"
)


def wrapped(text):
    if not isinstance(text, str):
        return tuple(map(wrapped, text))
    return "\n".join(f"⟦{line}⟧" for line in text.split("\n"))  # a picture draws lines one by one


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Catalogues in which every message is its English between brackets."""
    folder = tmp_path_factory.mktemp("locale")
    place = folder / "eo" / "LC_MESSAGES"
    place.mkdir(parents=True)
    for path in sorted((messages.LOCALES / "zh_CN" / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            known = read_po(file)
        catalog = Catalog(locale="eo")  # with two forms for numbers, where Chinese has one
        for message in known:
            if message.id:
                catalog.add(message.id, wrapped(message.id), context=message.context)
        with (place / path.name).open("wb") as file:
            write_po(file, catalog)
    return folder


def outside(text):
    """What of a text is in no brackets, which may lie inside each other."""
    depth, left = 0, []
    for letter in text:
        depth += letter == "⟦"
        if not depth:
            left.append(letter)
        depth -= letter == "⟧"
    return "".join(left)


def words_of(page):
    """The texts that a reader sees: the page's, its pictures' and their captions."""
    body = re.sub(r"<(style|head).*?</\1>", "", page, flags=re.DOTALL)
    for picture in re.findall(r"svg\+xml;base64,([^\"]+)", body):
        svg = base64.b64decode(picture).decode()
        yield from re.findall(r"<text[^>]*>([^<]+)</text>", svg)
    yield from re.findall(r'alt="([^"]+)"', body)
    yield from (text for text in re.split(r"<[^>]+>", body) if text.strip())


def test_no_sentence_is_left_in_english(shop, made_up, monkeypatch, tmp_path):
    monkeypatch.setattr(messages, "LOCALES", made_up)
    assert list(languages()) == ["en", "eo"]
    page = pipeline.run(shop, tmp_path / "out", "eo", progress=False).read_text(encoding="utf-8")
    left = set()
    for text in words_of(page):
        rest = SAME.sub("", outside(html.unescape(text)))
        if re.search(r"[A-Za-z]{3,}", rest):
            left.add(rest.strip())
    assert not left, f"{len(left)} texts are not translated: {sorted(left)[:40]}"
    assert page.count("⟦") > 200


def test_both_languages_have_every_message():
    """No message of the Chinese catalogue is empty, fuzzy or without its places."""
    for path in sorted((messages.LOCALES / "zh_CN" / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            catalog = read_po(file, locale="zh_CN")
        for message in catalog:
            if not message.id:
                continue
            one = message.id if isinstance(message.id, str) else message.id[-1]
            strings = (message.string,) if isinstance(message.string, str) else message.string
            for string in strings:
                assert string and not message.fuzzy, f"{path.name}: {one!r}"
                places = [set(re.findall(r"\{(\w+)\}|%\((\w+)\)s", text)) for text in (one, string)]
                assert places[0] == places[1], f"{path.name}: {one!r} and {string!r}"


def test_one_message_has_one_translation():
    """The catalogues of the wings are merged, so the same message may not mean two things."""
    found = {}
    for path in sorted((messages.LOCALES / "zh_CN" / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file):
                found.setdefault((message.context, message.id), set()).add(message.string)
    assert {key: texts for key, texts in found.items() if len(texts) > 1 and key[1]} == {}


def test_the_name_of_a_column_is_no_word():
    """'price' is a word of another section, too."""
    reason = messages.worded("buy without {column}", column="price")
    assert messages.Words("zh", "CNY", "UTC").translated(reason) == "购买缺少 price"
