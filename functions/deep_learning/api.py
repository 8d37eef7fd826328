"""HTTP door of deep_learning: says what is there, which is nothing yet."""

from typing import Literal

from pydantic import BaseModel

from kit.api import make_app, make_handler

app = make_app("deep_learning", "Neural nets; not built yet")


class Readiness(BaseModel):
    """Answer of GET /v1/deep-learning/health."""

    status: Literal["not_built"]
    ready: bool
    models: list[str]
    """Versions that are served."""


@app.get("/v1/deep-learning/health")
def get_health() -> Readiness:
    """Readiness. The door answers; there is no model behind it."""
    return Readiness(status="not_built", ready=False, models=[])


handler = make_handler(app)
