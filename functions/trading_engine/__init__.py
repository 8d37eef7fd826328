"""Room card: trading_engine (port 8007 alone; the engine itself runs on the edge host).

Purpose: the tenants' accounts (paper and live), their limits and kill switches, and the record of
    orders, positions and trades. Brokers' passwords pass through sealed by KMS.
Events in: OrderFilled, OrderRejected, OrderDenied, PositionClosed, PositionReduced, StopsMoved,
    AccountConfirmed, AccountHealthChanged, ReconciliationDiffered, ReconciliationResolved,
    KillSwitchChanged (from the edge), EntitlementsChanged, TenantClosed (unlinks every account).
Commands in: LoosenLimits (every minute, from a schedule).
Events out: AccountLinked, AccountUnlinked, TradingLimitsChanged, NewsCalendarPublished,
    EngageKillSwitch and ReleaseKillSwitch (commands to the edge), AuditRecorded.
Tables owned: accounts, entitlements, limits, kill_switches, host_switch, news_calendar, orders,
    positions, reductions, stop_moves, closures.
"""
