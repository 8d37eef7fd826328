"""Room card: ai_provider (port 8005 alone).

Purpose: the only door to language models: asks for views off the hot path, checks every answer,
    counts every pico-dollar, and gives a stored answer again rather than paying twice.
Events in: RequestViews (command, from the bus or a schedule).
Events out: ViewPublished.
Tables owned: prices, budgets, budget_months, requests, attempts, replies, views (none a tenant's).
Providers: OpenAI.
"""
