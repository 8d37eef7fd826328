"""Many clients at once lose nothing and get everything in order."""

from benchmarks.stream import run


def test_a_hundred_clients_lose_nothing_and_keep_the_order() -> None:
    seen = run(connections=100, seconds=3)
    assert seen["delivered"] == 100 * 3 * 50
    assert (seen["lost"], seen["out_of_order"]) == (0, 0)
