"""Passwords for the workers that are about to start, decrypted beside the supervisor's thread.

Once decrypted, a password stays in the host's memory: a hung terminal must come back even while
KMS cannot be reached.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

from edge_bridge.workers.secrets import SecretRefused, SecretUnavailable
from edge_bridge.workers.slot import Slot

AT_ONCE_MAX = 4
OpenSecret = Callable[[UUID, UUID, str], str]
"""Tenant, account, ciphertext -> password. Raises SecretRefused and SecretUnavailable."""


class PasswordDesk:
    """Asks for passwords and hands them to their slots; the supervisor's thread only."""

    def __init__(self, open_secret: OpenSecret) -> None:
        self._open_secret = open_secret
        self._pool = ThreadPoolExecutor(AT_ONCE_MAX, "passwords")
        self._asked: dict[UUID, tuple[int, Future[str]]] = {}

    def provide(self, slot: Slot, now_ns: int) -> bool:
        """Whether a slot whose start is due has all it needs; else it is on its way."""
        spec = slot.spec
        if spec.ciphertext is None or slot.password is not None:
            return True
        version, answer = self._asked.get(spec.account_id, (0, None))
        if answer is None or version != spec.version:
            asked = self._pool.submit(
                self._open_secret, spec.tenant_id, spec.account_id, spec.ciphertext
            )
            self._asked[spec.account_id] = (spec.version, asked)
            return False
        if not answer.done():
            return False
        del self._asked[spec.account_id]
        try:
            slot.password = answer.result()
        except SecretRefused as error:
            slot.watch.note_refused(now_ns, str(error))
        except SecretUnavailable as error:
            slot.watch.note_failed(now_ns, str(error))
        return slot.password is not None

    def forget(self, account_id: UUID) -> None:
        """Drop what was asked for an account."""
        self._asked.pop(account_id, None)

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
