"""Exact arithmetic of profit and margin: integers in, cents out, rounded half away from zero.

A ratio is (numerator, denominator); it turns one currency into another.
"""

from collections.abc import Iterable

Ratio = tuple[int, int]
ONE: Ratio = (1, 1)


def divide(numerator: int, denominator: int) -> int:
    """Divide by a positive number and round half away from zero."""
    if numerator < 0:
        return -((-2 * numerator + denominator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def price_move(points: int, volume: int, contract: int, scale: int, rate: Ratio) -> int:
    """Cents for a move of `points` on `volume` hundredths of a lot (100 cents, 100 hundredths)."""
    return divide(points * volume * contract * rate[0], scale * rate[1])


def symbol_margin(
    legs: Iterable[tuple[int, int, int]],
    contract: int,
    hedged_contract: int,
    divisor: int,
    rate: Ratio,
) -> int:
    """Cents of margin for the positions of one symbol: legs of (type, volume, weight).

    Weight is the price in points where margin follows the price, else 1; `divisor` undoes its
    scale and holds the leverage. What one side has more than the other is charged in full at that
    side's average weight; the covered part once, with the hedged contract size, at the average
    of both sides.
    """
    volume = [0, 0]
    weighted = [0, 0]
    for side, lots, weight in legs:
        volume[side] += lots
        weighted[side] += lots * weight
    larger = 0 if volume[0] >= volume[1] else 1
    if not volume[larger]:
        return 0
    covered = volume[1 - larger]
    uncovered = volume[larger] - covered
    full = divide(
        uncovered * weighted[larger] * contract * rate[0], volume[larger] * divisor * rate[1]
    )
    if not covered:
        return full
    total = volume[0] + volume[1]
    return full + divide(
        covered * sum(weighted) * hedged_contract * rate[0], total * divisor * rate[1]
    )
