"""Seeded stories of one host with twenty accounts: nothing doubled, lost or beyond its limits."""

from pathlib import Path

import pytest

from tests.edge_bridge.chaos.world import World

QUICK = 50
ALL = 1_000


@pytest.mark.parametrize("seed", range(QUICK))
def test_a_story_of_faults_ends_with_books_that_balance(seed: int, tmp_path: Path) -> None:
    World(seed, tmp_path).play()


@pytest.mark.slow
@pytest.mark.timeout(3_000)
def test_a_thousand_stories_do() -> None:
    from tests.edge_bridge.chaos.__main__ import run_seeds

    assert run_seeds(QUICK, ALL - QUICK) == []
