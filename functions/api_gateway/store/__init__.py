"""What api_gateway keeps: PostgreSQL is the truth, Redis counts, ClickHouse remembers."""
