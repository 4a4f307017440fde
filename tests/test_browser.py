"""The report as a reader's browser shows it: no complaint, every picture, nothing wider than a
phone, Chinese as letters and not as boxes.
"""

import base64
import re
import shutil
from urllib.parse import unquote

import pytest

BROWSER, DRIVER = (
    next(filter(None, map(shutil.which, names)), None)
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
)
pytestmark = pytest.mark.skipif(
    not BROWSER or not DRIVER, reason="skipped: chromium and chromedriver are not on this machine"
)
languages = pytest.mark.parametrize("lang", ["en", "zh"])
QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--force-color-profile=srgb",
)

# each sign drawn on its own: 1 where a pixel is dark
DRAW = """
const [font, signs] = arguments, canvas = document.createElement('canvas');
canvas.width = canvas.height = 48;
const pen = canvas.getContext('2d', {willReadFrequently: true});
return signs.map(sign => {
    pen.fillStyle = '#fff'; pen.fillRect(0, 0, 48, 48);
    pen.fillStyle = '#000'; pen.font = '32px ' + font; pen.fillText(sign, 6, 38);
    const data = pen.getImageData(0, 0, 48, 48).data;
    let dots = '';
    for (let i = 0; i < data.length; i += 4) dots += data[i] < 128 ? '1' : '0';
    return dots;
});"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in (*QUIET, f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture
def seen(browser, reports):
    """`seen(lang, width)` opens the report as a window of that width shows it."""

    def look(lang, width=1000):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        browser.get_log("browser")  # what earlier pages left there
        browser.get((reports[lang] / "index.html").resolve().as_uri())
        return browser

    return look


@languages
def test_the_console_is_silent(seen, lang):
    """No error, no missing file, no warning."""
    assert seen(lang).get_log("browser") == []


def test_the_console_would_have_said_it(browser, tmp_path):
    """Else the test above could pass on a browser that says nothing."""
    (tmp_path / "bad.html").write_text(
        "<img src='gone.png'><script>throw new Error('seen')</script>"
    )
    browser.get((tmp_path / "bad.html").as_uri())
    assert {entry["level"] for entry in browser.get_log("browser")} == {"SEVERE"}


@languages
@pytest.mark.parametrize("width", [390, 1000])
def test_every_picture_is_shown(seen, lang, width):
    """Loaded, with a size of its own, and wide enough on the page to be read."""
    pictures = seen(lang, width).execute_script(
        "return [...document.images].map(i => ({alt: i.alt, whole: i.complete, natural: "
        "i.naturalWidth, wide: i.getBoundingClientRect().width}))"
    )
    assert len(pictures) >= 3
    assert [
        p
        for p in pictures
        if not (p["whole"] and p["natural"] > 0 and p["wide"] > 300 and p["alt"])
    ] == []


@languages
@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_does_not_scroll_the_page_sideways(seen, lang, width):
    """Wide tables scroll inside their own frame; the page itself is as wide as the phone."""
    page, window, outside = seen(lang, width).execute_script("""
        const wide = document.documentElement.scrollWidth, held = e => e.closest('.wide') !== null;
        return [wide, innerWidth, [...document.body.querySelectorAll('*')]
            .filter(e => !held(e) && e.getBoundingClientRect().right > innerWidth + 1)
            .map(e => e.outerHTML.slice(0, 80))]""")
    assert window == width and page <= window and outside == []


def is_letter(drawn):
    return drawn.count("1") > 20


def test_chinese_is_drawn_as_letters(seen):
    """Each sign of the page looks like no other one and not like the box of a sign that no font
    has.
    """
    browser = seen("zh")
    text, font = browser.execute_script(
        "return [document.body.innerText, getComputedStyle(document.body).fontFamily]"
    )
    signs = sorted(set(re.findall(r"[\u4e00-\u9fff]", text)))
    assert len(signs) > 100
    drawn = browser.execute_script(DRAW, font, [*signs, "\uffff", "\U0003ffff", "\ue123"])
    boxes, letters = set(drawn[-3:]), drawn[:-3]
    assert [
        sign for sign, dots in zip(signs, letters) if dots in boxes or not is_letter(dots)
    ] == []
    assert len(set(letters)) == len(letters)


def test_a_sign_that_no_font_has_is_found_out(seen):
    """The test above can tell: signs that nobody has assigned are drawn alike, or not at all."""
    drawn = seen("zh").execute_script(DRAW, "sans-serif", ["\U0003fffe", "\U0004fffe", "客"])
    assert drawn[0] == drawn[1] != drawn[2]


def test_pictures_hold_chinese_as_text_in_fonts_that_are_here(seen):
    """The words of a picture are text, in a list of fonts with which the browser draws every one of
    their signs.
    """
    browser = seen("zh")
    svgs = [
        base64.b64decode(data).decode("utf-8")
        for data in browser.execute_script(
            "return [...document.images].map(i => i.src.split(',')[1])"
        )
    ]
    assert len(svgs) >= 3
    for svg in svgs:
        signs = sorted(
            set(re.findall(r"[\u4e00-\u9fff]", "".join(re.findall(r"<text[^>]*>([^<]*)", svg))))
        )
        fonts = set(re.findall(r"font: [^\"]*?px ([^;\"]+)", svg.replace("&quot;", "'"))) | set(
            re.findall(r"font-family: ([^;\"]+)", svg.replace("&quot;", "'"))
        )
        assert len(signs) >= 4 and len(fonts) >= 1, svg[:300]
        for font in fonts:
            drawn = browser.execute_script(DRAW, font, [*signs, "\uffff", "\U0003ffff"])
            assert (
                not set(drawn[-2:]) & set(drawn[:-2])
                and len(set(drawn[:-2])) == len(signs)
                and all(map(is_letter, drawn[:-2]))
            ), (font, signs)


@languages
def test_every_link_leads_to_a_file(seen, reports, lang):
    """As the browser resolves them."""
    links = seen(lang).execute_script(
        "return [...document.querySelectorAll('a[href]')].map(a => a.href)"
    )
    here = reports[lang].resolve().as_uri()
    assert len(links) > 5
    assert [
        link
        for link in links
        if not (
            link.startswith(here + "/")
            and (reports[lang] / unquote(link.rsplit("/", 1)[1])).is_file()
        )
    ] == []
