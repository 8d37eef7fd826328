"""A tenant's rows in every room's tables: counted, read, changed and removed as the catalogue says.

Row level security binds each statement to the transaction's tenant; the condition on ``tenant_id``
lets it use an index. Names of tables and columns come from the catalogue.
"""

from collections.abc import Iterator

from psycopg import sql

from functions.database_service.models import Swept, TableRule
from kit.db import Transaction

ROWS_A_FETCH = 500
STATEMENT_TIMEOUT_MS = 60_000
"""A tenant's largest table is removed in one statement; the room's other work has 5 s."""


def _name(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


class TenantRows:
    """Rows of the transaction's tenant."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def allow_time(self) -> None:
        """Let this transaction's statements take as long as a large tenant needs."""
        self._tx.execute(
            "SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_TIMEOUT_MS)]
        )

    def list_references(self) -> list[tuple[str, str]]:
        """Every foreign key between tables of the rooms: (referring table, table referred to)."""
        rows = self._tx.fetch_all(
            "SELECT DISTINCT sn.nspname || '.' || s.relname AS source,"
            " tn.nspname || '.' || t.relname AS target FROM pg_constraint c"
            " JOIN pg_class s ON s.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid"
            " JOIN pg_namespace sn ON sn.oid = s.relnamespace"
            " JOIN pg_namespace tn ON tn.oid = t.relnamespace"
            " WHERE c.contype = 'f' LIMIT 10000"
        )
        return [(row["source"], row["target"]) for row in rows]

    def apply(self, rule: TableRule) -> Swept:
        """Do to the tenant's rows of a table what the catalogue says."""
        match rule.treatment:
            case "delete":
                return Swept(erased=self._delete(rule.table))
            case "pseudonymise":
                return Swept(erased=self._pseudonymise(rule))
            case "keep":
                return Swept(erased=0, kept=self.count(rule.table))

    def count(self, table: str) -> int:
        """How many rows of a table are the tenant's."""
        query = sql.SQL("SELECT count(*) AS rows FROM {} WHERE tenant_id = %s").format(_name(table))
        row = self._tx.fetch_one(query.as_string(), [self._tx.tenant_id])
        assert row is not None
        return int(row["rows"])

    def _delete(self, table: str) -> int:
        query = sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(_name(table))
        return int(self._tx.execute(query.as_string(), [self._tx.tenant_id]).rowcount)

    def _pseudonymise(self, rule: TableRule) -> int:
        """Overwrite the named columns where they still hold something else."""
        names = [sql.Identifier(column) for column in rule.columns]
        values = [*rule.columns.values()]
        query = sql.SQL(
            "UPDATE {table} SET {sets} WHERE tenant_id = %s"
            " AND ({names}) IS DISTINCT FROM ({values})"
        ).format(
            table=_name(rule.table),
            sets=sql.SQL(", ").join(sql.SQL("{} = %s").format(name) for name in names),
            names=sql.SQL(", ").join(names),
            values=sql.SQL(", ").join([sql.SQL("%s")] * len(values)),
        )
        params = [*values, self._tx.tenant_id, *values]
        return int(self._tx.execute(query.as_string(), params).rowcount)

    def read(self, rule: TableRule) -> Iterator[str]:
        """The tenant's rows of a table as JSON objects, without its secrets, by a cursor.

        information_schema shows a role the columns that it may read, and no others.
        """
        schema, table = rule.table.split(".")
        columns = [
            row["column_name"]
            for row in self._tx.fetch_all(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = %s AND table_name = %s AND column_name <> ALL(%s)"
                " ORDER BY ordinal_position",
                [schema, table, list(rule.secrets)],
            )
        ]
        query = sql.SQL(
            "DECLARE tenant_rows NO SCROLL CURSOR FOR SELECT row_to_json(r)::text AS line"
            " FROM (SELECT {} FROM {} WHERE tenant_id = {}) r"
        ).format(
            sql.SQL(", ").join(sql.Identifier(column) for column in columns),
            _name(rule.table),
            sql.Literal(str(self._tx.tenant_id)),
        )
        self._tx.execute(query.as_string())
        while rows := self._tx.fetch_all(f"FETCH {ROWS_A_FETCH} FROM tenant_rows"):
            for row in rows:
                yield row["line"]
        self._tx.execute("CLOSE tenant_rows")
