"""Anthropic's wire format: POST /v1/messages."""

from starlette.requests import Request

from iac.local.sandbox.llm.desk import (
    Answer,
    LlmRefusal,
    Question,
    demand_model,
    read_bearer,
    read_limit,
    read_text,
)
from iac.local.sandbox.provider import Document, Reply, json_reply

STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicWire:
    """Serves /v1/messages."""

    name = "anthropic"

    def key_of(self, request: Request) -> str:
        """Read the key: bearer, or the older x-api-key."""
        return read_bearer(request) or request.headers.get("x-api-key", "")

    def paths(self) -> list[str]:
        """List the paths served."""
        return ["/v1/messages"]

    def read(self, body: Document, request: Request, /) -> Question:
        """Understand a messages body; the version header and max_tokens are required."""
        if not request.headers.get("anthropic-version"):
            raise LlmRefusal(400, "", "anthropic-version: header is required")
        limit = read_limit(body.get("max_tokens"))
        if limit is None:
            raise LlmRefusal(400, "", "max_tokens: Field required")
        messages = body.get("messages")
        if not isinstance(messages, list) or not messages:
            raise LlmRefusal(400, "", "messages: at least one message is required")
        form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        schema = form.get("schema") if form.get("type") == "json_schema" else None
        return Question(
            model=demand_model(body),
            system=read_text(body.get("system")),
            prompt="\n".join(read_text(m.get("content")) for m in messages if isinstance(m, dict)),
            schema=schema if isinstance(schema, dict) else None,
            max_tokens=limit,
        )

    def write(self, question: Question, answer: Answer) -> Document:
        """Write a message; input_tokens excludes what the cache gave."""
        document: Document = {
            "id": f"msg_{answer.id}",
            "type": "message",
            "role": "assistant",
            "model": question.model,
            "content": [{"type": "text", "text": answer.text}],
            "stop_reason": STOP_REASONS.get(answer.finish, answer.finish),
            "stop_sequence": None,
        }
        if answer.with_usage:
            document["usage"] = {
                "input_tokens": answer.prompt_tokens - answer.cached_tokens,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": answer.cached_tokens,
                "output_tokens": answer.completion_tokens,
                "service_tier": "standard",
            }
        return document

    def refuse(self, status: int, _code: str, message: str, wait_s: int | None, /) -> Reply:
        """Write an error object."""
        kind = ERROR_TYPES.get(status, "api_error")
        headers = {} if wait_s is None else {"retry-after": str(wait_s)}
        document = {"type": "error", "error": {"type": kind, "message": message}}
        return json_reply(status, document, headers)
