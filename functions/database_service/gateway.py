"""The stores that PostgreSQL's own connection does not reach: a probe of each, a tenant's keys in
Redis, and a tenant's archives in S3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

from functions.database_service.errors import StoreUnreachable

if TYPE_CHECKING:
    from redis import Redis

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


KEYS_A_SCAN = 500
SCANS_MAX = 200_000
"""A hundred million keys; a keyspace beyond that is not walked by one message."""
OBJECTS_A_CALL = 1_000
PAGES_MAX = 1_000


class TenantKeys:
    """A tenant's keys in Redis, ``{<tenant_id>}:*``."""

    def __init__(self, redis: "Redis[str]", tenant_id: UUID) -> None:
        self._redis, self._pattern = redis, f"{{{tenant_id}}}:*"

    def count(self) -> int:
        """How many keys there are. Raises StoreUnreachable."""
        return sum(len(keys) for keys in self._scan())

    def erase(self) -> None:
        """Unlink them, batch by batch. Raises StoreUnreachable."""
        for keys in self._scan():
            with _redis_errors():
                self._redis.unlink(*keys)

    def _scan(self) -> Iterator[list[str]]:
        cursor = 0
        for _ in range(SCANS_MAX):
            with _redis_errors():
                cursor, keys = self._redis.scan(cursor, match=self._pattern, count=KEYS_A_SCAN)
            if keys:
                yield keys
            if cursor == 0:
                return
        raise StoreUnreachable("Redis holds too many keys to walk in one go")


@contextmanager
def _redis_errors() -> Iterator[None]:
    from redis import RedisError

    try:
        yield
    except RedisError as error:
        raise StoreUnreachable(f"Redis: {type(error).__name__}") from error


class ArchiveBucket:
    """Tenants' archives in S3, under a prefix a tenant, encrypted at rest."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    @staticmethod
    def make_key(tenant_id: UUID, export_id: UUID) -> str:
        """Where an export's archive is."""
        return f"{tenant_id}/{export_id}.zip"

    def upload(self, path: Path, key: str) -> None:
        """Store a file, in parts when it is large. Raises StoreUnreachable."""
        from boto3.exceptions import S3UploadFailedError

        from kit.aws import client

        with _s3_errors():
            try:
                client("s3").upload_file(
                    str(path),
                    self._bucket,
                    key,
                    ExtraArgs={
                        "ServerSideEncryption": "AES256",
                        "ContentType": "application/zip",
                    },
                )
            except S3UploadFailedError as error:
                raise StoreUnreachable("S3 did not take the archive") from error

    def sign_download(self, key: str, name: str, life_s: int) -> str:
        """An address that opens one archive for ``life_s`` seconds, as a file called ``name``."""
        from kit.aws import client

        url: str = client("s3").generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{name}"',
            },
            ExpiresIn=life_s,
        )
        return url

    def remove(self, key: str) -> None:
        """Remove an archive; one that is not there is removed. Raises StoreUnreachable."""
        from kit.aws import client

        with _s3_errors():
            client("s3").delete_object(Bucket=self._bucket, Key=key)

    def list_keys(self, tenant_id: UUID) -> Iterator[list[str]]:
        """A tenant's objects, a page at a time. Raises StoreUnreachable."""
        from kit.aws import client

        more: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            with _s3_errors():
                page = client("s3").list_objects_v2(
                    Bucket=self._bucket, Prefix=f"{tenant_id}/", MaxKeys=OBJECTS_A_CALL, **more
                )
            if keys := [item["Key"] for item in page.get("Contents", [])]:
                yield keys
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}
        raise StoreUnreachable("S3 holds too many objects to walk in one go")


class TenantObjects:
    """All that S3 holds of a tenant."""

    def __init__(self, bucket: ArchiveBucket, tenant_id: UUID) -> None:
        self._bucket, self._tenant_id = bucket, tenant_id

    def count(self) -> int:
        """How many objects there are. Raises StoreUnreachable."""
        return sum(len(keys) for keys in self._bucket.list_keys(self._tenant_id))

    def erase(self) -> None:
        """Remove them. Raises StoreUnreachable."""
        for keys in self._bucket.list_keys(self._tenant_id):
            for key in keys:
                self._bucket.remove(key)


@contextmanager
def _s3_errors() -> Iterator[None]:
    import botocore.exceptions

    try:
        yield
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise StoreUnreachable(f"S3: {error}") from error
