"""What a sandbox got, newest last, in a ring: memory stays bounded however long a demo runs."""

import json
import re
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

REQUESTS_MAX = 5_000
BODY_KEPT_MAX = 16_384
SECRET_HEADERS = {"authorization", "x-api-key", "x-goog-api-key", "cookie"}
BOT_TOKEN = re.compile(r"(bot\d+):[A-Za-z0-9_-]+")


@dataclass
class RecordedRequest:
    """One request as a test wants to read it; `status` is None while it is being answered."""

    n: int
    at: str
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    status: int | str | None = None
    fault: dict[str, Any] | None = None
    duration_ms: float | None = field(default=None)


class Recorder:
    """Ring of the last REQUESTS_MAX requests; secrets are masked, long bodies cut."""

    def __init__(self) -> None:
        self._ring: deque[RecordedRequest] = deque(maxlen=REQUESTS_MAX)
        self._count = 0

    def record(
        self, method: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> RecordedRequest:
        """Store a request as it arrives and return the entry, to be completed by its answer."""
        self._count += 1
        entry = RecordedRequest(
            n=self._count,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            method=method,
            path=BOT_TOKEN.sub(r"\1:***", path),
            query=query,
            headers={name: _mask_header(name, value) for name, value in headers},
            body=_readable(body),
        )
        self._ring.append(entry)
        return entry

    def listing(self, match: str = "", after: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        """Return recorded requests with n > after whose "METHOD path body" contains `match`."""
        found = [
            asdict(entry)
            for entry in self._ring
            if entry.n > after
            and (not match or match in f"{entry.method} {entry.path} {_text(entry.body)}")
        ]
        return found[-limit:]

    def clear(self) -> None:
        """Forget every request; numbering starts again."""
        self._ring.clear()
        self._count = 0


def _mask_header(name: str, value: str) -> str:
    if name.lower() not in SECRET_HEADERS:
        return value
    scheme, _, rest = value.partition(" ")
    return f"{scheme} ***" if rest else "***"


def _readable(body: bytes) -> Any:
    if len(body) > BODY_KEPT_MAX:
        return body[:BODY_KEPT_MAX].decode("utf-8", "replace") + f"... ({len(body)} bytes)"
    text = body.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text(body: Any) -> str:
    return body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
