"""Charts as inline SVG: equity and drawdown over market time, without a library or a network."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from edge_bridge.backtest.run import Sample

WIDTH, HEIGHT = 960, 240
LEFT, RIGHT, TOP, BOTTOM = 78, 12, 10, 24
COLUMNS = 480
"""A chart has so many columns; each keeps its lowest and highest value, so no spike is lost."""
LINES = 4
LABELS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """Values over time."""

    times_ns: list[int]
    values: list[float]


def draw_equity(curve: Sequence[Sample], local: Callable[[str], str]) -> str:
    """Equity in units of the currency; ``local`` writes a number as the reader does."""
    line = Line([each.time_ns for each in curve], [each.equity / 100 for each in curve])
    return draw(line, "equity", lambda value: local(f"{value:,.0f}"))


def draw_drawdown(curve: Sequence[Sample], local: Callable[[str], str]) -> str:
    """Fall from the highest equity so far, in per cent, downwards."""
    peak, values = curve[0].equity, []
    for each in curve:
        peak = max(peak, each.equity)
        values.append((each.equity - peak) / peak * 100 if peak > 0 else 0.0)
    line = Line([each.time_ns for each in curve], values)
    return draw(line, "drawdown", lambda value: local(f"{value:.2f}%"), ceiling=0.0)


def draw(line: Line, name: str, show: Callable[[float], str], ceiling: float | None = None) -> str:
    """One line with its axes, as an SVG element; colours come from the page."""
    thin = thin_out(line)
    low, high = min(thin.values), max(thin.values)
    high = high if ceiling is None else ceiling
    if high - low < 1e-9:
        low, high = low - 1.0, high + (1.0 if ceiling is None else 0.0)
    first, last = thin.times_ns[0], max(thin.times_ns[-1], thin.times_ns[0] + 1)

    def place_x(time_ns: int) -> float:
        return LEFT + (time_ns - first) / (last - first) * (WIDTH - LEFT - RIGHT)

    def place_y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)

    points = [
        f"{place_x(time_ns):.1f},{place_y(value):.1f}"
        for time_ns, value in zip(thin.times_ns, thin.values, strict=True)
    ]
    parts = [f'<svg class="chart {name}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">']
    for number in range(LINES + 1):
        value = low + (high - low) * number / LINES
        y = place_y(value)
        ends = f'x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="grid" {ends}/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{show(value)}</text>')
    for number in range(LABELS):
        time_ns = first + (last - first) * number // (LABELS - 1)
        anchor = "start" if number == 0 else "end" if number == LABELS - 1 else "middle"
        label = datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M")
        x, y = place_x(time_ns), HEIGHT - 6
        parts.append(f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{label}</text>')
    base = place_y(ceiling if ceiling is not None else low)
    area = f"{place_x(first):.1f},{base:.1f} {' '.join(points)} {place_x(last):.1f},{base:.1f}"
    parts.append(f'<polygon class="area" points="{area}"/>')
    parts.append(f'<polyline class="line" points="{" ".join(points)}"/></svg>')
    return "\n".join(parts)


def thin_out(line: Line) -> Line:
    """At most two points a column: its lowest and highest, in the order they came; both ends."""
    count = len(line.values)
    if count <= 2 * COLUMNS:
        return line
    kept = {0, count - 1}
    for column in range(COLUMNS):
        start, stop = column * count // COLUMNS, (column + 1) * count // COLUMNS
        places = range(start, stop)
        kept.add(min(places, key=line.values.__getitem__))
        kept.add(max(places, key=line.values.__getitem__))
    order = sorted(kept)
    return Line([line.times_ns[i] for i in order], [line.values[i] for i in order])
