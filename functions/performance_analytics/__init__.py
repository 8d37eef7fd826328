"""Room card: performance_analytics (port 8002 alone).

Purpose: keeps every event for analysis, and the tenants' trading results.
Events in: every one on the bus but BarClosed (ticks are stored) and those that carry a secret
    (contracts.registry.SECRET_CARRIERS); personal fields are left out.
Events out: none.
Tables owned: ClickHouse events, trades.
"""
