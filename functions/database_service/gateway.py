"""Probes of the stores that PostgreSQL's own connection does not reach."""

from typing import Any
from urllib.parse import urlsplit

TIMEOUT_S = 3


def probe_redis() -> dict[str, Any]:
    """Redis (DragonflyDB in production)."""
    from kit.cache import open_redis

    info: Any = open_redis().info("server")
    return {"engine": "redis", "version": str(info["redis_version"])}


def probe_clickhouse() -> dict[str, Any]:
    """ClickHouse."""
    from kit.analytics import open_analytics

    return {"engine": "clickhouse", "version": open_analytics().read_version()}


def probe_weaviate(url: str) -> dict[str, Any]:
    """Weaviate, where an address is set."""
    import weaviate
    from weaviate.classes.init import AdditionalConfig, Timeout

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 8080)
    with weaviate.connect_to_custom(
        http_host=parts.hostname or "",
        http_port=port,
        http_secure=secure,
        grpc_host=parts.hostname or "",
        grpc_port=50051,
        grpc_secure=secure,
        skip_init_checks=True,
        additional_config=AdditionalConfig(
            timeout=Timeout(init=TIMEOUT_S, query=TIMEOUT_S, insert=TIMEOUT_S)
        ),
    ) as client:
        if not client.is_ready():
            raise ConnectionError("weaviate is not ready")
        return {"engine": "weaviate", "version": client.get_meta()["version"]}


def probe_arango(url: str) -> dict[str, Any]:
    """ArangoDB, where an address is set; its login is the secret ``arango``."""
    from arango.client import ArangoClient

    from kit.settings import read_secret

    secret = read_secret("arango")
    client = ArangoClient(hosts=url, request_timeout=TIMEOUT_S)
    database = client.db(
        secret["database"], username=secret["username"], password=secret["password"]
    )
    return {"engine": "arangodb", "version": str(database.version())}
