"""Counters, gauges and histograms in Prometheus' text format, without a library for it.

Label sets are bounded: past `series_max` of a metric, new ones are counted under `other`. The
label `tenant` takes a UUID and nothing else, so that no tenant's name can get out.
"""

import bisect
import math
import re
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import TypeVar
from uuid import UUID

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SERIES_MAX = 2_000
SECONDS = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
"""Buckets from a tenth of a millisecond to half a minute."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")

Label = str | UUID
Key = tuple[str, ...]


class Metric(ABC):
    """A name, what it means, and the labels its values are told apart by."""

    kind = "untyped"

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), series_max: int = SERIES_MAX
    ) -> None:
        if not all(_NAME.fullmatch(each) for each in (name, *labels)):
            raise ValueError(f"{name}: metric and label names are lower case, digits, underscores")
        self.name, self._meaning, self._labels = name, meaning, tuple(labels)
        self._series_max = series_max
        self._lock = threading.Lock()

    def write(self) -> list[str]:
        """The metric's lines."""
        meaning = self._meaning.replace("\\", r"\\").replace("\n", r"\n")
        head = [f"# HELP {self.name} {meaning}", f"# TYPE {self.name} {self.kind}"]
        with self._lock:
            return head + self._write_series()

    @abstractmethod
    def _write_series(self) -> list[str]: ...

    def _find_key(self, values: tuple[Label, ...], known: Collection[Key]) -> Key:
        if len(values) != len(self._labels):
            raise ValueError(f"{self.name} takes the labels {self._labels}, got {len(values)}")
        for label, value in zip(self._labels, values, strict=True):
            if label == "tenant" and not isinstance(value, UUID):
                raise ValueError(f"{self.name}: a tenant is labelled by its UUID")
        key = tuple(map(str, values))
        return key if key in known or len(known) < self._series_max else ("other",) * len(key)

    def _line(self, key: Key, value: float, suffix: str = "", bound: str = "") -> str:
        pairs = [f'{n}="{_escape(v)}"' for n, v in zip(self._labels, key, strict=True)]
        if bound:
            pairs.append(f'le="{bound}"')
        labels = "{" + ",".join(pairs) + "}" if pairs else ""
        return f"{self.name}{suffix}{labels} {_show(value)}"


class _Single(Metric):
    """A metric of one number for each label set."""

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), series_max: int = SERIES_MAX
    ) -> None:
        super().__init__(name, meaning, labels, series_max)
        self._values: dict[Key, float] = {}

    def read(self, *labels: Label) -> float:
        """The value now; 0 when nothing was told yet."""
        return self._values.get(tuple(map(str, labels)), 0)

    def _write_series(self) -> list[str]:
        return [self._line(key, value) for key, value in sorted(self._values.items())]


class Counter(_Single):
    """Something that only grows; its name ends with `_total`."""

    kind = "counter"

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), series_max: int = SERIES_MAX
    ) -> None:
        if not name.endswith("_total"):
            raise ValueError(f"{name}: a counter's name ends with _total")
        super().__init__(name, meaning, labels, series_max)
        if not labels:
            self._values[()] = 0

    def add(self, amount: float = 1, *labels: Label) -> None:
        """Count `amount` more, which is not negative."""
        if not amount >= 0:
            raise ValueError(f"{self.name} cannot shrink by {amount}")
        with self._lock:
            key = self._find_key(labels, self._values)
            self._values[key] = self._values.get(key, 0) + amount


class Gauge(_Single):
    """Something as it is now."""

    kind = "gauge"

    def set(self, value: float, *labels: Label) -> None:
        """Tell the value of now."""
        with self._lock:
            self._values[self._find_key(labels, self._values)] = value

    def remove(self, *labels: Label) -> None:
        """Forget what is not there any more."""
        with self._lock:
            self._values.pop(tuple(map(str, labels)), None)


class Histogram(Metric):
    """How something spreads, in buckets."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        meaning: str,
        labels: Sequence[str] = (),
        buckets: Sequence[float] = SECONDS,
        series_max: int = SERIES_MAX,
    ) -> None:
        super().__init__(name, meaning, labels, series_max)
        self._buckets = tuple(sorted(buckets))
        self._bounds = [*map(_show, self._buckets), "+Inf"]
        self._counts: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}

    def observe(self, value: float, *labels: Label) -> None:
        """Count one value; what is no number is left out."""
        if math.isnan(value):
            return
        with self._lock:
            key = self._find_key(labels, self._counts)
            counts = self._counts.setdefault(key, [0] * len(self._bounds))
            counts[bisect.bisect_left(self._buckets, value)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + value

    def _write_series(self) -> list[str]:
        lines = []
        for key, counts in sorted(self._counts.items()):
            running = 0
            for bound, count in zip(self._bounds, counts, strict=True):
                running += count
                lines.append(self._line(key, running, "_bucket", bound))
            lines.append(self._line(key, self._sums[key], "_sum"))
            lines.append(self._line(key, running, "_count"))
        return lines


_M = TypeVar("_M", bound=Metric)


class Registry:
    """All metrics of a process, written together."""

    def __init__(self) -> None:
        self._metrics: dict[str, Metric] = {}
        self._lock = threading.Lock()

    def add(self, metric: _M) -> _M:
        """Take a metric in. Raises ValueError when its name stands for another already."""
        with self._lock:
            if metric.name in self._metrics:
                raise ValueError(f"{metric.name} is registered already; use that one")
            self._metrics[metric.name] = metric
        return metric

    def write(self) -> str:
        """The text that a scrape gets."""
        with self._lock:
            metrics = list(self._metrics.values())
        return "".join(f"{line}\n" for metric in metrics for line in metric.write())


class EdgeMetrics:
    """What the host tells of itself; the promises of speed are told by tenant."""

    def __init__(self, registry: Registry) -> None:
        add, tenant = registry.add, ("tenant",)
        self.ticks_accepted = add(
            Counter(
                "sinyal_edge_ticks_accepted_total", "Ticks that passed validation.", ("symbol",)
            )
        )
        self.ticks_rejected = add(
            Counter("sinyal_edge_ticks_rejected_total", "Ticks refused, by reason.", ("reason",))
        )
        self.accounts = add(Gauge("sinyal_edge_accounts", "Accounts by health.", ("health",)))
        self.outbox_rows = add(Gauge("sinyal_edge_outbox_rows", "Messages not sent yet."))
        self.outbox_bytes = add(Gauge("sinyal_edge_outbox_bytes", "Their size on the disk."))
        self.tick_age = add(
            Gauge("sinyal_edge_tick_age_seconds", "Age of the newest tick.", tenant)
        )
        self.decision_to_order = add(
            Histogram("sinyal_edge_decision_to_order_seconds", "Signal to order sent.", tenant)
        )
        self.order_round_trip = add(
            Histogram("sinyal_edge_order_round_trip_seconds", "Order sent to answer.", tenant)
        )


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _show(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
