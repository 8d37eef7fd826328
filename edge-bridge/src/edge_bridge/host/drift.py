"""How wrong the machine's clock is, asked of time servers by SNTP (RFC 4330).

Ages of quotes, expiries of signals and the days of limits all rest on the clock. A small drift is
told; a large one holds entries, because nothing that depends on time can be trusted then.
"""

import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from edge_bridge.errors import ClockUnknown

Verdict = Literal["unknown", "good", "drifting", "wrong"]
PORT = 123
TIMEOUT_S = 2.0
SINCE_1900_S = 2_208_988_800
_PACKET = 48
_CLIENT = 0x23
"""Version 4, mode client."""
_SERVER_MODE = 4
_STRATUM_MAX = 15

_log = logging.getLogger(__name__)


def ask_drift_ms(server: str, now: Callable[[], float] = time.time, port: int = PORT) -> float:
    """Ask one server how far our clock is ahead of it, in milliseconds. Raises ClockUnknown."""
    request = bytearray(_PACKET)
    request[0] = _CLIENT
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.settimeout(TIMEOUT_S)
            channel.connect((server, port))  # answers of others are not taken
            sent = now()
            request[40:48] = _write_time(sent)
            channel.send(request)
            answer = channel.recv(512)
            came = now()
    except OSError as error:
        raise ClockUnknown(f"{server}: {error}") from error
    if len(answer) < _PACKET or answer[0] & 7 != _SERVER_MODE:
        raise ClockUnknown(f"{server}: not an answer")
    if not 0 < answer[1] <= _STRATUM_MAX or answer[24:32] != request[40:48]:
        raise ClockUnknown(f"{server}: not synchronised, or the answer to another question")
    received, replied = _read_time(answer[32:40]), _read_time(answer[40:48])
    return ((sent - received) + (came - replied)) / 2 * 1_000


def _write_time(moment: float) -> bytes:
    seconds = int(moment)
    return struct.pack("!II", seconds + SINCE_1900_S & 0xFFFFFFFF, int((moment - seconds) * 2**32))


def _read_time(field: bytes) -> float:
    seconds, fraction = struct.unpack("!II", field)
    return float(seconds - SINCE_1900_S + fraction / 2**32)


@dataclass(frozen=True, slots=True)
class DriftRules:
    """From which drift on it is told, and from which it holds entries."""

    warn_ms: float = 100.0
    hold_ms: float = 2_000.0

    def judge(self, drift_ms: float | None) -> Verdict:
        """Judge a drift; None is not known."""
        if drift_ms is None:
            return "unknown"
        if abs(drift_ms) >= self.hold_ms:
            return "wrong"
        return "drifting" if abs(drift_ms) >= self.warn_ms else "good"


class DriftWatch:
    """Ask again and again, in a thread of its own; the loop only reads the last answer."""

    def __init__(
        self,
        servers: Sequence[str],
        rules: DriftRules,
        every_s: float = 60.0,
        ask: Callable[[str], float] = ask_drift_ms,
    ) -> None:
        self._servers, self._rules, self._every_s, self._ask = servers, rules, every_s, ask
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drift", daemon=True)
        self.drift_ms: float | None = None
        self.verdict: Verdict = "unknown"

    def start(self) -> None:
        """Begin to ask; without servers nothing is asked."""
        if self._servers:
            self._thread.start()

    def stop(self) -> None:
        """Stop after the question under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(len(self._servers) * TIMEOUT_S + 1)

    def look(self) -> None:
        """Ask the servers in turn until one answers; keep the last answer when none does."""
        for server in self._servers:
            try:
                self.drift_ms = self._ask(server)
                break
            except ClockUnknown as error:
                _log.warning("time server: %s", error)
        verdict = self._rules.judge(self.drift_ms)
        if verdict != self.verdict:
            level = logging.ERROR if verdict == "wrong" else logging.WARNING
            _log.log(level, "clock is %s: %s ms ahead", verdict, self.drift_ms)
        self.verdict = verdict

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self._every_s)
