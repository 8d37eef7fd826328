"""Gemini's wire format: POST /v1/models/{model}:generateContent."""

from typing import Any

from starlette.requests import Request

from iac.local.sandbox.llm.desk import Answer, LlmRefusal, Question, read_limit, read_text
from iac.local.sandbox.provider import Document, Reply, json_reply

FINISH_REASONS = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "refusal": "SAFETY",
    "content_filter": "SAFETY",
}
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class GeminiWire:
    """Serves generateContent under /v1 and /v1beta."""

    name = "gemini"

    def key_of(self, request: Request) -> str:
        """Read the key: a header, or the older query parameter."""
        return request.headers.get("x-goog-api-key") or request.query_params.get("key", "")

    def paths(self) -> list[str]:
        """List the paths served."""
        return [f"/{version}/models/{{model}}:generateContent" for version in ("v1", "v1beta")]

    def read(self, body: Document, request: Request, /) -> Question:
        """Understand a generateContent body."""
        contents = body.get("contents")
        if not isinstance(contents, list) or not contents:
            raise LlmRefusal(400, "", "GenerateContentRequest.contents: not specified")
        options: Document = body.get("generationConfig") or {}
        schema = options.get("responseJsonSchema") or options.get("responseSchema")
        as_json = options.get("responseMimeType") == "application/json"
        if schema is not None and not as_json:
            raise LlmRefusal(400, "", "responseSchema needs responseMimeType application/json")
        return Question(
            model=str(request.path_params["model"]),
            system=_read_parts(body.get("systemInstruction")),
            prompt="\n".join(_read_parts(content) for content in contents),
            schema=schema if isinstance(schema, dict) else None,
            json_mode=as_json and schema is None,
            max_tokens=read_limit(options.get("maxOutputTokens")),
        )

    def write(self, question: Question, answer: Answer) -> Document:
        """Write candidates; a blocked answer has no content."""
        blocked = FINISH_REASONS.get(answer.finish) == "SAFETY"
        candidate: Document = {
            "finishReason": FINISH_REASONS.get(answer.finish, answer.finish),
            "index": 0,
        }
        if not blocked:
            candidate["content"] = {"parts": [{"text": answer.text}], "role": "model"}
        document: Document = {
            "candidates": [candidate],
            "modelVersion": question.model,
            "responseId": answer.id,
        }
        if answer.with_usage:
            document["usageMetadata"] = {
                "promptTokenCount": answer.prompt_tokens,
                "cachedContentTokenCount": answer.cached_tokens,
                "candidatesTokenCount": answer.completion_tokens,
                "thoughtsTokenCount": 0,
                "totalTokenCount": answer.prompt_tokens + answer.completion_tokens,
            }
        return document

    def refuse(self, status: int, code: str, message: str, wait_s: int | None, /) -> Reply:
        """Write an error object; Gemini says 400 to a wrong key."""
        status = 400 if code == "invalid_api_key" else status
        error: Document = {
            "code": status,
            "message": message,
            "status": STATUS_NAMES.get(status, "UNKNOWN"),
        }
        headers = {}
        if wait_s is not None:
            headers["retry-after"] = str(wait_s)
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{wait_s}s"}]
        return json_reply(status, {"error": error}, headers)


def _read_parts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return read_text(content.get("parts")) if isinstance(content, dict) else ""
