"""No answer's time tells whether an address has an account: 200 tries each, medians compared.

Tries alternate, so that a busy machine slows both alike. The difference of the medians must stay
within the noise: a few standard errors of the medians, as the tries' own spread gives them, or a
quarter of a millisecond where a quiet machine has less noise than that.
"""

import logging
import statistics
import time
from collections.abc import Callable

import pytest
import redis

from tests.functions.user_service.conftest import WRONG, UserDoors, make_email

TRIES = 200
NOISE_WIDTHS = 5.0
MEDIAN_EFFICIENCY = 1.2533
"""The standard error of a median is that of a mean times this (normal spread)."""
FLOOR_S = 0.00025
"""Below what any network lets through."""


def measure(calls: dict[str, Callable[[], None]]) -> dict[str, list[float]]:
    """Seconds of each call, taken in turns that swap who goes first."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(TRIES + 10):
        names = list(calls) if turn % 2 else list(reversed(calls))
        for name in names:
            began = time.perf_counter()
            calls[name]()
            if turn >= 10:
                times[name].append(time.perf_counter() - began)
    return times


def find_spread(times: list[float]) -> float:
    """Standard deviation as the middle half of the tries shows it: outliers do not count."""
    low, _, high = statistics.quantiles(times, n=4)
    return (high - low) / 1.349


def assert_same_time(times: dict[str, list[float]]) -> None:
    known, unknown = times["known"], times["unknown"]
    difference = abs(statistics.median(known) - statistics.median(unknown))
    error = (
        MEDIAN_EFFICIENCY * ((find_spread(known) ** 2 + find_spread(unknown) ** 2) / TRIES) ** 0.5
    )
    figures = (
        f"known {statistics.median(known) * 1e3:.3f} ms,"
        f" unknown {statistics.median(unknown) * 1e3:.3f} ms,"
        f" difference {difference * 1e6:.0f} us, noise {NOISE_WIDTHS * error * 1e6:.0f} us"
    )
    logging.getLogger("timing").warning(figures)
    assert difference < max(NOISE_WIDTHS * error, FLOOR_S), figures


@pytest.mark.slow
def test_a_wrong_password_takes_as_long_as_an_unknown_address(
    users: UserDoors, throttle_redis: "redis.Redis[str]"
) -> None:
    email = users.sign_in().email

    def try_login(address: str) -> None:
        throttle_redis.flushall()
        assert users.login(address, WRONG)[0] == 401

    assert_same_time(
        measure({"known": lambda: try_login(email), "unknown": lambda: try_login(make_email())})
    )


@pytest.mark.slow
def test_a_forgotten_password_takes_as_long_for_an_unknown_address(
    users: UserDoors, throttle_redis: "redis.Redis[str]"
) -> None:
    email = users.sign_in().email

    def forget(address: str) -> None:
        throttle_redis.flushall()
        assert users.post("password/forgot", {"email": address})[0] == 202

    assert_same_time(
        measure({"known": lambda: forget(email), "unknown": lambda: forget(make_email())})
    )


@pytest.mark.slow
def test_registering_a_known_address_takes_as_long_as_a_new_one(
    users: UserDoors, throttle_redis: "redis.Redis[str]"
) -> None:
    email = users.sign_in().email

    def register(address: str) -> None:
        throttle_redis.flushall()
        assert users.register(address)[0] == 201

    assert_same_time(
        measure({"known": lambda: register(email), "unknown": lambda: register(make_email())})
    )
