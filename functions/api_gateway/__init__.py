"""Room card: api_gateway (port 8000 alone).

Purpose: who may pass, and whether the house is well. Doors: the REST API's authorizer
    (``authorizer.handler``), ``/v1/health`` and ``/v1/health/ready`` (both open).
Events in: none. Events out: none.
Tables owned: none.
Secrets: ``db/api_gateway``, ``redis``, ``clickhouse`` (health only). The authorizer reads none:
it verifies tokens with the public keys that user_service shows.
"""
