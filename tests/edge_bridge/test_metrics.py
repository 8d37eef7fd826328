"""What /metrics says is exactly Prometheus' text format, and its size is bounded."""

import math
import re
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_bridge.metrics import Counter, EdgeMetrics, Gauge, Histogram, Registry

SAMPLE = re.compile(
    r"(?P<name>[a-z_:][a-z0-9_:]*)(?:\{(?P<labels>(?:[a-z_]+=\"(?:[^\"\\\n]|\\[\\n\"])*\",?)*)\})?"
    r" (?P<value>[+-]?Inf|NaN|[-+0-9.e]+)"
)
LABEL = re.compile(r"([a-z_]+)=\"((?:[^\"\\\n]|\\[\\n\"])*)\"")
UNESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}


def parse(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Read an exposition strictly: HELP, TYPE, then samples of that metric alone."""
    assert text.endswith("\n") or not text
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    name = kind = ""
    for line in text.split("\n")[:-1]:
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in found
            found[name] = {}
        elif line.startswith("# TYPE "):
            _, _, typed, kind = line.split(" ")
            assert typed == name
            assert kind in ("counter", "gauge", "histogram")
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            suffix = match["name"].removeprefix(name)
            assert suffix in (("_bucket", "_sum", "_count") if kind == "histogram" else ("",))
            labels = [
                (key, re.sub(r"\\.", lambda escape: UNESCAPED[escape[0]], value))
                for key, value in LABEL.findall(match["labels"] or "")
            ]
            key = (("", suffix), *labels)
            assert key not in found[name]
            found[name][key] = float(match["value"])
    return found


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20), st.floats(allow_nan=False, min_value=0))
def test_any_label_and_number_reads_back(label: str, meaning: str, value: float) -> None:
    registry = Registry()
    registry.add(Gauge("a_gauge", meaning, ("name",))).set(value, label)
    lines = registry.write().split("\n")
    assert len(lines) == 4
    match = SAMPLE.fullmatch(lines[2])
    assert match
    ((_, written),) = LABEL.findall(match["labels"])
    assert re.sub(r"\\.", lambda escape: UNESCAPED[escape[0]], written) == label
    assert float(match["value"]) == value


@given(st.lists(st.floats(0, 100)))
def test_a_histogram_adds_up(values: list[float]) -> None:
    registry = Registry()
    histogram = registry.add(Histogram("took_seconds", "Time.", buckets=(0.5, 1, 10)))
    for value in values:
        histogram.observe(value)
    samples = parse(registry.write())["took_seconds"]
    if not values:
        assert samples == {}
        return
    buckets = [samples[(("", "_bucket"), ("le", bound))] for bound in ("0.5", "1", "10", "+Inf")]
    assert buckets == [sum(v <= bound for v in values) for bound in (0.5, 1, 10, math.inf)]
    assert samples[(("", "_count"),)] == buckets[-1] == len(values)
    assert samples[(("", "_sum"),)] == pytest.approx(sum(values))


def test_counters_and_gauges_read_back() -> None:
    registry = Registry()
    counter = registry.add(Counter("things_total", "Things.", ("kind",)))
    registry.add(Counter("nothing_total", "Nothing yet."))
    registry.add(Gauge("weight", "Weight.")).set(-2.5)
    counter.add(1, "a")
    counter.add(2, "a")
    counter.add(5, "b")
    assert parse(registry.write()) == {
        "things_total": {(("", ""), ("kind", "a")): 3, (("", ""), ("kind", "b")): 5},
        "nothing_total": {(("", ""),): 0},
        "weight": {(("", ""),): -2.5},
    }


def test_label_sets_are_bounded_and_the_rest_is_counted_together() -> None:
    counter = Counter("things_total", "Things.", ("kind",), series_max=3)
    for number in range(100):
        counter.add(1, str(number))
    assert len(counter.write()) == 2 + 4
    assert counter.read("other") == 97


def test_a_tenant_is_told_by_its_uuid_and_not_by_a_name() -> None:
    metrics = EdgeMetrics(registry := Registry())
    tenant_id = uuid4()
    metrics.tick_age.set(0.2, tenant_id)
    metrics.order_round_trip.observe(0.03, tenant_id)
    with pytest.raises(ValueError, match="UUID"):
        metrics.tick_age.set(0.2, "PT Maju Jaya")
    assert f'tenant="{tenant_id}"' in registry.write()
    assert "Maju" not in registry.write()
    metrics.tick_age.remove(tenant_id)
    assert parse(registry.write())["sinyal_edge_tick_age_seconds"] == {}


def test_what_is_not_a_metric_is_refused() -> None:
    registry = Registry()
    registry.add(Gauge("one", "One."))
    with pytest.raises(ValueError, match="registered"):
        registry.add(Gauge("one", "Again."))
    with pytest.raises(ValueError, match="_total"):
        Counter("things", "Things.")
    with pytest.raises(ValueError, match="lower case"):
        Gauge("a b", "No name.")
    with pytest.raises(ValueError, match="shrink"):
        Counter("things_total", "Things.").add(-1)
    with pytest.raises(ValueError, match="labels"):
        Counter("things_total", "Things.").add(1, "surplus")
