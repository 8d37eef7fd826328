"""A small deterministic analyst: the same prompt always gets the same opinion.

It reads the labelled numbers of a prompt (returns, momentum, RSI, probabilities), so that its
stance follows the input, and adds a little noise drawn from the prompt's hash.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from typing import Any

NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
LABELLED = re.compile(rf"([A-Za-z][A-Za-z0-9_ .-]{{0,40}}?)[\"'\])%]*\s*[:=]\s*({NUMBER})")
DIRECTION = re.compile(r"ret(?:urn)?|mom|slope|trend|change|macd|delta|drift|imbalance", re.I)
PROBABILITY = re.compile(r"p_?up|prob", re.I)
OSCILLATOR = re.compile(r"rsi|stoch", re.I)
RISK = re.compile(r"vol|spread|atr|range", re.I)
SHOCK = re.compile(r"flash crash|intervention|emergency (?:rate|meeting)|trading halt", re.I)
NUMBERS_MAX = 500
NEUTRAL_BAND = 0.15
NOISE = 0.1


@dataclass(frozen=True)
class Opinion:
    """What the analyst thinks; `score` runs from -1 (bearish) to 1 (bullish)."""

    score: float
    stance: str
    confidence: float
    size_factor: float
    veto: bool
    rationale: str

    def fields(self) -> dict[str, Any]:
        """Return the values under the names that schemas ask for."""
        p_up = round(0.5 + self.score * 0.3, 4)
        return {
            "stance": self.stance,
            "direction": {"bullish": "up", "bearish": "down"}.get(self.stance, "flat"),
            "confidence": self.confidence,
            "size_factor": self.size_factor,
            "veto": self.veto,
            "rationale": self.rationale,
            "summary": self.rationale,
            "reason": self.rationale,
            "score": self.score,
            "p_up": p_up,
            "probability_up": p_up,
        }


def draw_unit(seed: str) -> float:
    """Draw a number in [0, 1) from a text, the same for the same text."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:6], "big") / 2**48


def judge(prompt: str) -> Opinion:
    """Form an opinion of a prompt."""
    found = LABELLED.findall(prompt)[:NUMBERS_MAX]
    readings = [(label.strip(), float(value)) for label, value in found]
    votes = [vote for label, value in readings if (vote := _read_vote(label, value)) is not None]
    lean = sum(votes) / len(votes) if votes else _read_series(prompt)
    noise = (draw_unit(prompt) * 2 - 1) * NOISE
    score = round(max(-1.0, min(1.0, lean + noise)), 4)
    stance = "neutral"
    if abs(score) > NEUTRAL_BAND:
        stance = "bullish" if score > 0 else "bearish"
    veto = SHOCK.search(prompt) is not None
    confidence = round(min(0.95, 0.5 + abs(score) * 0.45), 2)
    risks = sum(1 for label, value in readings if RISK.search(label) and abs(value) >= 2)
    size_factor = 0.0 if veto else round(max(0.25, 0.5 + confidence / 2 - 0.1 * risks), 2)
    rationale = (
        f"{len(votes)} directional readings lean {score:+.2f}; "
        f"{risks} risk readings are high; "
        + ("a shock is in the news: stand aside." if veto else f"the stance is {stance}.")
    )
    return Opinion(score, stance, confidence, min(1.0, size_factor), veto, rationale)


def _read_vote(label: str, value: float) -> float | None:
    if not math.isfinite(value):
        return None
    if PROBABILITY.search(label):
        return max(-1.0, min(1.0, (value - 0.5) * 4))
    if OSCILLATOR.search(label):
        return max(-1.0, min(1.0, (value - 50) / 30))
    if DIRECTION.search(label):
        return math.copysign(min(1.0, math.log1p(abs(value) * 1e4) / 5), value) if value else 0.0
    return None


def _read_series(prompt: str) -> float:
    numbers = [float(text) for text in re.findall(NUMBER, prompt)[:NUMBERS_MAX]]
    if len(numbers) < 3 or not numbers[0]:
        return 0.0
    change = (numbers[-1] - numbers[0]) / abs(numbers[0])
    return max(-1.0, min(1.0, change * 100))
