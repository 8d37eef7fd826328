"""What a client may ask, read strictly: an unknown field is refused rather than passed over.

No request names a tenant: whose data it is comes from the token alone.
"""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from contracts.data_bridge import Timeframe
from edge_bridge.stream.frames import Refused
from edge_bridge.stream.topics import Channel

TOKEN_CHARACTERS_MAX = 4_096
Symbol = Annotated[str, Field(min_length=1, max_length=29)]
Reference = Annotated[str, Field(min_length=1, max_length=64)]


class _Request(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: Reference | None = None
    """Comes back in the answer."""


class Authenticate(_Request):
    """Show a token; again before it expires, to stay."""

    op: Literal["auth"]
    token: str = Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX)


class _Named(_Request):
    channel: Channel
    symbol: Symbol | None = None
    timeframe: Timeframe | None = None

    @model_validator(mode="after")
    def _named_in_full(self) -> Self:
        if (self.symbol is not None) != (self.channel in ("ticks", "bars")):
            raise ValueError("ticks and bars are named by a symbol, other channels are not")
        if (self.timeframe is not None) != (self.channel == "bars"):
            raise ValueError("bars are named by a timeframe too, other channels are not")
        return self


class Subscribe(_Named):
    """Ask for a stream, from where a connection before this one got to."""

    op: Literal["subscribe"]
    from_seq: int | None = Field(default=None, ge=0, lt=2**63)
    epoch: str | None = Field(default=None, min_length=1, max_length=32)

    @model_validator(mode="after")
    def _resumes_in_full(self) -> Self:
        if (self.from_seq is None) != (self.epoch is None):
            raise ValueError("from_seq and epoch belong together")
        return self


class Unsubscribe(_Named):
    """End a stream."""

    op: Literal["unsubscribe"]


class Ping(_Request):
    """Ask whether the server is there, for clients that cannot send the protocol's own pings."""

    op: Literal["ping"]


Request = Authenticate | Subscribe | Unsubscribe | Ping
_REQUEST: TypeAdapter[Request] = TypeAdapter(Annotated[Request, Field(discriminator="op")])


def read_request(message: str | bytes) -> Request:
    """Read a client's message. Raises Refused."""
    if isinstance(message, bytes):
        raise Refused("bad_request", "send text messages, not binary ones")
    try:
        return _REQUEST.validate_json(message)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        detail = f"{place}: {first['msg']}" if place else first["msg"]
        raise Refused("bad_request", detail[:200]) from error
