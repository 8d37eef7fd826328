"""Verifies the audit log: ``python -m functions.api_gateway.audit verify [--tenant ID]``.

Walks every chain, or one, with the room's database secret. Prints each chain's length and last
hash (keep them: a log that was rewritten as a whole ends otherwise) and the first break. Exit 1
when a chain is broken, 2 when there is none to verify.
"""

import argparse
import sys
from collections.abc import Iterator
from uuid import UUID

from functions.api_gateway.logic.chain import ChainReport, Head, verify_chain
from functions.api_gateway.settings import settings
from functions.api_gateway.store.audit import AuditStore
from kit.db import Database, open_database


def list_chains(database: Database) -> Iterator[UUID]:
    """Every tenant with a chain, the nil tenant's (the platform's) included."""
    past: UUID | None = None
    while True:
        with database.transaction(None) as tx:
            page = AuditStore(tx).list_chains(past)
        if not page:
            return
        yield from page
        past = page[-1]


def verify(database: Database, tenant_id: UUID) -> ChainReport:
    """Walk one chain."""
    with database.transaction(tenant_id) as tx:
        head, entries = AuditStore(tx).walk()
        return verify_chain(tenant_id, entries, Head(*head) if head else Head())


def run(database: Database, tenant_id: UUID | None) -> int:
    """Verify and print; returns the exit code."""
    chains = [tenant_id] if tenant_id is not None else list_chains(database)
    entries = verified = broken = 0
    for chain in chains:
        report = verify(database, chain)
        verified += 1
        entries += report.entries
        state = f"{report.head.hash}"
        if report.broken_at is not None:
            broken += 1
            state = f"BROKEN at {report.broken_at}: {report.reason}"
        _say(f"{chain}  {report.entries} entries, {report.erased} erased  {state}")
    _say(f"{verified} chains, {entries} entries verified, {broken} broken")
    return 1 if broken else 0 if verified else 2


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> None:
    """Read the arguments and verify."""
    parser = argparse.ArgumentParser(description="verify the audit log")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="walk the chains of hashes")
    command.add_argument("--tenant", type=UUID, default=None)
    arguments = parser.parse_args()
    database = open_database("api_gateway", settings().event_bus_name)
    try:
        code = run(database, arguments.tenant)
    finally:
        database.close()
    sys.exit(code)


if __name__ == "__main__":
    main()
