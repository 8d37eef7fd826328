"""Whether the house is well."""

from collections.abc import Mapping
from datetime import datetime

from functions.api_gateway.models import Readiness


def judge_readiness(answers: Mapping[str, bool], stage: str, now: datetime) -> Readiness:
    """The house is ready when every store answers."""
    return Readiness(
        status="ready" if all(answers.values()) else "not_ready",
        stage=stage,
        time=now.isoformat(),
        dependencies={name: "ok" if up else "unreachable" for name, up in answers.items()},
    )
