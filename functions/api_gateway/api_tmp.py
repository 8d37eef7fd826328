"""HTTP door of api_gateway: is the process alive, does every store answer. Both open."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from fastapi import Response

from functions.api_gateway.logic import judge_readiness
from functions.api_gateway.models import Health, Readiness
from functions.api_gateway.settings import settings
from functions.api_gateway.store import ask_clickhouse, ask_postgres
from kit.analytics import open_analytics
from kit.api import make_app, make_handler
from kit.cache import open_redis
from kit.clock import Clock, SystemClock
from kit.db import Database, open_database
from kit.observability import warn

ANSWER_WITHIN_S = 5
NOT_READY = 503

app = make_app("api_gateway", "Authorisation and health")


def _database() -> Database:
    return open_database("api_gateway", settings().event_bus_name)


def _clock() -> Clock:
    return SystemClock()


def _questions() -> Mapping[str, Callable[[], object]]:
    """What each store is asked; any error means that it does not answer."""
    return {
        "postgres": lambda: ask_postgres(_database()),
        "redis": lambda: open_redis().ping(),
        "clickhouse": lambda: ask_clickhouse(open_analytics()),
    }


def _ask_stores() -> dict[str, bool]:
    """Ask all stores at once and wait five seconds for them."""
    pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="ready")
    asked = {name: pool.submit(question) for name, question in _questions().items()}
    wait(asked.values(), timeout=ANSWER_WITHIN_S)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = {}
    for name, future in asked.items():
        error = future.exception() if future.done() and not future.cancelled() else TimeoutError()
        if error is not None:
            warn("a store does not answer", store=name, error=type(error).__name__)
        answers[name] = error is None
    return answers


@app.get("/v1/health")
def read_health() -> Health:
    """The process is alive."""
    return Health(stage=settings().stage, time=_clock().now().isoformat())


@app.get("/v1/health/ready")
def read_readiness(response: Response) -> Readiness:
    """Whether PostgreSQL, Redis and ClickHouse answer; 503 when one does not."""
    readiness = judge_readiness(_ask_stores(), settings().stage, _clock().now())
    if readiness.status == "not_ready":
        response.status_code = NOT_READY
    return readiness


handler = make_handler(app)
