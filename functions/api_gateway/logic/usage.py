"""What a tenant is told of its own requests, and for which time."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from kit.errors import Unprocessable

PERIOD_DEFAULT = timedelta(days=7)
PERIOD_MAX = timedelta(days=93)
TOP_ROUTES = 10


def choose_period(
    begin: datetime | None, end: datetime | None, now: datetime
) -> tuple[datetime, datetime]:
    """The asked time, half open; the last seven days unless told. Raises Unprocessable."""
    ends = end or now
    try:
        begins = begin or ends - PERIOD_DEFAULT
    except OverflowError as error:
        raise Unprocessable("`to` is too early") from error
    if not begins < ends:
        raise Unprocessable("`from` must be before `to`")
    if ends - begins > PERIOD_MAX:
        raise Unprocessable(f"ask for {PERIOD_MAX.days} days at most")
    if begins.year < 2000 or ends.year > 2200:
        raise Unprocessable("ask for days between 2000 and 2200")
    return begins, ends


def round_latencies(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of counts; without requests there is no latency."""
    counts = {"requests": int(row["requests"]), "refused": int(row["refused"])}
    latencies = {
        name: round(float(row[name]), 3) if counts["requests"] else None
        for name in ("p50_ms", "p95_ms")
    }
    return {"key": row["key"], **counts, **latencies}


def sum_up(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The counts of the whole time, zeros when nothing was asked."""
    if not rows:
        return {"requests": 0, "refused": 0, "p50_ms": None, "p95_ms": None}
    counts = round_latencies(rows[0])
    del counts["key"]
    return counts
