"""The mailbox: accepted messages, taken apart for a test to read."""

import email
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Any

MESSAGES_MAX = 20_000
BYTES_MAX = 256 * 1024 * 1024


@dataclass(frozen=True)
class Mail:
    """One accepted message; `to` and `from` are those of the envelope."""

    to: list[str]
    sender: str
    subject: str
    text: str
    html: str
    headers: dict[str, str]
    attachments: list[dict[str, Any]]
    received_at: str
    size: int

    def as_document(self) -> dict[str, Any]:
        """Write for the control face."""
        document = asdict(self)
        document["from"] = document.pop("sender")
        return document


class Mailbox:
    """Messages, newest last, bounded in number and in bytes."""

    def __init__(self) -> None:
        self._mails: deque[Mail] = deque()
        self._bytes = 0

    def add(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """Store a message."""
        mail = _take_apart(sender, recipients, raw)
        self._mails.append(mail)
        self._bytes += mail.size
        while len(self._mails) > MESSAGES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= self._mails.popleft().size

    def listing(self, to: str = "") -> list[dict[str, Any]]:
        """Return the messages of one recipient, or all."""
        wanted = to.lower()
        return [
            mail.as_document()
            for mail in self._mails
            if not wanted or wanted in (recipient.lower() for recipient in mail.to)
        ]

    def clear(self) -> None:
        """Throw everything away."""
        self._mails.clear()
        self._bytes = 0


def _take_apart(sender: str, recipients: list[str], raw: bytes) -> Mail:
    message = email.message_from_bytes(raw, policy=default)
    attachments = [
        {
            "file_name": part.get_filename(),
            "mime_type": part.get_content_type(),
            "size": len(part.get_payload(decode=True) or b""),
        }
        for part in message.walk()
        if part.get_content_disposition() == "attachment"
    ]
    return Mail(
        to=list(recipients),
        sender=sender,
        subject=str(message.get("subject", "")),
        text=_read_part(message, "plain"),
        html=_read_part(message, "html"),
        headers={name: str(value) for name, value in message.items()},
        attachments=attachments,
        received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        size=len(raw),
    )


def _read_part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return ""
    try:
        return content.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return content.decode("utf-8", "replace")
