"""HTTP door of deep_learning: says what is there, which is nothing yet."""

from typing import Any

from kit.api import make_app, make_handler

app = make_app("deep_learning", "Neural nets; not built yet")


@app.get("/v1/deep-learning/health")
def get_health() -> dict[str, Any]:
    """Readiness. The door answers; there is no model behind it."""
    return {"status": "not_built", "ready": False, "models": []}


handler = make_handler(app)
