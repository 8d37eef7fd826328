"""Queue door of ai_provider: views, each paid for once, outside any transaction."""

from time import monotonic

from contracts.ai_provider import RequestViews
from contracts.envelope import Envelope, Meta
from contracts.ids import uuid7
from functions.ai_provider import logic
from functions.ai_provider.errors import (
    DeadlineExceeded,
    MalformedReply,
    NotPlatformCommand,
    ProviderError,
)
from functions.ai_provider.gateway import OpenAiGateway
from functions.ai_provider.models import StoredReply, ViewRequest
from functions.ai_provider.settings import settings
from functions.ai_provider.store import MoneyStore, ReplyStore
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, open_database
from kit.observability import log, warn
from kit.settings import read_secret


def _database() -> Database:
    return open_database("ai_provider", settings().event_bus_name)


@own_transactions
def on_request_views(envelope: Envelope, database: Database) -> None:
    """Publish a view of each symbol. A failure is no view; the command comes back only when
    trying again can help, and then pays only for what is still missing."""
    command, cause = envelope.data, envelope.meta
    assert isinstance(command, RequestViews)
    if cause.tenant_id is not None:
        raise NotPlatformCommand("the command carries a tenant")
    with database.transaction(None, cause=cause) as tx:
        as_of = ReplyStore(tx).note_request(cause.event_id, command.as_of or tx.now)
    until = monotonic() + settings().batch_deadline_s
    again: ProviderError | None = None
    for symbol in dict.fromkeys(command.symbols):
        request = logic.build_request(command, symbol, as_of, settings().view_model)
        try:
            _publish_view(request, database, cause, until)
        except ProviderError as error:
            warn("no view", symbol=symbol, code=error.code, detail=error.detail)
            again = error if error.retryable else again
    if again is not None:
        raise again


def _publish_view(request: ViewRequest, database: Database, cause: Meta, until: float) -> None:
    with database.transaction(None, cause=cause) as tx:
        reply = ReplyStore(tx).find_reply(request.request_hash)
    if reply is None:
        reply = _ask(request, database, cause, until)
    else:
        log("stored reply used", symbol=request.symbol, request_hash=request.request_hash)
    answer = logic.read_answer(logic.read_completion(reply.raw))
    view = logic.make_view(request, answer, reply.cost_picodollars)
    with database.transaction(None, cause=cause) as tx:
        if ReplyStore(tx).add_view(view):
            tx.publish(view)


def _ask(request: ViewRequest, database: Database, cause: Meta, until: float) -> StoredReply:
    """Reserve, call, settle. Raises a ProviderError with the reservation released or held."""
    left_s = until - monotonic()
    if left_s <= 0:
        raise DeadlineExceeded("the rest comes with the next delivery")
    attempt_id = uuid7()
    with database.transaction(None, cause=cause) as tx:
        money = MoneyStore(tx)
        prices = money.read_prices(
            request.provider, request.model, logic.ENDPOINT, logic.SERVICE_TIER
        )
        bound = logic.bound_cost(request, prices)
        money.reserve(attempt_id, request, bound)
    try:
        raw = OpenAiGateway(read_secret("openai")).complete(
            request.body, deadline_s=min(settings().view_deadline_s, left_s)
        )
        completion = logic.read_completion(raw)
    except ProviderError as error:
        with database.transaction(None, cause=cause) as tx:
            if error.ambiguous or isinstance(error, MalformedReply):
                MoneyStore(tx).hold(attempt_id, error.code)
            else:
                MoneyStore(tx).release(attempt_id, error.code)
        raise
    with database.transaction(None, cause=cause) as tx:
        cost, reported = logic.count_cost(completion, prices, bound)
        MoneyStore(tx).settle(attempt_id, cost, usage_reported=reported)
        return ReplyStore(tx).keep_reply(request.request_hash, attempt_id, raw, cost)


HANDLERS: Handlers = {RequestViews: on_request_views}

handler = make_consumer(HANDLERS, lambda: _database())
