"""The shop in data/, which `make run` reads: small, and what the simulator makes today."""

import re
from pathlib import Path

import pandas as pd
import pytest

from segtutorial.core.folders import MARK
from segtutorial.shop import ACTIONS, load_shop, simulate_shop, write_shop

DATA = Path(__file__).resolve().parent.parent / "data"
MADE_BY = dict(n_users=3000, n_items=300, days=180, random_state=618, dirt=0.02)


@pytest.fixture(scope="module")
def simulated():
    return simulate_shop(**MADE_BY)


@pytest.fixture(scope="module")
def shipped():
    return load_shop(DATA)


def test_it_is_what_the_simulator_makes(shipped, simulated):
    """A change of the simulator that changes the shop needs a new data/: segtutorial simulate
    --users 3000 --items 300 --days 180 --seed 618 --dirt 0.02 --out new, and its files into data/
    """
    assert shipped.name == simulated.name and (shipped.timezone, shipped.currency) == (
        simulated.timezone,
        simulated.currency,
    )
    assert (
        list(shipped.tables()) == list(simulated.tables()) == ["behaviors", "products", "reviews"]
    )
    for name, table in simulated.tables().items():
        read = shipped.tables()[name].drop(columns="row").astype(table.dtypes.to_dict())
        pd.testing.assert_frame_equal(read, table, obj=name, rtol=1e-12)
    assert shipped.unread.empty


def test_its_truth_is_beside_it(simulated):
    for name, table in simulated.truth.items():
        read = pd.read_csv(DATA / "truth" / f"{name}.csv.gz")
        pd.testing.assert_frame_equal(
            read.astype(table.dtypes.to_dict()), table, obj=name, rtol=1e-9
        )


def test_writing_it_again_gives_the_same_files(simulated, tmp_path):
    """Names and contents; only the compression may differ from one machine's zlib to another's."""
    import gzip

    def contents(folder):
        return {
            str(path.relative_to(folder)): gzip.decompress(path.read_bytes())
            if path.suffix == ".gz"
            else path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and path.name != MARK and "sentences" not in path.parts
        }  # those were written by hand

    again, there = contents(write_shop(simulated, tmp_path / "data")), contents(DATA)
    assert (
        again.keys() == there.keys()
        and [name for name in again if again[name] != there[name]] == []
    )


def test_it_is_small_and_has_something_of_everything(shipped):
    """Less than 5 MB in the repository; every action, Chinese titles and reviews, prices, dirt."""
    assert sum(path.stat().st_size for path in DATA.rglob("*")) < 5_000_000
    assert set(shipped.behaviors["action"]) == set(ACTIONS)
    assert (
        shipped.products["title"].str.contains(r"[\u4e00-\u9fff]").all()
        and 0.99 < shipped.reviews["text"].str.contains(r"[\u4e00-\u9fff]").mean() < 1
    )  # some are empty
    assert (
        shipped.behaviors["price"].le(0).any()
        and shipped.behaviors.drop(columns="row").duplicated().any()
    )
    assert not re.search(
        r"[A-Z]:\\|/home/|/root/|/tmp/", (DATA / "columns.toml").read_text(encoding="utf-8")
    )


def test_the_command_writes_impressions_when_asked(cli, tmp_path):
    """And what it writes can be loaded: what was shown, with position, price and propensity."""
    code, *_ = cli(
        "simulate",
        "--users",
        60,
        "--items",
        30,
        "--days",
        20,
        "--impressions",
        "--out",
        tmp_path / "shop",
    )
    shown = load_shop(tmp_path / "shop").impressions
    assert (
        code == 0
        and len(shown) > 100
        and shown["propensity"].between(0, 1, inclusive="right").all()
        and shown["position"].min() == 0
    )
