"""Sign-in attempts counted in PostgreSQL: what still holds when Redis is away."""

from datetime import datetime

from functions.user_service.models import Attempt
from kit.db import Transaction

PRUNED_A_CALL = 100


class AttemptStore:
    """Sign-in attempts by the hash of the address, in no tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def count_attempt(self, address_hash: bytes, since: datetime) -> Attempt:
        """Count an attempt unless the address is blocked now; counting starts anew after a rest.

        The row stays locked until the transaction ends, so that parallel attempts count one by one.
        """
        row = self._tx.fetch_one(
            "INSERT INTO login_attempts AS a (address_hash, failures, last_at)"
            " VALUES (%(hash)s, 1, %(now)s) ON CONFLICT (address_hash) DO UPDATE"
            " SET failures = CASE WHEN a.last_at < %(since)s THEN 1 ELSE a.failures + 1 END,"
            " last_at = %(now)s, blocked_until = NULL"
            " WHERE a.blocked_until IS NULL OR a.blocked_until <= %(now)s RETURNING failures",
            {"hash": address_hash, "now": self._tx.now, "since": since},
        )
        if row is not None:
            return Attempt(row["failures"])
        blocked = self._tx.fetch_one(
            "SELECT failures, blocked_until FROM login_attempts WHERE address_hash = %s",
            [address_hash],
        )
        return Attempt(**blocked) if blocked else Attempt(1)

    def block(self, address_hash: bytes, until: datetime) -> None:
        """Refuse attempts with this address until then."""
        self._tx.execute(
            "UPDATE login_attempts SET blocked_until = %s WHERE address_hash = %s",
            [until, address_hash],
        )

    def forget(self, address_hash: bytes, stale_before: datetime) -> None:
        """Forget an address that signed in, and some that rested long enough."""
        self._tx.execute(
            "DELETE FROM login_attempts WHERE address_hash = %s OR address_hash = ANY(ARRAY("
            "SELECT address_hash FROM login_attempts WHERE last_at < %s"
            " ORDER BY last_at LIMIT %s FOR UPDATE SKIP LOCKED))",
            [address_hash, stale_before, PRUNED_A_CALL],
        )
