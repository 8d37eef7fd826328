"""SQL of ai_provider: replies, money and views."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from contracts.ai_provider import ViewPublished
from functions.ai_provider.errors import BudgetExceeded, PriceUnknown
from functions.ai_provider.models import Prices, StoredReply, ViewRequest
from kit.db import Transaction


class ReplyStore:
    """What was asked, answered and published."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def note_request(self, event_id: UUID, as_of: datetime) -> datetime:
        """The market time of a command: the one noted first, however often it is delivered."""
        row = self._tx.fetch_one(
            "INSERT INTO requests (event_id, as_of) VALUES (%s, %s)"
            " ON CONFLICT (event_id) DO UPDATE SET as_of = requests.as_of RETURNING as_of",
            [event_id, as_of],
        )
        assert row is not None
        noted: datetime = row["as_of"]
        return noted

    def find_reply(self, request_hash: str) -> StoredReply | None:
        """The reply to the same request, if it was ever given."""
        row = self._tx.fetch_one(
            "SELECT raw, cost_picodollars FROM replies WHERE request_hash = %s", [request_hash]
        )
        return None if row is None else StoredReply(row["raw"], row["cost_picodollars"])

    def keep_reply(self, request_hash: str, attempt_id: UUID, raw: str, cost: int) -> StoredReply:
        """Keep a reply; the one that came first counts."""
        row = self._tx.fetch_one(
            "INSERT INTO replies (request_hash, attempt_id, raw, cost_picodollars, received_at)"
            " VALUES (%s, %s, %s, %s, %s)"
            " ON CONFLICT (request_hash) DO UPDATE SET raw = replies.raw"
            " RETURNING raw, cost_picodollars",
            [request_hash, attempt_id, raw, cost, self._tx.now],
        )
        assert row is not None
        return StoredReply(row["raw"], row["cost_picodollars"])

    def add_view(self, view: ViewPublished) -> bool:
        """Keep a view; False when it was published before."""
        row = self._tx.fetch_one(
            "INSERT INTO views (view_id, request_hash, agent, symbol, stance, confidence,"
            " size_factor, veto, rationale, as_of, expires_at, published_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (view_id) DO NOTHING RETURNING view_id",
            [
                view.view_id,
                view.request_hash,
                view.agent,
                view.symbol,
                view.stance,
                view.confidence,
                view.size_factor,
                view.veto,
                view.rationale,
                view.as_of,
                view.expires_at,
                self._tx.now,
            ],
        )
        return row is not None


class MoneyStore:
    """Prices, budgets and attempts. A call is reserved in full before it is made."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def read_prices(self, provider: str, model: str, endpoint: str, tier: str) -> Prices:
        """The prices valid now. Raises PriceUnknown unless every class has one."""
        rows = self._tx.fetch_all(
            "SELECT DISTINCT ON (token_class) token_class, usd_per_mtok FROM prices"
            " WHERE (provider, model, endpoint, service_tier) = (%s, %s, %s, %s)"
            " AND valid_from <= %s ORDER BY token_class, valid_from DESC",
            [provider, model, endpoint, tier, self._tx.now],
        )
        prices = {row["token_class"]: row["usd_per_mtok"] for row in rows}
        if set(prices) != {"input", "cache_read", "output"}:
            raise PriceUnknown(f"{provider} {model} is not priced")
        return Prices(**prices)

    def reserve(self, attempt_id: UUID, request: ViewRequest, amount: int) -> None:
        """Set the amount aside in every scope, or in none. Raises BudgetExceeded."""
        month = self._tx.now.date().replace(day=1)
        for scope in self._scopes(request.agent):
            row = self._tx.fetch_one(
                "INSERT INTO budget_months AS m (scope, month, reserved_picodollars)"
                " SELECT scope, %(month)s, %(amount)s FROM budgets"
                " WHERE scope = %(scope)s AND monthly_cap_picodollars >= %(amount)s"
                " ON CONFLICT (scope, month) DO UPDATE"
                " SET reserved_picodollars = m.reserved_picodollars + %(amount)s"
                " WHERE m.reserved_picodollars + m.spent_picodollars + %(amount)s"
                " <= (SELECT monthly_cap_picodollars FROM budgets WHERE scope = %(scope)s)"
                " RETURNING scope",
                {"scope": scope, "month": month, "amount": amount},
            )
            if row is None:
                raise BudgetExceeded(f"the month's budget of {scope} is used up", scope=scope)
        self._tx.execute(
            "INSERT INTO attempts (attempt_id, request_hash, provider, model, agent, month,"
            " reserved_picodollars, started_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                attempt_id,
                request.request_hash,
                request.provider,
                request.model,
                request.agent,
                month,
                amount,
                self._tx.now,
            ],
        )

    @staticmethod
    def _scopes(agent: str) -> tuple[str, ...]:
        """Budgets that a call counts against, always in this order (no deadlocks)."""
        return ("platform", f"agent:{agent}")

    def settle(self, attempt_id: UUID, cost: int, *, usage_reported: bool) -> None:
        """Turn a reservation into its cost."""
        self._end(attempt_id, "settled", cost, usage_reported, None)

    def release(self, attempt_id: UUID, error_code: str) -> None:
        """Give a reservation back: the call cost nothing."""
        self._end(attempt_id, "failed", 0, None, error_code)

    def hold(self, attempt_id: UUID, error_code: str) -> None:
        """Keep the whole reservation: nobody knows what the call cost."""
        self._tx.execute(
            "UPDATE attempts SET state = 'unknown', error_code = %s, ended_at = %s"
            " WHERE attempt_id = %s AND state = 'reserved'",
            [error_code, self._tx.now, attempt_id],
        )

    def _end(
        self,
        attempt_id: UUID,
        state: str,
        cost: int,
        usage_reported: bool | None,
        error_code: str | None,
    ) -> None:
        row = self._tx.fetch_one(
            "UPDATE attempts SET state = %s, cost_picodollars = %s, usage_reported = %s,"
            " error_code = %s, ended_at = %s WHERE attempt_id = %s AND state = 'reserved'"
            " RETURNING reserved_picodollars, agent, month",
            [state, cost, usage_reported, error_code, self._tx.now, attempt_id],
        )
        if row is None:
            return
        for scope in self._scopes(row["agent"]):
            self._tx.execute(
                "UPDATE budget_months SET reserved_picodollars = reserved_picodollars - %s,"
                " spent_picodollars = spent_picodollars + %s WHERE (scope, month) = (%s, %s)",
                [row["reserved_picodollars"], cost, scope, row["month"]],
            )

    def report_month(self, month: date) -> list[dict[str, Any]]:
        """Each scope's cap and what is reserved and spent of it in a month."""
        return self._tx.fetch_all(
            "SELECT b.scope, b.monthly_cap_picodollars,"
            " coalesce(m.reserved_picodollars, 0) AS reserved_picodollars,"
            " coalesce(m.spent_picodollars, 0) AS spent_picodollars"
            " FROM budgets AS b LEFT JOIN budget_months AS m"
            " ON m.scope = b.scope AND m.month = %s ORDER BY b.scope LIMIT 1000",
            [month],
        )

    def count_attempts(self, month: date) -> list[dict[str, Any]]:
        """Attempts of a month by model, state and error."""
        return self._tx.fetch_all(
            "SELECT provider, model, state, error_code, count(*) AS attempts,"
            " coalesce(sum(cost_picodollars), 0)::bigint AS cost_picodollars FROM attempts"
            " WHERE month = %s GROUP BY provider, model, state, error_code"
            " ORDER BY provider, model, state, error_code LIMIT 1000",
            [month],
        )
