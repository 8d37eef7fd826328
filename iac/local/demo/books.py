"""Balance the books: every count taken from where it is kept, and each equation checked.

Counts come from the stores themselves (as their administrator), from the sandboxes, and from the
edge's own summary; none is taken from the demo's memory of what it did.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from iac.local.demo.client import call_sandbox, list_rows
from iac.local.demo.ledger import Ledger
from iac.local.demo.queues import QueueDepth
from iac.local.demo.tenants import Tenant
from iac.local.stack import Stack

FILL_MARKS = ("<b>BELI", "<b>JUAL", "<b>BUY", "<b>SELL", "BELI ", "JUAL ", "BUY ", "SELL ")


@dataclass(frozen=True)
class Check:
    """One equation of the books."""

    name: str
    left: Any
    right: Any

    @property
    def holds(self) -> bool:
        """Whether both sides agree."""
        return bool(self.left == self.right)


@dataclass
class Books:
    """All counts, and what must be equal."""

    counts: dict[str, Any]
    checks: list[Check] = field(default_factory=list)

    @property
    def balanced(self) -> bool:
        """Whether every equation holds."""
        return all(check.holds for check in self.checks)


def take_counts(stack: Stack, ledger: Ledger) -> dict[str, Any]:
    """Every count of the summary, from the stores."""
    orders = ledger.tally(
        "SELECT state AS key, count(*) AS n FROM trading_engine.orders GROUP BY 1"
    )
    by_reason = (
        "SELECT reason AS key, count(*) AS n FROM trading_engine.orders"
        " WHERE state = '{}' GROUP BY 1"
    )
    rejected = ledger.tally(by_reason.format("rejected"))
    decisions = ledger.rows(
        "SELECT count(*) AS all, count(signal_id) AS signals FROM ai_orchestration.decisions"
    )[0]
    return {
        "ticks": ledger.market(),
        "decisions": {
            "bars": decisions["all"],
            "signals": decisions["signals"],
            "abstained": ledger.tally(
                "SELECT reason AS key, count(*) AS n FROM ai_orchestration.decisions"
                " WHERE reason IS NOT NULL GROUP BY 1"
            ),
        },
        "orders": {
            "sent": orders.get("filled", 0) + sum(rejected.values()),
            "filled": orders.get("filled", 0),
            "rejected": rejected,
            "denied": ledger.tally(by_reason.format("denied")),
        },
        "positions": {
            "opened": ledger.number("SELECT count(*) FROM trading_engine.positions"),
            "closed": ledger.number(
                "SELECT count(*) FROM trading_engine.positions WHERE closed_at IS NOT NULL"
            ),
        },
        "telegram": count_telegram(stack, ledger),
        "usage": {
            "metered": ledger.tally(
                "SELECT meter AS key, count(*) AS n FROM subscription_service.usage_events"
                " WHERE outcome = 'counted' GROUP BY 1"
            ),
            "over_limit": ledger.number(
                "SELECT count(*) FROM subscription_service.usage_events"
                " WHERE outcome = 'over_limit'"
            ),
            "invoiced": ledger.tally(
                "SELECT meter AS key, sum(quantity) AS n FROM billing_service.invoice_lines"
                " WHERE kind = 'usage' AND quantity > 0 GROUP BY 1"
            ),
        },
        "invoices": take_invoices(ledger),
        "payments": ledger.rows(
            "SELECT state, count(*) AS payments, sum(amount)::bigint AS amount"
            " FROM payment_gateway.payments GROUP BY 1 ORDER BY 1"
        ),
        "ledger": {
            "transactions": ledger.number("SELECT count(*) FROM billing_service.ledger_tx"),
            "imbalance": ledger.number(
                "SELECT coalesce(sum(abs(s)), 0) FROM (SELECT sum(amount) AS s"
                " FROM billing_service.ledger_entries GROUP BY tx_id, currency) AS by_tx"
            ),
        },
    }


def take_invoices(ledger: Ledger) -> list[dict[str, Any]]:
    """Invoices with their amounts in rupiah."""
    return ledger.rows(
        "SELECT number, plan_code AS plan, state, subtotal, tax, total"
        " FROM billing_service.invoices ORDER BY number"
    )


def count_telegram(stack: Stack, ledger: Ledger) -> dict[str, Any]:
    """Messages that reached Telegram, by kind as our own record has them.

    A worker killed between sending and noting it sends again: Telegram has no idempotency key.
    Such a copy says the same to the same chat, and is counted apart.
    """
    rows = list_rows(call_sandbox(stack.sandboxes.urls["telegram"], "GET", "messages"), "messages")
    messages = {(row["chat_id"], row["text"]) for row in rows}
    return {
        "sent": len(messages),
        "repeated": len(rows) - len(messages),
        "fills": sum(1 for _, text in messages if text.startswith(FILL_MARKS)),
        "by_chat": dict(Counter(str(chat_id) for chat_id, _ in messages)),
        "by_kind": ledger.tally(
            "SELECT kind AS key, count(*) AS n FROM notification_service.notifications"
            " WHERE channel = 'telegram' AND state = 'sent' GROUP BY 1"
        ),
        "waiting": ledger.number(
            "SELECT count(*) FROM notification_service.notifications"
            " WHERE state IN ('pending', 'sending')"
        ),
    }


def check_flow(counts: dict[str, Any], edge: dict[str, Any], tenants: int) -> list[Check]:
    """Ticks to messages: nothing lost, nothing doubled on the way."""
    ticks, orders, decisions = counts["ticks"], counts["orders"], counts["decisions"]
    denied, rejected = sum(orders["denied"].values()), sum(orders["rejected"].values())
    return [
        Check(
            "ticks read = stored + rejected",
            edge["ticks"]["read"],
            ticks["stored"] + sum(ticks["rejected"].values()),
        ),
        Check("ticks rejected: the edge and the store agree", edge["ticks"]["rejected"],
              ticks["rejected"]),
        Check(
            "bars = signals + abstentions",
            edge["bars"],
            decisions["signals"] + sum(decisions["abstained"].values()),
        ),
        Check(
            "signals x entitled tenants = orders + denials",
            decisions["signals"] * tenants,
            orders["sent"] + denied,
        ),
        Check("orders = fills + rejects", orders["sent"], orders["filled"] + rejected),
        Check("fills = positions opened", orders["filled"], counts["positions"]["opened"]),
        Check("positions opened = closed", counts["positions"]["opened"],
              counts["positions"]["closed"]),
        Check("fills = Telegram messages delivered", orders["filled"], counts["telegram"]["fills"]),
        Check("Telegram messages waiting", counts["telegram"]["waiting"], 0),
    ]  # fmt: skip


def check_money(counts: dict[str, Any], tenants: int) -> list[Check]:
    """Usage to paid invoices: every rupiah accounted for."""
    paid = [i for i in counts["invoices"] if i["state"] == "paid" and i["total"] > 0]
    settled = [p for p in counts["payments"] if p["state"] in {"settlement", "capture"}]
    return [
        Check("usage metered = usage invoiced", counts["usage"]["metered"],
              counts["usage"]["invoiced"]),
        Check("usage over the limit", counts["usage"]["over_limit"], 0),
        Check("one invoice a tenant", len(counts["invoices"]), tenants),
        Check("ledger imbalance", counts["ledger"]["imbalance"], 0),
        Check("payments = invoices paid", sum(p["payments"] for p in settled), len(paid)),
        Check("rupiah settled = rupiah invoiced", sum(p["amount"] for p in settled),
              sum(i["total"] for i in paid)),
    ]  # fmt: skip


def check_queues(depths: list[QueueDepth]) -> list[Check]:
    """All queues and dead-letter queues empty."""
    return [Check("messages left on queues", {d.name: d.total for d in depths if d.total}, {})]


def check_isolation(ledger: Ledger, tenants: list[Tenant], by_chat: dict[str, int]) -> list[Check]:
    """A tenant's token and chat show its own; what is another's answers 404."""
    checks = []
    for tenant in tenants:
        own = f"WHERE tenant_id = '{tenant.tenant_id}'"
        for path, sql, key in (
            ("/v1/orders?limit=200", f"SELECT order_id::text AS id FROM trading_engine.orders {own}"
             " ORDER BY decided_at DESC, order_id DESC LIMIT 200", "order_id"),
            ("/v1/invoices", f"SELECT invoice_id::text AS id FROM billing_service.invoices {own}",
             "invoice_id"),
            ("/v1/accounts", f"SELECT account_id::text AS id FROM trading_engine.accounts {own}",
             "account_id"),
        ):  # fmt: skip
            seen = Counter(item[key] for item in tenant.client.expect(200, "GET", path)["items"])
            kept = Counter(row["id"] for row in ledger.rows(sql))
            name = f"{tenant.plan} sees its own {path[4:].partition('?')[0]}, once each"
            checks.append(Check(name, len(seen - kept) + len(kept - seen), 0))
        checks.append(_check_foreign(ledger, tenant, own))
        checks.append(
            Check(
                f"messages in {tenant.plan}'s chat = messages to {tenant.plan}",
                by_chat.get(str(tenant.chat_id), 0),
                ledger.number(
                    f"SELECT count(*) FROM notification_service.notifications {own}"
                    " AND channel = 'telegram' AND state = 'sent'"
                ),
            )
        )
    return checks


def _check_foreign(ledger: Ledger, tenant: Tenant, own: str) -> Check:
    """Ask for every other tenant's invoice and account."""
    foreign = own.replace("=", "<>")
    paths = [
        ("GET", f"/v1/invoices/{row['id']}")
        for row in ledger.rows(f"SELECT invoice_id AS id FROM billing_service.invoices {foreign}")
    ] + [
        ("DELETE", f"/v1/accounts/{row['id']}")
        for row in ledger.rows(f"SELECT account_id AS id FROM trading_engine.accounts {foreign}")
    ]
    seen = {tenant.client.call(method, path).status_code for method, path in paths}
    return Check(f"{tenant.plan} asking for what is another's", seen, {404})
