"""Stages of the report: their order, what they give, and how others join."""

from dataclasses import dataclass

import pytest

from segtutorial import pipeline
from segtutorial.core.messages import Words, languages
from segtutorial.core.section import Context, Section
from segtutorial.core.stages import REGISTER, Results, Stage, in_order, register
from segtutorial.shop import ShopError


@dataclass
class Groups:
    of_user: dict


class Uses(Stage[None]):
    name, place, needs = "uses", 1, (Groups,)

    def run(self, shop, results, ctx):
        found = results.get(Groups)
        return Section(self.name, "Uses", [str(found.of_user if found else "nothing")])


class Gives(Stage[Groups]):
    name, place, gives = "gives", 2, Groups

    def run(self, shop, results, ctx):
        results[Gives] = Groups({"u": "A"})
        return Section(self.name, "Gives", ["given"])


def test_a_stage_runs_after_what_it_needs_and_stands_where_it_belongs(shop, tmp_path):
    """`Uses` comes first on the page, and has what `Gives` gave all the same."""
    assert [stage.name for stage in in_order([Uses(), Gives()])] == ["gives", "uses"]
    html = pipeline.run(shop, tmp_path / "out", progress=False, stages=[Gives(), Uses()])
    text = html.read_text(encoding="utf-8")
    assert (
        text.index('id="uses"') < text.index('id="gives"') and "{&#39;u&#39;: &#39;A&#39;}" in text
    )


def test_a_stage_that_is_registered_joins_the_report(monkeypatch):
    monkeypatch.setattr("segtutorial.core.stages.REGISTER", REGISTER)
    try:
        register(Gives)
        assert any(isinstance(stage, Gives) for stage in pipeline.registered_stages())
    finally:
        REGISTER.pop("gives", None)


def test_results_hold_what_a_stage_said_that_it_gives():
    results = Results()
    with pytest.raises(TypeError, match="gives Groups, not dict"):
        results[Gives] = {"u": "A"}
    with pytest.raises(ShopError, match="did the stage run"):
        results[Gives]
    assert results.get(Groups) is None and Gives not in results
    results[Gives] = Groups({})
    assert (
        results[Gives].of_user == {} and Gives in results and results.get(Groups) is results[Gives]
    )


def test_a_circle_of_needs_is_an_error():
    class One(Stage[None]):
        name = "one"

        def run(self, shop, results, ctx): ...

    class Two(One):
        name, needs = "two", (One,)

    One.needs = (Two,)
    with pytest.raises(ShopError, match="circle"):
        in_order([One(), Two()])


@pytest.mark.parametrize("lang", languages())
def test_a_language_writes_its_numbers(lang):
    words = Words(lang, "CNY", "Asia/Shanghai")
    assert words.percent(0.1234, 1) == "12.3%" and words.number(1234567) == "1,234,567"
    assert words.gettext("{n}", n=1234) == "1,234" and words.money(123456).endswith("¥1,235")


def test_a_context_speaks_its_language():
    assert Context(0, "zh").gettext("This part of the report") == "报告的这一部分"
