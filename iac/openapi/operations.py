"""One operation of a room as the whole document tells it: who may call it, and what it shares."""

from http import HTTPStatus
from typing import Any

from contracts.permissions import Route
from iac.openapi.shared import PROBLEMS, refer_to_headers, refer_to_problem

_SHARED_PARAMETERS = {"idempotency-key": "IdempotencyKey"}
SUMMARY_CHARACTERS_MAX = 120
_FRAMEWORKS_WORDS = "Successful Response"


def describe_operation(operation: dict[str, Any], row: Route) -> dict[str, Any]:
    """The room's own words, and what the permissions table and the shared parts add."""
    summary, description = _tell(str(operation.get("description") or operation["summary"]))
    takes_key = _takes_idempotency_key(operation)
    told: dict[str, Any] = {
        "tags": [row.room],
        "summary": summary,
        "operationId": f"{row.room}_{operation['operationId']}",
    }
    if description:
        told["description"] = description
    if row.deprecated is not None:
        told["deprecated"] = True
    told["parameters"] = _share_parameters(operation.get("parameters", []))
    if "requestBody" in operation:
        told["requestBody"] = operation["requestBody"]
    told["responses"] = {
        status: _describe_answer(status, answer, row, takes_key)
        for status, answer in sorted(operation["responses"].items())
    }
    told["security"] = describe_security(row)
    return told | describe_rights(row)


def describe_security(row: Route) -> list[dict[str, list[str]]]:
    """The ways to sign in for a route, any one of them; none for an open one."""
    if row.access == "open":
        return []
    names = {"session": "session", "api_key": "apiKey"}
    return [{names[credential]: []} for credential in row.credentials]


def describe_rights(row: Route) -> dict[str, Any]:
    """What the caller must be, as extension members."""
    rights: dict[str, Any] = {"x-sinyal-access": row.access}
    if row.access == "staff":
        rights["x-sinyal-staff"] = list(row.staff)
    if row.access == "member":
        rights |= {
            "x-sinyal-roles": list(row.roles),
            "x-sinyal-scope": row.scope,
            "x-sinyal-tiers": list(row.tiers),
            "x-sinyal-step-up": row.step_up,
        }
    if row.deprecated is not None:
        rights |= {
            "x-sinyal-sunset": row.deprecated.sunset.isoformat(),
            "x-sinyal-successor": row.deprecated.successor,
        }
    return rights


def _tell(docstring: str) -> tuple[str, str]:
    """A docstring's first sentence, and all of it when there is more."""
    text = docstring.strip()
    first = text.split("\n\n")[0].replace("\n", " ")
    end = first.find(". ")
    sentence = first[: end + 1] if end >= 0 else first
    if len(sentence) > SUMMARY_CHARACTERS_MAX:
        sentence = sentence[: SUMMARY_CHARACTERS_MAX - 1].rsplit(" ", 1)[0] + "…"
    return sentence.removesuffix("."), text if text != sentence else ""


def _takes_idempotency_key(operation: dict[str, Any]) -> bool:
    return any(
        item["name"].lower() == "idempotency-key" for item in operation.get("parameters", ())
    )


def _share_parameters(parameters: list[dict[str, Any]]) -> list[dict[str, Any]]:
    own = [item for item in parameters if item["name"].lower() not in _SHARED_PARAMETERS]
    shared = [
        _SHARED_PARAMETERS[item["name"].lower()]
        for item in parameters
        if item["name"].lower() in _SHARED_PARAMETERS
    ]
    return [
        *own,
        *({"$ref": f"#/components/parameters/{name}"} for name in (*shared, "CorrelationId")),
    ]


def _describe_answer(
    status: str, answer: dict[str, Any], row: Route, takes_key: bool
) -> dict[str, Any]:
    if answer == PROBLEMS.get(status):
        return refer_to_problem(status)
    names = ["X-Correlation-Id"]
    if row.access != "open":
        names += ["RateLimit", "RateLimit-Policy"]
    if takes_key and status.startswith("2"):
        names.append("Idempotency-Replayed")
    if row.deprecated is not None:
        names += ["Deprecation", "Sunset", "Link"]
    if answer["description"] == _FRAMEWORKS_WORDS:
        answer = {**answer, "description": HTTPStatus(int(status)).phrase}
    return {**answer, "headers": {**refer_to_headers(*names), **answer.get("headers", {})}}
