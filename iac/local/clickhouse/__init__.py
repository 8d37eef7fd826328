"""ClickHouse without a server: chDB, the same engine, behind ClickHouse's HTTP interface."""
