"""OpenAI, through its own SDK: one question, one raw answer, one total deadline.

The SDK's retries are off, its timeout is per read (a dripping body would never end), and its
parsing turns broken answers into empty ones: so the body is read here, bounded in time and size,
and handed on as text.
"""

import asyncio
from typing import Any

from functions.ai_provider.errors import (
    ConnectionLost,
    ContentBlocked,
    ContextTooLong,
    KeyRefused,
    MalformedReply,
    NotReached,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TimedOut,
)

MAX_REPLY_BYTES = 1_000_000
CONNECT_S = 1.0
MAX_RETRY_AFTER_S = 86_400

_BY_CODE: dict[str, type[ProviderError]] = {
    "context_length_exceeded": ContextTooLong,
    "content_filter": ContentBlocked,
    "content_policy_violation": ContentBlocked,
    "insufficient_quota": QuotaExhausted,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: KeyRefused,
    402: QuotaExhausted,
    403: KeyRefused,
    408: TimedOut,
    503: Overloaded,
    504: TimedOut,
    529: Overloaded,
}


class OpenAiGateway:
    """Asks OpenAI, or whoever speaks its wire format at the secret's ``base_url``."""

    def __init__(self, secret: dict[str, Any]) -> None:
        self._key, self._base_url = str(secret["api_key"]), str(secret["base_url"])

    def complete(self, body: dict[str, Any], *, deadline_s: float) -> str:
        """The raw answer to a chat completion request. Raises a ProviderError."""
        return asyncio.run(self._complete(body, deadline_s))

    async def _complete(self, body: dict[str, Any], deadline_s: float) -> str:
        import httpx2
        import openai

        timeout = httpx2.Timeout(deadline_s, connect=min(CONNECT_S, deadline_s))
        client = openai.AsyncOpenAI(
            api_key=self._key, base_url=self._base_url, max_retries=0, timeout=timeout
        )
        try:
            async with asyncio.timeout(deadline_s), client:
                create = client.chat.completions.with_streaming_response.create
                async with create(**body) as response:
                    return await _read_body(response)
        except TimeoutError as error:
            raise TimedOut(f"no answer within {deadline_s:g} s") from error
        except openai.APIStatusError as error:
            raise _read_refusal(error) from error
        except openai.APIConnectionError as error:
            raise _read_break(error.__cause__) from error
        except httpx2.HTTPError as error:
            raise _read_break(error) from error


async def _read_body(response: Any) -> str:
    content = bytearray()
    async for chunk in response.iter_bytes():
        content += chunk
        if len(content) > MAX_REPLY_BYTES:
            raise MalformedReply(f"the answer is longer than {MAX_REPLY_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise MalformedReply("the answer is not UTF-8") from error


def _read_break(cause: BaseException | None) -> ProviderError:
    """Tell a connection that was never made from one that broke with the question out."""
    import httpx2

    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return NotReached("no connection to the provider")
    if isinstance(cause, httpx2.TimeoutException):
        return TimedOut("no answer in time")
    return ConnectionLost(f"connection broke: {type(cause).__name__}")


def _read_refusal(error: Any) -> ProviderError:
    """The provider's own error as ours; its words may quote the request and are left out."""
    status, code = int(error.status_code), str(error.code or "")
    detail = f"status {status} {code}".strip()[:100]
    if code in _BY_CODE:
        return _BY_CODE[code](detail)
    if status == 429:
        return RateLimited(detail, **_read_retry_after(error.response.headers))
    if status in _BY_STATUS:
        return _BY_STATUS[status](detail)
    return ServerFailed(detail) if status >= 500 else RequestRefused(detail)


def _read_retry_after(headers: Any) -> dict[str, int]:
    value = str(headers.get("retry-after", ""))
    if not value.isascii() or not value.isdigit():
        return {}
    return {"retry_after": min(int(value[:9]), MAX_RETRY_AFTER_S)}
