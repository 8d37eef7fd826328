"""Run the ClickHouse front: `python -m iac.local.clickhouse --folder DIR --port N ...`.

User and password come in the environment (CLICKHOUSE_USER, CLICKHOUSE_PASSWORD), where other
users of the machine cannot read them.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

from iac.local.clickhouse.engine import Engine, Statement, quote_name
from iac.local.clickhouse.front import Front, serve_in_thread


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m iac.local.clickhouse")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    arguments = parser.parse_args()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    engine = Engine(arguments.folder)
    create = f"CREATE DATABASE IF NOT EXISTS {quote_name(arguments.database)}"
    engine.run(Statement(create.encode()))
    front = Front(
        arguments.port, engine, os.environ["CLICKHOUSE_USER"], os.environ["CLICKHOUSE_PASSWORD"]
    )
    serve_in_thread(front)
    print(f"ClickHouse {engine.version} (chDB) on port {front.server_address[1]}", flush=True)
    stopped.wait()
    front.shutdown()
    engine.close()


if __name__ == "__main__":
    main()
