"""Room card: subscription_service (port 8022 alone).

Purpose: which plan a tenant has, what it may use, how much it used, and when a period is over.
Events in: EmailVerified, PredictionDelivered, StreamUsageRecorded (shown, not charged),
    BillingRunStarted, InvoicePaid, TenantClosed.
Events out: EntitlementsChanged, QuotaExhausted, BillingPeriodClosed, SubscriptionRenewed,
    AuditRecorded.
Tables owned: plans, plan_versions, prices, entitlements, meter_rules (all read-only to the room),
    subscriptions, grants, periods, usage_events, quota_counters, stream_usage, closures.
"""
