"""The product's public HTTP API, and the sandboxes' control faces, as the demo's users see them."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

TIMEOUT_S = 30.0
POLL_S = 0.1
RATE_LIMITED = 429
SLOWED_DOWN_MAX = 5
WAIT_MAX_S = 5

T = TypeVar("T")


class DemoFailed(Exception):
    """A step of the demo did not come to its end; the message says which and what was seen."""


class ApiClient:
    """One user's way in: the API's address, its host name, and a bearer token once signed in."""

    def __init__(self, url: str, host_header: str) -> None:
        self._http = httpx.Client(
            base_url=url, headers={"host": host_header}, timeout=TIMEOUT_S, trust_env=False
        )
        self.token = ""

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """Send a request; any status comes back.

        Slows down when the plan's rate limit says so, as a polite client does.
        """
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        answer = self._http.request(method, path, json=body, headers=headers)
        for _ in range(SLOWED_DOWN_MAX):
            wait_s = int(answer.headers.get("retry-after", "0"))
            if answer.status_code != RATE_LIMITED or wait_s > WAIT_MAX_S:
                break
            time.sleep(wait_s)
            answer = self._http.request(method, path, json=body, headers=headers)
        return answer

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Send a request that must be answered with a status; returns the JSON body."""
        answer = self.call(method, path, body, **headers)
        if answer.status_code != status:
            raise DemoFailed(
                f"{method} {path} answered {answer.status_code}, not {status}: {answer.text[:500]}"
            )
        return answer.json() if answer.content else None

    def close(self) -> None:
        """Close the connections."""
        self._http.close()


def call_sandbox(url: str, method: str, path: str, **parts: Any) -> Any:
    """Use a sandbox's control face; returns the JSON body."""
    answer = httpx.request(
        method, f"{url}/_sandbox/{path}", timeout=TIMEOUT_S, trust_env=False, **parts
    )
    answer.raise_for_status()
    return answer.json()


def list_rows(body: Any, key: str) -> list[dict[str, Any]]:
    """The rows of a listing, bare or under a key."""
    return list(body[key] if isinstance(body, dict) else body)


def wait_for(what: str, look: Callable[[], T | None], timeout_s: float = TIMEOUT_S) -> T:
    """Look until there is something to see; raises DemoFailed when there is not in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        seen = look()
        if seen is not None:
            return seen
        if time.monotonic() > deadline:
            raise DemoFailed(f"waited {timeout_s:.0f} s for {what} in vain")
        time.sleep(POLL_S)
