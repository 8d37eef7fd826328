"""Telegram's refusals."""

from typing import Any

from iac.local.sandbox.provider import Reply, json_reply

DESCRIPTIONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden: bot was blocked by the user",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Refusal(Exception):
    """A Bot API call that failed: HTTP status, description and parameters."""

    def __init__(self, status: int, description: str, **parameters: Any) -> None:
        super().__init__(description)
        self.status = status
        self.parameters = parameters

    def as_reply(self) -> Reply:
        """Write the refusal as Telegram does."""
        document: dict[str, Any] = {
            "ok": False,
            "error_code": self.status,
            "description": str(self),
        }
        if self.parameters:
            document["parameters"] = self.parameters
        return json_reply(self.status, document)


def bad_request(what: str) -> Refusal:
    """Refuse with 400."""
    return Refusal(400, f"Bad Request: {what}")


def too_many_requests(retry_after_s: int) -> Refusal:
    """Refuse with 429 and the wait."""
    text = f"Too Many Requests: retry after {retry_after_s}"
    return Refusal(429, text, retry_after=retry_after_s)
