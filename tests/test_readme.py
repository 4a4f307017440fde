"""The front page keeps its promises: its Python runs, its links lead somewhere, its settings can be
read.
"""

import os
import re
from pathlib import Path

import pytest

from segtutorial.core.tables import check_settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    found = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found, f"no {language} block in README.md"
    return found


def test_its_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "重要价值客户" in (tmp_path / "report-zh" / "index.html").read_text(encoding="utf-8")


def test_its_columns_toml_can_be_used():
    import tomllib

    for block in blocks("toml"):
        assert check_settings(tomllib.loads(block))["behaviors"]["encoding"] == "gb18030"


@pytest.mark.parametrize(
    "page", ["README.md", *(f"nbs/{path.name}" for path in sorted((ROOT / "nbs").glob("*.ipynb")))]
)
def test_links_lead_somewhere(page):
    """Relative links of the front page and of every chapter."""
    text = (ROOT / page).read_text(encoding="utf-8")
    links = re.findall(
        r"\]\((?!https?:|#)([^)#\s\"\\]+)[^)]*\)|(?:href|src)=\\?\"(?!https?:|#|data:)([^\"#\\]+)",
        text,
    )
    missing = [
        link
        for pair in links
        for link in pair
        if link
        and re.fullmatch(r"[\w./-]+\.(?:ipynb|md|png|csv|toml|py)", link)
        and not os.path.exists(ROOT / Path(page).parent / link)
    ]
    assert missing == []
