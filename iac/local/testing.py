"""Real servers for the tests: `start_postgres(dir)` and its kin, for session fixtures.

Each starts an empty server with its data and log under `dir`, returns an object with `stop()`,
and dies with the test process, however that ends. Unlike the stack's own parts, a fixture should
call `stop()` when the session is over:

    @pytest.fixture(scope="session")
    def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
        server = start_postgres(tmp_path_factory.mktemp("postgres"))
        yield server
        server.stop()
"""

from iac.local.clickhouse.server import ClickHouseServer, start_clickhouse
from iac.local.ministack import AwsServer, start_ministack
from iac.local.postgres import PostgresServer, start_postgres
from iac.local.process import PartFailed
from iac.local.redis import RedisServer, start_redis
from iac.local.sandboxes import Sandboxes, start_sandboxes

__all__ = [
    "AwsServer",
    "ClickHouseServer",
    "PartFailed",
    "PostgresServer",
    "RedisServer",
    "Sandboxes",
    "start_clickhouse",
    "start_ministack",
    "start_postgres",
    "start_redis",
    "start_sandboxes",
]
