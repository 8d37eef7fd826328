"""The permissions table as a page for readers, from the rows that the authorizer reads."""

from contracts.permissions import KEY_SCOPES, ROLE_SCOPES, STEP_UP_LIFE, Route
from contracts.routes import ROUTES

ROLES = ("owner", "admin", "trader", "viewer")
TIERS = ("free", "pro", "enterprise")
HEAD = """\
# Who may call what

Made by `python -m iac.openapi` from `contracts.routes`, the table that the authorizer, the rooms'
doors, the OpenAPI document and the tests read. A route without a row is closed to everybody.

- **open**: no sign-in. **member**: a signed-in member of a tenant, who sees that tenant's data
  only. **support**, **platform admin**: the platform's own staff; support reads only.
- A dot under a role: that role may. The scope must be in the token or key. Plans: empty means any.
- **key**: an API key with the scope opens it too (a key has the rights of its maker's role).
- **2FA**: a second factor shown within the last {minutes} minutes.

A role's own tokens carry: {roles}. An API key can be given: {keys}.
"""
COLUMNS = ("method", "path", "access", *ROLES, "scope", "plans", "key", "2FA")


def write_permissions_page() -> str:
    """The page as Markdown, one table a room, in the table's order."""
    rooms = list(dict.fromkeys(row.room for row in ROUTES))
    return "\n".join([_write_head(), *(_write_room(room) for room in rooms)])


def _write_head() -> str:
    return HEAD.format(
        minutes=int(STEP_UP_LIFE.total_seconds() // 60),
        roles="; ".join(f"{role}: {', '.join(scopes)}" for role, scopes in ROLE_SCOPES.items()),
        keys=", ".join(KEY_SCOPES),
    )


def _write_room(room: str) -> str:
    rows = [row for row in ROUTES if row.room == room]
    lines = [f"## {room}", "", _write_line(COLUMNS), _write_line(["---"] * len(COLUMNS))]
    return "\n".join([*lines, *(_write_line(_cells(row)) for row in rows), ""])


def _cells(row: Route) -> list[str]:
    member = row.access == "member"
    return [
        row.method,
        f"`{row.path}`",
        " or ".join({"support": "support", "admin": "platform admin"}[s] for s in row.staff)
        or row.access,
        *("•" if member and role in row.roles else "" for role in ROLES),
        row.scope if member else "",
        "" if not member or set(row.tiers) == set(TIERS) else ", ".join(row.tiers),
        "yes" if row.access != "open" and "api_key" in row.credentials else "",
        "yes" if row.step_up else "",
    ]


def _write_line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
