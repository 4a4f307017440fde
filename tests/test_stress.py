"""A little of `make stress`: runs that are stopped anywhere, and small shops of every kind."""

import os

import pytest
from stress_tasks import kills, report_faults, shops

from segtutorial.shop import simulate_shop


@pytest.mark.skipif(os.name != "posix", reason="skipped: there is no kill -9 on this system")
def test_a_run_that_is_stopped_leaves_the_old_or_the_new_report(tmp_path):
    """A few of the two hundred stops of `make stress`; after the next run nothing else is there."""
    found, wrong = kills(tmp_path / "home", 9, seed=1)
    assert not wrong and sum(found.values()) == 9, (found, wrong)


@pytest.mark.parametrize("part", range(3))
def test_small_and_odd_shops_all_get_a_report(part, tmp_path):
    """27 of the three hundred shops of `make stress`: each kind three times."""
    assert shops(tmp_path, range(1_000 + 9 * part, 1_009 + 9 * part)) == []


@pytest.mark.parametrize("sizes", [(300, 40, 60, 1), (150, 40, 60, 12), (60, 10, 25, 3)])
def test_small_shops_that_once_got_no_report(sizes, tmp_path):
    """Their fits ran to a bound, where the expected orders were nan and every customer fell into
    tier D.
    """
    assert report_faults(simulate_shop(*sizes), tmp_path / "out") == []
