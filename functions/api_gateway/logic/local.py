"""Counting without Redis: rates in this process alone, the day's quota unit by unit elsewhere."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Any

from contracts.subscription_service import Tier
from functions.api_gateway.logic.gcra import Count, LocalCounter
from functions.api_gateway.logic.quota import find_day
from functions.api_gateway.models import Identity, Standing, Verdict, VerdictKind

REMEMBERED_MAX = 1_000

_DETAILS = {
    "rate_limited": "too many requests at once; wait and slow down",
    "quota_exhausted": "the plan's requests of the day are used up; they return at midnight",
}


class LocalLimiter:
    """One process's share of the counting; each process allows the whole rate."""

    def __init__(self) -> None:
        self._counter = LocalCounter()
        self._remembered: OrderedDict[str, Verdict] = OrderedDict()

    def admit(
        self,
        who: Identity,
        standing: Standing,
        request_id: str,
        now: datetime,
        charge: Callable[[int], int | None],
    ) -> Verdict:
        """Judge and count: the rates first, then ``charge(quota)``; a refused one costs nothing.

        ``charge`` tells what is left of the day, None when nothing was.
        """
        known = self._remembered.get(f"{who.tenant_id}:{request_id}")
        if known is not None:
            return known
        now_us = int(now.timestamp() * 1_000_000)
        ends_in_s = max(1, find_day(standing.time_zone, now).ends_at - now_us // 1_000_000)
        limits = standing.limits
        subjects = [(str(who.tenant_id), limits.requests_per_second, limits.burst)]
        if who.key_rate is not None:
            subjects.append((f"{who.tenant_id}:{who.subject_id}", who.key_rate, who.key_rate))
        counts = [(name, self._counter.look(name, now_us, *rate)) for name, *rate in subjects]
        counted: dict[str, Any] = {"limits": limits, "day_ends_in_s": ends_in_s}
        late = next((count for _, count in counts if not count.admitted), None)
        if late is not None:
            retry_s = -(-late.retry_us // 1_000_000)
            return refuse("rate_limited", standing.tier, retry_s, **counted)
        quota = limits.requests_per_day
        day_left = charge(quota) if quota is not None else 0
        if day_left is None:
            return refuse("quota_exhausted", standing.tier, ends_in_s, **counted)
        return self._keep(who, request_id, counts, Verdict(
            "admitted", standing.tier, burst_left=min(count.left for _, count in counts),
            day_left=day_left, **counted,
        ))  # fmt: skip

    def _keep(
        self, who: Identity, request_id: str, counts: list[tuple[str, Count]], verdict: Verdict
    ) -> Verdict:
        for name, counted in counts:
            self._counter.keep(name, counted)
        self._remembered[f"{who.tenant_id}:{request_id}"] = verdict
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return verdict


def refuse(kind: VerdictKind, tier: Tier, retry_s: int, **counted: Any) -> Verdict:
    """A refusal by the counters."""
    assert kind in ("rate_limited", "quota_exhausted")
    code = "rate_limited" if kind == "rate_limited" else "daily_quota_exhausted"
    return Verdict(
        kind, tier, code, _DETAILS[kind], retry_after_s=max(1, retry_s), **counted
    )  # fmt: skip
