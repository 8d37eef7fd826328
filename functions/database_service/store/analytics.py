"""ClickHouse SQL of database_service: a tenant's rows, counted, read and removed for good.

Names of tables come from the catalogue.
"""

from collections.abc import Iterator
from uuid import UUID

from functions.database_service.models import TableRule
from kit.analytics import Analytics


class AnalyticsRows:
    """A tenant's rows in the catalogue's ClickHouse tables."""

    def __init__(self, analytics: Analytics, tenant_id: UUID, rules: tuple[TableRule, ...]) -> None:
        self._analytics, self._tenant_id = analytics, tenant_id
        self._tables = tuple(rule.table for rule in rules if rule.treatment == "delete")

    def count(self) -> int:
        """How many rows there are, versions that a merge has yet to drop included."""
        return sum(self._count(table) for table in self._tables)

    def erase(self) -> None:
        """Rewrite the parts that hold the tenant's rows without them, and wait until it is done.

        A lightweight DELETE would only hide the rows until some later merge.
        """
        for table in self._tables:
            if self._count(table):
                self._analytics.mutate(
                    self._tenant_id,
                    f"ALTER TABLE `{table}` DELETE WHERE tenant_id = {{tenant_id:UUID}}"
                    " SETTINGS mutations_sync = 2",
                )

    def read(self, rule: TableRule) -> Iterator[str]:
        """The tenant's rows of a table as JSON objects."""
        columns = f"* EXCEPT ({', '.join(rule.secrets)})" if rule.secrets else "*"
        return self._analytics.stream_json(
            self._tenant_id,
            f"SELECT {columns} FROM `{rule.table}` FINAL WHERE tenant_id = {{tenant_id:UUID}}",
        )

    def _count(self, table: str) -> int:
        [row] = self._analytics.query(
            self._tenant_id,
            f"SELECT count() AS rows FROM `{table}` WHERE tenant_id = {{tenant_id:UUID}}",
        )
        return int(row["rows"])
