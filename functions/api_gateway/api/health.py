"""Is the process alive, does every store answer. Both routes are open."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait

from fastapi import APIRouter, Request, Response

from functions.api_gateway.logic.health import judge_readiness
from functions.api_gateway.models import Health, Readiness
from functions.api_gateway.settings import settings
from functions.api_gateway.store.health import ask_clickhouse, ask_postgres
from kit.cache import open_redis
from kit.observability import warn

ANSWER_WITHIN_S = 5
NOT_READY = 503

router = APIRouter()


def _questions(request: Request) -> Mapping[str, Callable[[], object]]:
    """What each store is asked; any error means that it does not answer."""
    state = request.app.state
    return {
        "postgres": lambda: ask_postgres(state.open_database()),
        "redis": lambda: open_redis().ping(),
        "clickhouse": lambda: ask_clickhouse(state.open_analytics()),
    }


def _ask_stores(questions: Mapping[str, Callable[[], object]]) -> dict[str, bool]:
    """Ask all stores at once and wait five seconds for them."""
    pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="ready")
    asked = {name: pool.submit(question) for name, question in questions.items()}
    wait(asked.values(), timeout=ANSWER_WITHIN_S)
    pool.shutdown(wait=False, cancel_futures=True)
    answers = {}
    for name, future in asked.items():
        error = future.exception() if future.done() and not future.cancelled() else TimeoutError()
        if error is not None:
            warn("a store does not answer", store=name, error=type(error).__name__)
        answers[name] = error is None
    return answers


@router.get("/v1/health")
def read_health(request: Request) -> Health:
    """The process is alive."""
    now = request.app.state.open_clock().now()
    return Health(stage=settings().stage, time=now.isoformat())


@router.get("/v1/health/ready", responses={NOT_READY: {"model": Readiness}})
def read_readiness(request: Request, response: Response) -> Readiness:
    """Whether PostgreSQL, Redis and ClickHouse answer; 503 when one does not."""
    now = request.app.state.open_clock().now()
    readiness = judge_readiness(_ask_stores(_questions(request)), settings().stage, now)
    if readiness.status == "not_ready":
        response.status_code = NOT_READY
    return readiness
