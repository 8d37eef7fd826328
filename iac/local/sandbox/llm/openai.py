"""OpenAI's wire format: chat completions and responses; DeepSeek's is a dialect of the first."""

import time
from collections.abc import Mapping
from typing import Any

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

RESPONSE = "response"
ERROR_TYPES = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
}


class OpenAiWire:
    """Serves /v1/chat/completions and /v1/responses, with or without the /v1."""

    name = "openai"

    def key_of(self, request: Request) -> str:
        """Read the bearer token."""
        return read_bearer(request)

    def paths(self) -> list[str]:
        """List the paths served."""
        ends = ("/chat/completions", "/responses")
        return [f"{prefix}{end}" for prefix in ("/v1", "") for end in ends]

    def read(self, body: Document, request: Request, /) -> Question:
        """Understand either endpoint's body."""
        if request.url.path.endswith("/responses"):
            return _read_response(body)
        return read_chat(body)

    def write(self, question: Question, answer: Answer) -> Document:
        """Write either endpoint's answer."""
        if question.form == RESPONSE:
            return _write_response(question, answer)
        return write_chat(question, answer)

    def refuse(self, status: int, code: str, message: str, wait_s: int | None, /) -> Reply:
        """Write an error object."""
        kind, usual_code = ERROR_TYPES.get(status, ("server_error", None))
        error = {"message": message, "type": kind, "param": None, "code": code or usual_code}
        headers = {} if wait_s is None else {"retry-after": str(wait_s)}
        return json_reply(status, {"error": error}, headers)


def read_chat(body: Document) -> Question:
    """Understand a chat completions body."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise LlmRefusal(400, "empty_array", "Invalid 'messages': an array with a message.")
    spoken = [message for message in messages if isinstance(message, dict)]
    system = [m for m in spoken if m.get("role") in ("system", "developer")]
    prompt = [m for m in spoken if m.get("role") not in ("system", "developer")]
    form = body.get("response_format") or {}
    wrapped = form.get("json_schema") or {}
    question = Question(
        model=demand_model(body),
        system="\n".join(read_text(m.get("content")) for m in system),
        prompt="\n".join(read_text(m.get("content")) for m in prompt),
        schema=_demand_schema(wrapped) if form.get("type") == "json_schema" else None,
        json_mode=form.get("type") == "json_object",
        max_tokens=read_limit(body.get("max_completion_tokens", body.get("max_tokens"))),
    )
    if question.json_mode and "json" not in f"{question.system}{question.prompt}".lower():
        raise LlmRefusal(
            400,
            "",
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'.",
        )
    return question


def _read_response(body: Document) -> Question:
    given = body.get("input")
    if isinstance(given, str):
        system, prompt = [], [given]
    elif isinstance(given, list):
        items = [item for item in given if isinstance(item, dict)]
        outer = ("system", "developer")
        system = [read_text(i.get("content")) for i in items if i.get("role") in outer]
        prompt = [read_text(i.get("content")) for i in items if i.get("role") not in outer]
    else:
        raise LlmRefusal(400, "missing_required_parameter", "Missing required parameter: 'input'.")
    form = (body.get("text") or {}).get("format") or {}
    return Question(
        model=demand_model(body),
        system="\n".join([str(body.get("instructions") or ""), *system]).strip(),
        prompt="\n".join(prompt),
        schema=_demand_schema(form) if form.get("type") == "json_schema" else None,
        json_mode=form.get("type") == "json_object",
        max_tokens=read_limit(body.get("max_output_tokens")),
        form=RESPONSE,
    )


def _demand_schema(wrapped: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = wrapped.get("schema")
    if not isinstance(schema, dict) or not wrapped.get("name"):
        raise LlmRefusal(400, "missing_required_parameter", "json_schema needs name and schema")
    return schema


def write_chat(question: Question, answer: Answer) -> Document:
    """Write a chat completion."""
    refused = answer.finish == "refusal"
    document: Document = {
        "id": f"chatcmpl-{answer.id}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": question.model,
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None if refused else answer.text,
                    "refusal": answer.text if refused else None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop" if refused else answer.finish,
            }
        ],
        "service_tier": "default",
        "system_fingerprint": "fp_sandbox",
    }
    if answer.with_usage:
        document["usage"] = {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }
    return document


def _write_response(question: Question, answer: Answer) -> Document:
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish)
    status = "incomplete" if cut else "completed"
    said: Document = {"type": "output_text", "text": answer.text, "annotations": []}
    if answer.finish == "refusal":
        said = {"type": "refusal", "refusal": answer.text}
    document: Document = {
        "id": f"resp_{answer.id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "instructions": question.system or None,
        "max_output_tokens": question.max_tokens,
        "model": question.model,
        "output": [
            {
                "type": "message",
                "id": f"msg_{answer.id}",
                "status": status,
                "role": "assistant",
                "content": [said],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "metadata": {},
    }
    if answer.with_usage:
        document["usage"] = {
            "input_tokens": answer.prompt_tokens,
            "input_tokens_details": {
                "cached_tokens": answer.cached_tokens,
                "cache_write_tokens": 0,
            },
            "output_tokens": answer.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": answer.prompt_tokens + answer.completion_tokens,
        }
    return document
