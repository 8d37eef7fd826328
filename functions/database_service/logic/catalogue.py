"""The catalogue of personal data: where it is, what erasure does to it, what an export leaves out.

A table that holds a tenant's rows has a row here or the tests fail. The role of this room may read
every listed table but its secrets, and change only what is said here to be changed.
"""

from functions.database_service.models import ROOMS, AgeRule, TableRule

TAX = "tax: UU KUP art. 28(11), books and their documents are kept for ten years"
AUDIT = "audit trail: UU PDP art. 31, who did what stays, from where does not"
CONSENT = "proof of consent: UU PDP art. 24, under an id that leads to nobody"
CLOSED = "the mark of a closed tenant, so that late messages start nothing; an id without a person"
PROOF = "proof of the erasure itself: ids, counts and times"


def _delete(table: str, *secrets: str) -> TableRule:
    return TableRule(table, "delete", secrets=secrets)


def _keep(reason: str, *tables: str) -> tuple[TableRule, ...]:
    return tuple(TableRule(table, "keep", reason=reason) for table in tables)


TABLES: tuple[TableRule, ...] = (
    # The answer kept under a key can hold what is shown once, such as an API key.
    *(_delete(f"{room}.idempotency_keys", "body") for room in ROOMS),
    _delete("ai_orchestration.deliveries"),
    *_keep(CLOSED, "api_gateway.tenants"),
    _delete("api_gateway.revocations"),
    _delete("api_gateway.quota_days"),
    # The chain's hashes cover salted hashes: without the salts nothing leads back to an address.
    TableRule(
        "api_gateway.audit_log",
        "pseudonymise",
        {"address": None, "address_salt": None, "device": None, "device_salt": None},
        AUDIT,
    ),
    *_keep(AUDIT, "api_gateway.audit_heads"),
    *_keep(
        TAX,
        "billing_service.invoices",
        "billing_service.invoice_lines",
        "billing_service.ledger_tx",
        "billing_service.ledger_entries",
    ),
    _delete("database_service.exports"),
    *_keep(PROOF, "database_service.erasures", "database_service.erasure_steps"),
    _delete("notification_service.chats"),
    _delete("notification_service.link_tokens", "token_hash"),
    _delete("notification_service.notifications"),
    *_keep(
        TAX,
        "payment_gateway.payables",
        "payment_gateway.payments",
        "payment_gateway.notifications",
    ),
    *_keep(
        f"{TAX} (what the invoices count)",
        "subscription_service.subscriptions",
        "subscription_service.periods",
        "subscription_service.usage_events",
    ),
    _delete("subscription_service.grants"),
    _delete("subscription_service.quota_counters"),
    _delete("subscription_service.stream_usage"),
    *_keep(
        CLOSED,
        "subscription_service.closures",
        "subscription_service.suspensions",
        "trading_engine.closures",
    ),
    _delete("trading_engine.entitlements"),
    _delete("trading_engine.accounts", "sealed_password"),
    _delete("trading_engine.limits"),
    _delete("trading_engine.kill_switches"),
    _delete("trading_engine.orders"),
    _delete("trading_engine.positions"),
    _delete("trading_engine.reductions"),
    _delete("trading_engine.stop_moves"),
    TableRule("user_management.tenants", "pseudonymise", {"name": "erased"}, CLOSED),
    TableRule("user_management.consents", "pseudonymise", {"address": None}, CONSENT),
    _delete("user_management.profiles"),
    _delete("user_management.verification_tokens", "token_hash"),
    _delete("user_management.invitations", "token_hash"),
    _delete("user_management.preferences"),
    _delete("user_service.users", "password_hash"),
    _delete("user_service.sessions"),
    _delete("user_service.refresh_tokens", "token_hash"),
    _delete("user_service.known_devices", "device_hash"),
    _delete("user_service.totp_factors", "sealed_secret"),
    _delete("user_service.recovery_codes", "code_hash"),
    _delete("user_service.account_tokens", "token_hash"),
    _delete("user_service.api_keys", "key_hash"),
    _delete("user_service.invitations", "token_hash"),
    _delete("user_service.tenant_tiers"),
    *_keep(CLOSED, "user_service.tenant_states"),
)
"""PostgreSQL: every table with a tenant_id."""

