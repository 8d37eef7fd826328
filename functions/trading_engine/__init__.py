"""Room card: trading_engine (port 8007 alone; the engine itself runs on the edge host).

Purpose: the tenants' accounts, and the record of orders, positions and trades.
Events in: OrderFilled, OrderRejected, OrderDenied, PositionClosed (from the edge),
    EntitlementsChanged, TenantClosed (every account is unlinked).
Events out: AccountLinked, AccountUnlinked, AuditRecorded.
Tables owned: accounts, entitlements, orders, positions, closures.
"""
