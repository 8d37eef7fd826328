"""Decisions of ai_orchestration: serving a checked model, deciding a bar, replaying a decision."""

from functions.ai_orchestration.logic.decide import decide, replay_decision, take_bars
from functions.ai_orchestration.logic.publish import describe_decision
from functions.ai_orchestration.logic.serving import ModelShelf, load_model

__all__ = [
    "ModelShelf",
    "decide",
    "describe_decision",
    "load_model",
    "replay_decision",
    "take_bars",
]
