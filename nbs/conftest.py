"""What nbval needs to run these notebooks as they are stored: cleaned, with nbdev's directives."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell

ini = ConfigParser(delimiters=["="])
ini.read(Path(__file__).parent.parent / "settings.ini", encoding="utf-8")
SKIP = re.compile(
    r"^#\|\s*(eval:\s*false|" + "|".join(ini["DEFAULT"]["tst_flags"].split()) + r")\s*$",
    re.MULTILINE,
)
# (notebook, line): what cells skipped of their own accord, because their data is not here
said = []


def execute_cell_input(self, cell_input, allow_stdin=None):
    # nbval runs without history, and without it IPython shows the value of a line that ends in `;`
    return self.kc.execute(
        cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
    )


RunningKernel.execute_cell_input = execute_cell_input


def pytest_collection_modifyitems(items):
    for item in items:
        if isinstance(item, IPyNbCell):
            # a cleaned notebook has no counts, which nbval takes for a cell that was never run
            item.cell.execution_count = item.cell.execution_count or 1
            if flag := SKIP.search(item.cell.source):
                item.add_marker(pytest.mark.skip(reason=f"marked {flag[0].strip()}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    finally:
        for out in getattr(item, "test_outputs", None) or []:
            text = out.get("text", "") if isinstance(out.get("text"), str) else ""
            said.extend(
                (item.path.name, line) for line in text.splitlines() if line.startswith("skipped:")
            )


def pytest_sessionfinish(session):
    if hasattr(
        session.config, "workeroutput"
    ):  # one of several processes: what it has to say goes to the one that prints
        session.config.workeroutput["said"] = [list(line) for line in said]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    said.extend(tuple(line) for line in getattr(node, "workeroutput", {}).get("said", []))


def pytest_terminal_summary(terminalreporter):
    for name, line in said:
        terminalreporter.write_line(f"nbs/{name}: {line}")
