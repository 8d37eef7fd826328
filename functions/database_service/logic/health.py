"""Judges how the stores are, from a probe of each."""

import time
from collections.abc import Callable
from typing import Any


def check_health(probes: dict[str, Callable[[], dict[str, Any]]]) -> dict[str, Any]:
    """Run each store's probe; a store that fails is down, with its reason, and never hides others.

    Returns {status: up|down, stores: {name: {status, latency_ms, ...}}}.
    """
    stores: dict[str, Any] = {}
    for name, probe in probes.items():
        started = time.perf_counter()
        try:
            answer = {"status": "up", **probe()}
        except Exception as error:  # noqa: BLE001 - any failure of a probe is what it reports
            answer = {"status": "down", "reason": f"{type(error).__name__}: {error}"[:200]}
        answer["latency_ms"] = round((time.perf_counter() - started) * 1_000, 3)
        stores[name] = answer
    down = any(store["status"] == "down" for store in stores.values())
    return {"status": "down" if down else "up", "stores": stores}
