"""Correlation and volatility in integers agree with the textbook, and say when they do not know."""

import itertools
import math
import random
import statistics

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.engine.correlation import (
    MINUTES_A_YEAR,
    WINDOW_MINUTES,
    ReturnBook,
    Returns,
    correlate_returns,
)

START = 23_334_240
"""A minute since the epoch."""
changes = st.integers(-2_000_000, 2_000_000)


@settings(max_examples=150, deadline=None)
@given(pairs=st.lists(st.tuples(changes, changes), min_size=30, max_size=120))
def test_a_correlation_is_the_textbooks_rounded_up(pairs: list[tuple[int, int]]) -> None:
    firsts, seconds = [a for a, _ in pairs], [b for _, b in pairs]
    found = correlate_returns(pairs)
    if len(set(firsts)) == 1 or len(set(seconds)) == 1:
        assert found is None
        return
    exact = abs(statistics.correlation(firsts, seconds)) * 10_000
    assert found is not None and 0 <= found <= 10_000
    assert exact - 1e-3 <= found <= exact + 1 + 1e-3


def walk(
    book: ReturnBook, minutes: int, seed: int = 1, shared: float = 0.9
) -> dict[str, list[int]]:
    """Two symbols that share most of their moves, one that goes against them, one of its own."""
    source, prices = random.Random(seed), {s: [1_000_000] for s in ("A", "B", "MINUS", "OWN")}
    for minute in range(minutes):
        common = source.gauss(0, 100)
        moves = {"A": common, "B": shared * common + source.gauss(0, 20), "MINUS": -common,
                 "OWN": source.gauss(0, 100)}  # fmt: skip
        for symbol, move in moves.items():
            if minute:
                prices[symbol].append(prices[symbol][-1] + round(move))
            book.note(symbol, START + minute, prices[symbol][-1] + 500)
            book.note(symbol, START + minute, prices[symbol][-1])
    return prices


def test_what_moves_together_or_against_is_correlated_and_the_rest_is_not() -> None:
    book = ReturnBook()
    walk(book, 130)
    assert book.correlate("A", "A") == 10_000
    assert (book.correlate("A", "B") or 0) > 9_000
    assert (book.correlate("A", "MINUS") or 0) > 9_990
    low = book.correlate("A", "OWN")
    assert low is not None and low < 4_000
    assert book.correlate("B", "A") == book.correlate("A", "B")


def test_an_answer_is_renewed_when_a_minute_ends() -> None:
    book, fresh = ReturnBook(), ReturnBook()
    walk(book, 60)
    early = book.correlate("A", "OWN")
    walk(book, 200)
    walk(fresh, 200)
    assert book.correlate("A", "OWN") == fresh.correlate("A", "OWN") != early


def test_volatility_is_the_textbooks_over_the_window_only() -> None:
    book = ReturnBook()
    prices = walk(book, 300)["A"]
    ended = prices[:-1]
    returns = [b / a - 1 for a, b in itertools.pairwise(ended)][-WINDOW_MINUTES:]
    exact = math.sqrt(sum(r * r for r in returns) / len(returns) * MINUTES_A_YEAR) * 1e6
    found = book.find_volatility("A", START + 300)
    assert found is not None and exact - 1 <= found <= exact * 1.000_1 + 2


def test_too_few_minutes_no_symbol_or_a_price_that_stands_still_are_not_known() -> None:
    book = ReturnBook()
    walk(book, 31)
    assert book.correlate("A", "B") is None
    assert book.find_volatility("A", START + 31) is None
    assert book.correlate("A", "NOWHERE") is None
    walk(book, 32)
    for minute in range(60):
        book.note("STILL", START + minute, 1_000)
    assert book.correlate("A", "B") is not None
    assert book.correlate("A", "STILL") is None
    assert book.find_volatility("STILL", START + 60) is None


def test_volatility_of_long_ago_is_not_known_now() -> None:
    book = ReturnBook()
    walk(book, 60)
    assert book.find_volatility("A", START + 60) is not None
    assert book.find_volatility("A", START + 60 + WINDOW_MINUTES) is None


def test_a_minute_without_ticks_has_the_close_before_it_and_a_long_gap_no_return() -> None:
    returns = Returns()
    for minute, price in ((0, 100), (1, 200), (4, 300), (10, 900), (11, 1_800), (12, 1)):
        returns.note(minute, price)
    assert returns.by_minute == {1: 10**9, 2: 0, 3: 0, 4: 5 * 10**8, 11: 10**9}
    assert returns.note(3, 7) is False


def test_however_long_it_runs_only_the_window_is_kept_and_its_sum_is_exact() -> None:
    returns, source = Returns(), random.Random(5)
    for minute in range(5_000):
        returns.note(minute, source.randrange(90_000, 110_000))
    assert len(returns.minutes) == len(returns.by_minute) == WINDOW_MINUTES
    assert returns.squares == sum(change * change for change in returns.by_minute.values())


def test_symbols_and_pairs_are_bounded() -> None:
    book = ReturnBook()
    for number in range(600):
        book.note(f"S{number}", START, 100)
        book.note(f"S{number}", START + 1, 100)
        for other in range(5):
            book.correlate(f"S{number}", f"X{other}")
    assert len(book._returns) == 500
    assert len(book._pairs) <= 2_000
    assert len(book._partners) <= 2_000
