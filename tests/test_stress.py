"""A little of `make stress`: runs that are stopped anywhere, and small shops of every kind."""
import os

import pytest

from stress_tasks import kills, shops


@pytest.mark.skipif(os.name != "posix", reason="skipped: there is no kill -9 on this system")
def test_a_run_that_is_stopped_leaves_the_old_or_the_new_report(tmp_path):
    "A dozen of the two hundred stops of `make stress`; after the next run nothing else is there."
    found, wrong = kills(tmp_path / "home", 12, seed=1)
    assert not wrong and sum(found.values()) == 12, (found, wrong)


@pytest.mark.parametrize("part", range(3))
def test_small_and_odd_shops_all_get_a_report(part, tmp_path):
    "27 of the three hundred shops of `make stress`: each kind three times."
    assert shops(tmp_path, range(1_000 + 9 * part, 1_009 + 9 * part)) == []
