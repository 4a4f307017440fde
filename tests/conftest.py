"""What the tests share: a small dirty shop, the public sets that lie on this machine, the command
line.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import Phase, settings

from segtutorial import cli as commands
from segtutorial import pipeline
from segtutorial.core.fetching import on_machine
from segtutorial.shop import simulate_shop, write_shop

ROOT = Path(__file__).resolve().parent.parent
# the same examples on every run, so that a failure on CI is a failure at the desk, and no minutes
# spent on making one smaller;
# HYPOTHESIS_PROFILE=deep and stress look elsewhere on every run
settings.register_profile(
    "same",
    derandomize=True,
    max_examples=60,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)
settings.register_profile("deep", max_examples=2000, deadline=None, database=None)
settings.register_profile(
    "stress", derandomize=False, max_examples=3000, deadline=None, database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def shop():
    """A small simulated shop with dirt. Shared: a test that changes it takes a copy."""
    return simulate_shop(200, 60, 90, 7, dirt=0.03, impressions=True)


@pytest.fixture(scope="session")
def _written(shop, tmp_path_factory):
    return write_shop(shop, tmp_path_factory.mktemp("written") / "shop")


@pytest.fixture
def folder(_written, tmp_path):
    """A copy of the small shop's folder, to spoil."""
    return Path(shutil.copytree(_written, tmp_path / "shop"))


@pytest.fixture(scope="session")
def reports(shop, tmp_path_factory):
    """The folders of the small shop's reports, by language."""
    out = tmp_path_factory.mktemp("reports")
    return {
        lang: pipeline.run(shop, out / lang, lang, progress=False).parent for lang in ("en", "zh")
    }


@pytest.fixture(scope="session")
def public_data():
    """`public_data(name)` skips the test, aloud, where a public set is not on this machine: nothing
    is downloaded in a test.
    """

    def need(name):
        if not on_machine(name):
            pytest.skip(f"skipped: {name} is not in SEGTUTORIAL_DATA")

    return need


def _interruptible():
    """Where the tests run in the background of a shell, Ctrl-C is ignored there and in every child;
    a user's terminal does not do that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="session")
def process():
    """`process(*arguments)` starts the command line as a process of its own, from this source tree;
    it has stdout and stderr as text.
    """

    def start(*arguments, **options):
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "encoding": "utf-8",
            "preexec_fn": _interruptible if os.name == "posix" else None,
            "env": {**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
        } | options
        return subprocess.Popen(
            [sys.executable, "-m", "segtutorial", *map(str, arguments)], **options
        )

    return start


@pytest.fixture(scope="session")
def cli(process):
    """`cli(*arguments)` runs a command as a process to its end: (exit code, stdout, stderr)."""

    def run(*arguments):
        with process(*arguments) as started:
            try:
                stdout, stderr = started.communicate(timeout=300)
            finally:
                started.kill()
        return started.returncode, stdout, stderr

    return run


@pytest.fixture
def main(capsys):
    """As `cli`, without the second that a new process takes."""

    def run(*arguments):
        handler = signal.getsignal(signal.SIGTERM)
        capsys.readouterr()
        try:
            code = commands.main([*map(str, arguments)])
        except SystemExit as stop:  # argparse
            code = stop.code
        finally:
            signal.signal(signal.SIGTERM, handler)
        return code, *capsys.readouterr()

    return run
