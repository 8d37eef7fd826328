"""From a table of bars to rows with answers, and nothing of the future in the rows."""

from typing import TYPE_CHECKING, Any

from functions.ml_processing.errors import DatasetInvalid
from functions.ml_processing.models import Examples
from kit.feature_set import MAX_HOLE_BARS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = ("ts_ns", "open", "high", "low", "close", "spread", "ticks")
MIN_BARS = 1_000
MAX_BARS = 2_000_000


def check_bars(columns: "dict[str, NDArray[Any]]") -> "dict[str, NDArray[np.int64]]":
    """Check a table of bars. Raises DatasetInvalid, naming what is wrong."""
    import numpy as np

    missing = [name for name in COLUMNS if name not in columns]
    if missing:
        raise DatasetInvalid(f"columns missing: {', '.join(missing)}")
    rows = len(columns["ts_ns"])
    if not MIN_BARS <= rows <= MAX_BARS:
        raise DatasetInvalid(f"{rows} bars; between {MIN_BARS} and {MAX_BARS} are needed")
    bars = {}
    for name in COLUMNS:
        if columns[name].dtype.kind not in "iu":
            raise DatasetInvalid(f"column {name} must hold whole numbers (points)")
        bars[name] = np.asarray(columns[name], dtype=np.int64)
    if not bool((np.diff(bars["ts_ns"]) > 0).all()):
        raise DatasetInvalid("ts_ns must grow from bar to bar")
    highest = np.maximum(bars["open"], bars["close"])
    lowest = np.minimum(bars["open"], bars["close"])
    if not bool(((bars["high"] >= highest) & (bars["low"] <= lowest)).all()):
        raise DatasetInvalid("a bar's high or low does not hold its open and close")
    if bool((bars["low"] <= 0).any() or (bars["spread"] < 0).any() or (bars["ticks"] < 1).any()):
        raise DatasetInvalid("prices and ticks must be above zero, spreads not below")
    return bars


def make_examples(
    bars: "dict[str, NDArray[np.int64]]", *, horizon_bars: int, step_s: int
) -> Examples:
    """Rows whose window and horizon are whole. Raises DatasetInvalid when none is left."""
    import numpy as np

    from kit.features import compute_rows

    opened, close = bars["ts_ns"], bars["close"]
    table = compute_rows({**bars, "open_ns": opened}, step_s=step_s)
    inside = table.index + horizon_bars < close.size
    at = table.index[inside]
    ahead = at + horizon_bars
    longest_ns = (horizon_bars + MAX_HOLE_BARS) * step_s * 1_000_000_000
    near = opened[ahead] - opened[at] <= longest_ns
    at, ahead = at[near], ahead[near]
    if at.size < MIN_BARS // 2:
        raise DatasetInvalid(f"only {at.size} bars have a whole window and horizon")
    move = (close[ahead] - close[at]).astype(np.float64)
    return Examples(
        features=table.values[inside][near],
        went_up=(move > 0).astype(np.int64),
        move_points=move,
        spread_points=bars["spread"][at].astype(np.float64),
        bar=at,
        open_ns=opened[at],
    )