PLATFORM_TABLES: dict[str, str] = {
    **{
        f"{room}.outbox": "events on their way; an erasure sends the tenant's off first"
        for room in ROOMS
    },
    **{f"{room}.inbox": "ids of events, without a tenant" for room in ROOMS},
    "database_service.schema_migrations": "names of files",
    "database_service.retention_rules": "names of tables",
    "ai_orchestration.active_models": "the platform's models",
    "ai_orchestration.views": "the platform's agents on a symbol",
    "ai_orchestration.decisions": "the platform's decision on a bar",
    "ai_provider.prices": "price list of providers",
    "ai_provider.budgets": "the platform's budgets",
    "ai_provider.budget_months": "the platform's budgets",
    "ai_provider.requests": "requests of the platform's agents on market data",
    "ai_provider.attempts": "requests of the platform's agents on market data",
    "ai_provider.replies": "replies to the platform's agents on market data",
    "ai_provider.views": "the platform's agents on a symbol",
    "api_gateway.tier_limits": "the platform's plans",
    "billing_service.job_runs": "names of runs and periods",
    "billing_service.tax_settings": "the law's rates",
    "billing_service.payment_terms": "the platform's terms",
    "billing_service.invoice_counters": "the last number of a month",
    "billing_service.ledger_accounts": "the chart of accounts",
    "ml_processing.trainings": "the platform's models",
    "ml_processing.models": "the platform's models",
    "notification_service.telegram_updates": "numbers of updates, gone after 30 days",
    "payment_gateway.legal_transitions": "states of a payment",
    "subscription_service.plans": "the platform's plans",
    "subscription_service.plan_versions": "the platform's plans",
    "subscription_service.prices": "the platform's plans",
    "subscription_service.entitlements": "the platform's plans",
    "subscription_service.meter_rules": "the platform's plans",
    "trading_engine.host_switch": "the platform's switch for the whole host",
    "trading_engine.news_calendar": "the platform's calendar",
    "user_management.tenant_transitions": "states of a tenant",
    "user_management.consent_documents": "the platform's documents",
    "user_management.mail_slots": "keyed hashes of addresses, gone after 30 days",
    "user_service.login_attempts": "keyed hashes of addresses, gone after 30 days",
}
"""PostgreSQL: tables without a tenant_id, and why nobody's personal data is in them."""

CLICKHOUSE: tuple[TableRule, ...] = (
    TableRule("api_requests", "delete"),
    TableRule("ticks", "delete"),
    TableRule("tick_batches", "delete"),
    TableRule("events", "delete"),
    TableRule("trades", "delete"),
)
"""ClickHouse: all tables. Market data is the nil tenant's and is not touched by anybody's erasure;
a backup or a replica of it is, as it is of the others."""

ELSEWHERE: dict[str, str] = {
    "redis {<tenant_id>}:*": "removed by the erasure",
    "redis telegram:{<bot_id>}:<chat_id>": "send rate of a chat, lives 60 s",
    "redis {throttle}:<kind>:<hash>": "wrong guesses under keyed hashes, live an hour",
    "s3 <exports bucket>/<tenant_id>/": "removed by the erasure, and 7 days after the export",
    "s3 <models bucket>": "the platform's models",
    "vectors": "in PostgreSQL with a tenant_id, hence in TABLES; none yet",
    "graph": "in PostgreSQL with a tenant_id, hence in TABLES; none yet",
    "sqs": "messages leave after 4 days, dead letters after 14: later sweeps take what they bring",
    "logs": "personal data is redacted before it is written",
}
"""Stores without columns: patterns of what they hold of a tenant."""

RETENTION: tuple[AgeRule, ...] = (
    *(AgeRule(f"{room}.inbox", "processed_at", 30) for room in ROOMS),
    *(AgeRule(f"{room}.idempotency_keys", "created_at", 7) for room in ROOMS),
    AgeRule("api_gateway.revocations", "expires_at", 7),
    AgeRule("api_gateway.quota_days", "day", 90),
    AgeRule("notification_service.link_tokens", "expires_at", 30),
    AgeRule("notification_service.telegram_updates", "received_at", 30),
    AgeRule("subscription_service.stream_usage", "recorded_at", 400),
    AgeRule("user_management.verification_tokens", "expires_at", 30),
    AgeRule("user_management.invitations", "expires_at", 90),
    AgeRule("user_management.mail_slots", "last_at", 30),
    AgeRule("user_service.account_tokens", "expires_at", 30),
    AgeRule("user_service.invitations", "updated_at", 90),
    AgeRule("user_service.login_attempts", "last_at", 30),
    AgeRule("user_service.sessions", "expires_at", 90),
)
"""Technical records and how long they live. A message can come again for 4 days from its queue and
14 from its dead-letter queue, so an inbox remembers 30."""
