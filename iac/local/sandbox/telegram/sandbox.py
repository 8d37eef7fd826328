"""The Telegram sandbox: `/bot<token>/<method>`, users' updates, and what was sent."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iac.local.sandbox.provider import (
    BadControlRequest,
    Document,
    Reply,
    json_reply,
    read_document,
)
from iac.local.sandbox.telegram.body import read_parameters
from iac.local.sandbox.telegram.errors import DESCRIPTIONS, Refusal, too_many_requests
from iac.local.sandbox.telegram.methods import METHODS
from iac.local.sandbox.telegram.room import ChatRoom
from iac.local.sandbox.telegram.updates import (
    UPDATE_KINDS,
    UserAction,
    build_update,
    deliver,
    note_update,
)
from iac.local.sandbox.webhook import WebhookCaller

TOKEN = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{10,100}")
UPDATE_TIMEOUT_S = 30.0
LISTING_MAX = 10_000


class Settings(BaseModel):
    """What `/_sandbox/config` may change; rates are messages, 0 = no limit."""

    model_config = ConfigDict(extra="forbid")

    webhook_url: str | None = None
    host_header: str | None = None
    secret_token: str | None = Field(default=None, max_length=256)
    chat_per_second: float | None = Field(default=None, ge=0, le=10_000)
    bot_per_second: float | None = Field(default=None, ge=0, le=10_000)
    group_per_minute: float | None = Field(default=None, ge=0, le=10_000)
    blocked_chats: list[int] | None = Field(default=None, max_length=10_000)
    migrated_chats: dict[int, int] | None = Field(default=None, max_length=1_000)
    strict_chats: bool | None = None


@dataclass
class TelegramSandbox:
    """Telegram on loopback, for one bot."""

    token: str
    bot_id: int
    webhook_secret: str = ""
    name: str = "telegram"

    def __post_init__(self) -> None:
        self.room = ChatRoom(self.bot_id, "sinyal_sandbox_bot")
        self.room.webhook_secret = self.webhook_secret
        self._caller = WebhookCaller(UPDATE_TIMEOUT_S)

    def wire_routes(self) -> list[Route]:
        """List the Bot API's only route."""
        return [Route("/bot{token}/{method}", self._call, methods=["GET", "POST"])]

    def control_routes(self) -> list[Route]:
        """List the control routes that only Telegram has."""
        return [
            Route("/_sandbox/messages", self._list_messages, methods=["GET"]),
            Route("/_sandbox/updates", self._post_update, methods=["POST"]),
        ]

    def error_reply(self, status: int, _path: str, retry_after: int | None, /) -> Reply:
        """Say a status as Telegram does."""
        if status == 429:
            return too_many_requests(1 if retry_after is None else retry_after).as_reply()
        return Refusal(status, DESCRIPTIONS.get(status, "Error")).as_reply()

    def configure(self, changes: Document) -> None:
        """Change the webhook, the sending limits, or how chats behave."""
        try:
            wanted = Settings.model_validate(changes)
        except ValidationError as error:
            raise BadControlRequest(str(error)) from error
        room = self.room
        if wanted.webhook_url is not None or wanted.host_header is not None:
            url = room.webhook.url if wanted.webhook_url is None else wanted.webhook_url
            host = wanted.host_header
            room.webhook.set(url, room.webhook.host_header if host is None else host)
        if wanted.secret_token is not None:
            room.webhook_secret = wanted.secret_token
        for rate in ("chat_per_second", "bot_per_second", "group_per_minute"):
            if getattr(wanted, rate) is not None:
                setattr(room.limits, rate, getattr(wanted, rate))
        if wanted.blocked_chats is not None:
            room.blocked = set(wanted.blocked_chats)
        if wanted.migrated_chats is not None:
            room.migrated = dict(wanted.migrated_chats)
        if wanted.strict_chats is not None:
            room.strict_chats = wanted.strict_chats

    def describe_settings(self) -> Document:
        """Show the settings in force."""
        room = self.room
        return {
            "webhook_url": room.webhook.url,
            "host_header": room.webhook.host_header,
            "chat_per_second": room.limits.chat_per_second,
            "bot_per_second": room.limits.bot_per_second,
            "group_per_minute": room.limits.group_per_minute,
            "blocked_chats": sorted(room.blocked),
            "migrated_chats": room.migrated,
            "strict_chats": room.strict_chats,
            "bot_id": room.bot_id,
        }

    def reset(self) -> None:
        """Forget messages, chats, updates and limits; the webhook and its secret stay."""
        self.room.clear()

    async def close(self) -> None:
        """Close connections."""
        await self._caller.close()

    async def _call(self, request: Request) -> Response:
        token = request.path_params["token"]
        try:
            if not TOKEN.fullmatch(token):
                raise Refusal(404, "Not Found")
            if token != self.token:
                raise Refusal(401, "Unauthorized")
            method = METHODS.get(request.path_params["method"].lower())
            if method is None:
                raise Refusal(404, "Not Found: method not found")
            result = await method(self.room, await read_parameters(request))
        except Refusal as refusal:
            return refusal.as_reply().as_response()
        except BadControlRequest as error:
            return Refusal(400, f"Bad Request: bad webhook: {error}").as_reply().as_response()
        return json_reply(200, {"ok": True, "result": result}).as_response()

    async def _post_update(self, request: Request) -> Response:
        document = await read_document(request)
        if "update_id" in document or any(kind in document for kind in UPDATE_KINDS):
            document = {"update": document}
        try:
            action = UserAction.model_validate(document)
            update = build_update(self.room, action)
        except ValueError as error:
            raise BadControlRequest(str(error)) from error
        note_update(self.room, update)
        report: dict[str, Any] = {"update_id": update["update_id"], "update": update}
        if not self.room.webhook.url:
            self.room.updates.append(update)
            return JSONResponse(report | {"delivered": False, "queued": True, "status": None})
        deliveries = await deliver(self.room, self._caller, update, action)
        last = deliveries[-1]
        report |= {"delivered": last.accepted, "status": last.status, "answer": last.answer}
        report["deliveries"] = [asdict(delivery) for delivery in deliveries]
        return JSONResponse(report)

    async def _list_messages(self, request: Request) -> Response:
        query = request.query_params
        chat_id, limit = query.get("chat_id"), query.get("limit", str(LISTING_MAX))
        if not limit.isdecimal():
            raise BadControlRequest("limit must be a whole number")
        found = [
            asdict(message)
            for message in self.room.messages.values()
            if chat_id is None or str(message.chat_id) == chat_id
        ]
        return JSONResponse(found[-max(1, int(limit)) :])
