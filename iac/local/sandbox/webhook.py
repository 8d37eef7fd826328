"""Outgoing webhook calls of the vendors (Midtrans notifications, Telegram updates)."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from iac.local.sandbox.provider import BadControlRequest

ANSWER_KEPT_MAX = 2_000
CONNECT_TIMEOUT_S = 3.0


@dataclass
class WebhookTarget:
    """Where a vendor posts; `host_header` names the API when the address is a bare loopback."""

    url: str = ""
    host_header: str = ""

    def set(self, url: object, host_header: object = "") -> None:
        """Point at another address.

        Raises BadControlRequest unless the address is an absolute http(s) URL, or empty.
        """
        if not isinstance(url, str) or not isinstance(host_header, str):
            raise BadControlRequest("webhook_url and host_header must be text")
        if url and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise BadControlRequest(f"{url!r} is not an absolute http(s) URL")
        self.url, self.host_header = url, host_header

    def resolve(self) -> tuple[str, dict[str, str]]:
        """Return the URL to connect to and the extra headers.

        Names under .localhost mean this machine, whatever the resolver says.
        """
        parts = urlsplit(self.url)
        headers = {"host": self.host_header} if self.host_header else {}
        if (parts.hostname or "").endswith(".localhost"):
            headers.setdefault("host", parts.netloc)
            port = f":{parts.port}" if parts.port else ""
            return parts._replace(netloc=f"127.0.0.1{port}").geturl(), headers
        return self.url, headers


@dataclass(frozen=True)
class Delivery:
    """What became of one POST: `status` is None when nothing answered."""

    status: int | None
    answer: str

    @property
    def accepted(self) -> bool:
        """Tell whether the receiver took the message."""
        return self.status is not None and 200 <= self.status < 300


class WebhookCaller:
    """POSTs documents to webhooks over one pooled client."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout = httpx.Timeout(timeout_s, connect=CONNECT_TIMEOUT_S)
        self._client: httpx.AsyncClient | None = None

    async def post(
        self, target: WebhookTarget, document: Any, headers: dict[str, str] | None = None
    ) -> Delivery:
        """POST a document; failures of the network become a Delivery without a status."""
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._timeout, trust_env=False)
        url, host = target.resolve()
        try:
            answer = await self._client.post(
                url,
                content=json.dumps(document, ensure_ascii=False).encode(),
                headers={"content-type": "application/json", **host, **(headers or {})},
            )
        except httpx.HTTPError as error:
            return Delivery(None, f"{type(error).__name__}: {error}"[:ANSWER_KEPT_MAX])
        return Delivery(answer.status_code, answer.text[:ANSWER_KEPT_MAX])

    async def close(self) -> None:
        """Close the pooled connections."""
        if self._client is not None:
            await self._client.aclose()
