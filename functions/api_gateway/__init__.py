"""api_gateway: who may pass, and whether the house is well.

Port alone: 8000. Doors: the REST API's authorizer (``authorizer.handler``), ``/v1/health`` and
``/v1/health/ready`` (both open).
Events in and out: none. Tables: none.
Secrets: ``db/api_gateway``, ``redis``, ``clickhouse`` (health only). The authorizer reads none:
it verifies tokens with the public keys that user_service shows.
"""
