"""Values of ai_provider: the request as sent, the reply as read, prices and costs."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PICODOLLARS_A_TOKEN = 1_000_000
"""Pico-dollars a token at a price of one dollar a million tokens."""


@dataclass(frozen=True)
class ViewRequest:
    """A question about a symbol, exactly as it goes to the provider."""

    provider: str
    agent: str
    symbol: str
    as_of: datetime
    expires_at: datetime
    body: dict[str, Any]

    @property
    def model(self) -> str:
        """The model asked."""
        return str(self.body["model"])

    @cached_property
    def canonical(self) -> str:
        """The request as text, the same for the same request."""
        named = {
            "provider": self.provider,
            "agent": self.agent,
            "expires_at": self.expires_at.isoformat(),
            "body": self.body,
        }
        return json.dumps(named, sort_keys=True, separators=(",", ":"))

    @cached_property
    def request_hash(self) -> str:
        """Name of the request for ever: sha256 of its canonical text."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()


class ViewAnswer(BaseModel):
    """What the model must say, in these words and bounds."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stance: Literal["bullish", "bearish", "neutral"]
    confidence: float = Field(ge=0, le=1, strict=True)
    size_factor: float = Field(ge=0, le=1, strict=True)
    veto: bool = Field(strict=True)
    rationale: str = Field(max_length=2_000)


class TokenDetails(BaseModel):
    """Part of the usage."""

    cached_tokens: int = Field(default=0, ge=0)


class Usage(BaseModel):
    """Tokens charged: the prompt's include the cached, the completion's the reasoning."""

    prompt_tokens: int = Field(ge=0, le=10_000_000)
    completion_tokens: int = Field(ge=0, le=10_000_000)
    prompt_tokens_details: TokenDetails | None = None


class SaidMessage(BaseModel):
    """What the model said."""

    content: str | None = None
    refusal: str | None = None


class Choice(BaseModel):
    """An answer and why it ended."""

    finish_reason: str
    message: SaidMessage


class Completion(BaseModel):
    """A chat completion: the parts we rely on."""

    choices: list[Choice] = Field(min_length=1)
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars a million tokens of each class."""

    input: Decimal
    cache_read: Decimal
    output: Decimal


@dataclass(frozen=True, slots=True)
class StoredReply:
    """A reply that was paid for."""

    raw: str
    cost_picodollars: int
