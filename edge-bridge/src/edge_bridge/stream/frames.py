"""What the server says: JSON made once, framed once, and written to every socket as it is.

Server frames are not masked and nothing is compressed, so the bytes are the same for all.
"""

from typing import Any

import orjson
from websockets.frames import Frame, Opcode

UNREADABLE = 4400
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
TOO_LATE = 4408
SLOW_CONSUMER = 4413
TOO_MANY = 4429
UNAVAILABLE = 4503


class Refused(Exception):
    """A request that is not done; `close` ends the connection with that code."""

    def __init__(self, code: str, detail: str, close: int | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail, self.close = code, detail, close


def frame(message: dict[str, Any]) -> bytes:
    """A message as the bytes of one text frame."""
    return Frame(Opcode.TEXT, orjson.dumps(message)).serialize(mask=False)


def frame_error(refused: Refused, reference: str | None = None) -> bytes:
    """A refusal, in the API's words: a code for programs, a detail that says what to do."""
    message = {"op": "error", "code": refused.code, "detail": refused.detail}
    return frame(message if reference is None else message | {"id": reference})
