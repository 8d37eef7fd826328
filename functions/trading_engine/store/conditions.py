"""SQL of how accounts are, as the edge tells it; of each kind of news the newest stands."""

from uuid import UUID

from contracts.trading_engine import (
    AccountHealthChanged,
    KillSwitchChanged,
    ReconciliationDiffered,
    ReconciliationResolved,
)
from kit.db import Transaction


class ConditionStore:
    """Health, differences and latches of the tenant's accounts. Queues deliver in any order: each
    statement only lets a later instant replace an earlier one."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def record_health(self, e: AccountHealthChanged) -> None:
        """Keep how the account's terminal is."""
        self._tx.execute(
            "UPDATE accounts SET health = %(health)s, health_reason = %(reason)s,"
            " health_since = %(changed_at)s, restarts = %(restarts)s"
            " WHERE account_id = %(account_id)s"
            " AND (health_since IS NULL OR health_since <= %(changed_at)s)",
            e.model_dump(),
        )

    def record_difference(self, e: ReconciliationDiffered) -> None:
        """Keep that the books of broker and edge disagree."""
        self._tx.execute(
            "UPDATE accounts SET differed_as = %(kind)s, differed_at = %(seen_at)s"
            " WHERE account_id = %(account_id)s"
            " AND (differed_at IS NULL OR differed_at <= %(seen_at)s)",
            e.model_dump(include={"kind", "seen_at", "account_id"}),
        )

    def record_resolution(self, e: ReconciliationResolved) -> None:
        """Keep that the books agree again."""
        self._tx.execute(
            "UPDATE accounts SET resolved_at = %(resolved_at)s WHERE account_id = %(account_id)s"
            " AND (resolved_at IS NULL OR resolved_at <= %(resolved_at)s)",
            e.model_dump(),
        )

    def record_latch(self, account_id: UUID, e: KillSwitchChanged) -> None:
        """Keep whether a limit of the account stopped it."""
        self._tx.execute(
            "UPDATE accounts SET latched = %(engaged)s, latch_at = %(changed_at)s,"
            " latch_reason = CASE WHEN %(engaged)s THEN %(reason)s END"
            " WHERE account_id = %(account_id)s"
            " AND (latch_at IS NULL OR latch_at <= %(changed_at)s)",
            {**e.model_dump(), "account_id": account_id},
        )
