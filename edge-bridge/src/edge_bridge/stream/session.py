"""The conversation with one client: who are you, what do you want, and what came of it."""

import asyncio

from websockets.exceptions import ConnectionClosed

from edge_bridge.stream.connection import StreamConnection, Subscription
from edge_bridge.stream.frames import (
    FORBIDDEN,
    TOO_LATE,
    TOO_MANY,
    UNAUTHENTICATED,
    UNAVAILABLE,
    Refused,
    frame,
    frame_error,
)
from edge_bridge.stream.hub import Hub, NotStreamable
from edge_bridge.stream.requests import (
    Authenticate,
    Ping,
    Request,
    Subscribe,
    Unsubscribe,
    read_request,
)
from edge_bridge.stream.roster import Roster
from edge_bridge.stream.settings import StreamSettings
from edge_bridge.stream.tokens import Identity, TokenVerifier
from edge_bridge.stream.topics import PRIVATE, TopicName

FETCH_WAIT_S = 4.0
"""For the issuer's keys; less than a client's deadline."""


class Conversations:
    """Talks with every client; one instance for the server's loop."""

    def __init__(
        self, settings: StreamSettings, tokens: TokenVerifier, hub: Hub, roster: Roster
    ) -> None:
        self._settings, self._tokens = settings, tokens
        self._hub, self._roster = hub, roster
        self._fetching = asyncio.Lock()

    async def serve(self, connection: StreamConnection) -> None:
        """Talk until either side ends it."""
        try:
            await self._introduce(connection)
            await self._converse(connection)
        except (ConnectionClosed, OSError):
            pass
        except Refused as refused:
            connection.cut(refused)
        finally:
            self._roster.leave(connection)

    async def _introduce(self, connection: StreamConnection) -> None:
        """Let a client in by its first message. Raises Refused."""
        try:
            async with asyncio.timeout(self._settings.auth_deadline_s):
                message = await connection.recv()
                try:
                    request = read_request(message)
                except Refused as refused:
                    raise Refused(refused.code, refused.detail, UNAUTHENTICATED) from refused
                if not isinstance(request, Authenticate):
                    raise Refused(
                        "unauthenticated", "send op auth with a token first", UNAUTHENTICATED
                    )
                await self._authenticate(connection, request)
        except TimeoutError as error:
            raise Refused("auth_timeout", "no token came in time", TOO_LATE) from error

    async def _converse(self, connection: StreamConnection) -> None:
        """Answer requests, no faster than allowed and no faster than the answers are read."""
        allowance, seen_at = float(self._settings.messages_burst), connection.loop.time()
        while True:
            if connection.paused:
                await connection.drain()
            message = await connection.recv()
            now = connection.loop.time()
            allowance += (now - seen_at) * self._settings.messages_per_second
            allowance, seen_at = min(allowance, self._settings.messages_burst) - 1, now
            if allowance < 0:
                raise Refused("rate_limited", "too many messages; send fewer", TOO_MANY)
            await self._answer(connection, message)

    async def _answer(self, connection: StreamConnection, message: str | bytes) -> None:
        """Do what is asked, or say why not. Raises Refused when the connection must end."""
        reference = None
        try:
            request = read_request(message)
            reference = request.id
            await self._handle(connection, request)
        except NotStreamable:
            self._refuse(connection, Refused("unavailable", "no more streams fit here"), reference)
        except Refused as refused:
            if refused.close is not None:
                raise
            self._refuse(connection, refused, reference)

    def _refuse(
        self, connection: StreamConnection, refused: Refused, reference: str | None
    ) -> None:
        self._hub.metrics.refused.add(1, refused.code)
        connection.tell(frame_error(refused, reference))

    async def _handle(self, connection: StreamConnection, request: Request) -> None:
        match request:
            case Authenticate():
                await self._authenticate(connection, request)
            case Subscribe():
                self._subscribe(connection, request)
            case Unsubscribe():
                self._unsubscribe(connection, request)
            case Ping():
                self._reply(connection, {"op": "pong"}, request)

    async def _authenticate(self, connection: StreamConnection, request: Authenticate) -> None:
        who = await self._identify(request.token)
        if connection.who is not None and who.tenant_id != connection.who.tenant_id:
            raise Refused("forbidden", "another tenant needs another connection", FORBIDDEN)
        limits = self._hub.judge(who, self._hub.clock.now())
        newcomer = connection.who is None
        connection.who, connection.limits = who, limits
        if newcomer:
            self._roster.enter(connection)
        expires_at = who.expires_at.isoformat()
        message = {"op": "authenticated", "tenant_id": who.tenant_id, "expires_at": expires_at}
        self._reply(connection, message, request)

    async def _identify(self, token: str) -> Identity:
        """Who a token speaks for, with the issuer's keys of now. Raises Refused."""
        keys, clock = self._tokens.keys, self._hub.clock
        key_id = self._tokens.read_key_id(token)
        if keys.wants_fetch(key_id, clock.now()):
            async with self._fetching:
                if keys.wants_fetch(key_id, now := clock.now()):
                    try:
                        await asyncio.wait_for(asyncio.to_thread(keys.fetch, now), FETCH_WAIT_S)
                    except TimeoutError as error:
                        raise Refused(
                            "keys_unavailable", "tokens cannot be checked now", UNAVAILABLE
                        ) from error
        return self._tokens.verify(token, clock.now())

    def _subscribe(self, connection: StreamConnection, request: Subscribe) -> None:
        name = _name(connection, request)
        if name in connection.subscriptions:
            raise Refused("already_subscribed", "this connection follows that stream already")
        if len(connection.subscriptions) >= self._settings.subscriptions_max:
            raise Refused("too_many_subscriptions", "end a stream of this connection first")
        if name.symbol is not None:
            self._roster.check_symbol(connection, name.symbol)
        topic = self._hub.find_topic(name)
        position = request.from_seq
        resumed = position is not None and request.epoch == topic.epoch and topic.holds(position)
        snapshot = b""
        if position is None or not resumed:
            snapshot, position = self._hub.frame_snapshot(topic)
        answer = {"op": "subscribed", **topic.describe(), "resumed": resumed, "seq": position}
        self._reply(connection, answer, request)
        if snapshot:
            connection.tell(snapshot)
            connection.tally(len(snapshot), name.channel)
        self._hub.metrics.begun.add(1, name.channel, "resumed" if resumed else "snapshot")
        subscription = Subscription(connection, topic, position, topic.head)
        self._roster.follow(subscription)
        connection.begin(subscription)
        self._hub.count_tally()

    def _unsubscribe(self, connection: StreamConnection, request: Unsubscribe) -> None:
        name = _name(connection, request)
        if not self._roster.unfollow(connection, name):
            raise Refused("not_subscribed", "this connection does not follow that stream")
        self._reply(connection, {"op": "unsubscribed", **name.describe()}, request)

    def _reply(
        self, connection: StreamConnection, message: dict[str, object], request: Request
    ) -> None:
        connection.tell(frame(message if request.id is None else message | {"id": request.id}))


def _name(connection: StreamConnection, request: Subscribe | Unsubscribe) -> TopicName:
    """The stream that is meant; a private one is always the bearer's own."""
    assert connection.who is not None
    tenant_id = connection.who.tenant_id if request.channel in PRIVATE else None
    return TopicName(request.channel, tenant_id, request.symbol, request.timeframe)
