"""Values of ai_orchestration: the model served, the views used, what was decided and from what."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from contracts.ai_orchestration import AbstentionReason, Direction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ActiveModel:
    """The registry's word on what to serve for a symbol and timeframe."""

    version: str
    generation: int
    artifact_key: str
    card_key: str
    sha256: str
    card_sha256: str


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A checked model in memory. ``predict`` answers the raw probability of a rise."""

    version: str
    sha256: str
    card_sha256: str
    slope: float
    intercept: float
    min_edge: float
    horizon_bars: int
    predict: "Callable[[NDArray[np.float32]], float]"


@dataclass(frozen=True, slots=True)
class View:
    """An agent's newest unexpired view of a symbol."""

    view_id: str
    agent: str
    stance: str
    confidence: float
    size_factor: float
    veto: bool


@dataclass(frozen=True, slots=True)
class Situation:
    """What is known besides the bar: the model to serve, whether any is, live views."""

    model: ActiveModel | None
    any_model: bool
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer: a direction with its numbers, or the reason for none."""

    reason: AbstentionReason | None = None
    raw_probability: float | None = None
    probability: float | None = None
    direction: Direction | None = None
    size_factor: float | None = None
    stop_distance: int | None = None
    target_distance: int | None = None
    horizon_s: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An outcome and everything it was made from. ``bars``: columns of kit.features, oldest
    first, the judged bar last."""

    bar_id: UUID
    symbol: str
    timeframe: str
    bars: tuple[tuple[int, ...], ...]
    any_model: bool
    model_version: str | None
    model_sha256: str | None
    card_sha256: str | None
    views: tuple[View, ...]
    features: tuple[float, ...] | None
    outcome: Outcome

    def to_trace(self) -> dict[str, Any]:
        """The decision as JSON-ready values. By hand: ``asdict`` copies every number of every bar,
        which takes longer than deciding."""
        return {
            "bar_id": str(self.bar_id),
            "symbol": self.symbol,
            "timeframe": self.timeframe,
            "bars": self.bars,
            "any_model": self.any_model,
            "model_version": self.model_version,
            "model_sha256": self.model_sha256,
            "card_sha256": self.card_sha256,
            "views": [asdict(view) for view in self.views],
            "features": self.features,
            "outcome": asdict(self.outcome),
        }

    @classmethod
    def from_trace(cls, trace: dict[str, Any]) -> "Decision":
        """Read a stored trace."""
        features = trace["features"]
        return cls(
            bar_id=UUID(trace["bar_id"]),
            symbol=trace["symbol"],
            timeframe=trace["timeframe"],
            bars=tuple(tuple(bar) for bar in trace["bars"]),
            any_model=trace["any_model"],
            model_version=trace["model_version"],
            model_sha256=trace["model_sha256"],
            card_sha256=trace["card_sha256"],
            views=tuple(View(**view) for view in trace["views"]),
            features=None if features is None else tuple(float(value) for value in features),
            outcome=Outcome(**trace["outcome"]),
        )
