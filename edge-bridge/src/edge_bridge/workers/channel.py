"""The host's end of a worker's connection: sends without waiting, and knows what has left.

A frame has left when its last byte was given to the system; a worker cannot have acted on one of
which a part never came.
"""

import socket
import threading
from collections.abc import Callable

from edge_bridge.workers.wire import Frame, FrameReader

BACKLOG_BYTES_MAX = 262_144
READ_BYTES = 262_144


class Channel:
    """A connection without blocking. `offer` from any thread; the rest from the supervisor's."""

    def __init__(self, connection: socket.socket, wake: Callable[[], None]) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self._wake = wake
        self._lock = threading.Lock()
        self._reader = FrameReader()
        self._backlog = bytearray()
        self._offered = 0
        self._closed = False
        self.writing = False
        """Whether the supervisor waits for the connection to take more."""

    def offer(self, frame: bytes) -> int | None:
        """Send a frame, or keep it for later within the bound; None: it will never leave.

        The number is the frame's end in the stream, for `has_left`.
        """
        with self._lock:
            if self._closed or len(self._backlog) + len(frame) > BACKLOG_BYTES_MAX:
                return None
            sent = 0 if self._backlog else self._send(frame)
            if self._closed:
                return None
            self._offered += len(frame)
            if sent < len(frame):
                self._backlog += frame[sent:]
                self._wake()
            return self._offered

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._closed = True
            return 0

    def flush(self) -> None:
        """Send what was kept, as far as the connection takes it."""
        with self._lock:
            if self._backlog and not self._closed:
                del self._backlog[: self._send(self._backlog)]

    @property
    def is_clear(self) -> bool:
        """Whether nothing waits to be sent."""
        return not self._backlog

    def has_left(self, end: int) -> bool:
        """Whether the frame that ends here was sent whole."""
        with self._lock:
            return self._offered - len(self._backlog) >= end

    def read(self) -> list[Frame] | None:
        """Read what came; None at the end of the connection. Raises WireBroken."""
        try:
            data = self.socket.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        return self._reader.read(data) if data else None

    def close(self) -> None:
        """Send nothing any more."""
        with self._lock:
            self._closed = True
        self.socket.close()
