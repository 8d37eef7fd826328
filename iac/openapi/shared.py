"""What every operation of the document shares: problems, headers, parameters, ways to sign in."""

from typing import Any

from kit.problems import ALWAYS, Problem, problems

HEADERS: dict[str, Any] = {
    "X-Correlation-Id": {
        "description": "Stands in every log line and event of the request; name it to support.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "RateLimit": {
        "description": "What is left and when it is full again, for each limit that counts"
        " (IETF RateLimit header fields).",
        "schema": {"type": "string"},
        "example": '"burst";r=49;t=1, "day";r=49999;t=52371',
    },
    "RateLimit-Policy": {
        "description": "The plan's limits: `q` requests in `w` seconds.",
        "schema": {"type": "string"},
        "example": '"burst";q=50;w=5, "day";q=50000;w=86400',
    },
    "Retry-After": {
        "description": "Seconds after which asking again makes sense.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Idempotency-Replayed": {
        "description": "`true` when this is the kept answer of an earlier request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Deprecation": {
        "description": "Since when the route is deprecated (RFC 9745), seconds since 1970.",
        "schema": {"type": "string", "pattern": "^@[0-9]+$"},
    },
    "Sunset": {
        "description": "When the route goes away (RFC 8594).",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": "What to call instead: `rel=successor-version`.",
        "schema": {"type": "string"},
    },
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "A value of yours for this write. Sent again with the same request, the"
        " first answer is given again and nothing is done twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^[!-~]+$"},
    },
    "CorrelationId": {
        "name": "X-Correlation-Id",
        "in": "header",
        "required": False,
        "description": "A UUID of yours that goes through every queue; one is made when absent.",
        "schema": {"type": "string", "format": "uuid"},
    },
}

SECURITY: dict[str, Any] = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of POST /v1/auth/login, good for ten minutes.",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Api-Key",
        "description": "A key of POST /v1/auth/api-keys; it opens what its scopes name.",
    },
}

_NAMES = {
    400: "Unreadable",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    413: "TooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "Failure",
    503: "Unavailable",
}
_COUNTED = ("RateLimit", "RateLimit-Policy")
_WAITING = (429, 503)
PROBLEMS = {str(status): answer for status, answer in problems(*_NAMES).items()}
ALWAYS_ANSWERED = frozenset(map(str, ALWAYS))


def refer_to_headers(*names: str) -> dict[str, Any]:
    """References to shared headers, under their own names."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def refer_to_problem(status: str) -> dict[str, Any]:
    """A reference to the shared response of a problem."""
    return {"$ref": f"#/components/responses/{_NAMES[int(status)]}"}


def describe_problems() -> dict[str, Any]:
    """The shared responses, one a status."""
    return {
        _NAMES[int(status)]: {
            **answer,
            "headers": refer_to_headers(
                "X-Correlation-Id",
                *_COUNTED,
                *(("Retry-After",) if int(status) in _WAITING else ()),
            ),
        }
        for status, answer in PROBLEMS.items()
    }


def describe_problem() -> dict[str, Any]:
    """The schema of problem+json, with the members that some problems add."""
    schema = Problem.model_json_schema()
    schema["properties"] |= {
        "fields": {
            "type": "array",
            "description": "422: what is wrong where.",
            "items": {
                "type": "object",
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
                "required": ["field", "reason"],
            },
        },
        "retry_after": {"type": "integer", "description": "429 and 503: seconds to wait."},
    }
    return schema
