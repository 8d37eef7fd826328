"""DeepSeek's wire format: OpenAI's chat completions with json_object only and its own usage."""

from starlette.requests import Request

from iac.local.sandbox.llm.desk import Answer, LlmRefusal, Question, read_bearer
from iac.local.sandbox.llm.openai import OpenAiWire, read_chat, write_chat
from iac.local.sandbox.provider import Document, Reply, json_reply

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_balance",
    422: "invalid_request_error",
    429: "rate_limit_reached_error",
}


class DeepSeekWire(OpenAiWire):
    """Serves /chat/completions."""

    name = "deepseek"

    def key_of(self, request: Request) -> str:
        """Read the bearer token."""
        return read_bearer(request)

    def paths(self) -> list[str]:
        """List the paths served."""
        return ["/chat/completions", "/v1/chat/completions"]

    def read(self, body: Document, _request: Request, /) -> Question:
        """Understand a body; schemas are not spoken here."""
        form = body.get("response_format") or {}
        if form.get("type") == "json_schema":
            raise LlmRefusal(400, "", "This response_format type is unavailable now")
        return read_chat(body)

    def write(self, question: Question, answer: Answer) -> Document:
        """Write a completion with cache hits and misses in the usage."""
        document = write_chat(question, answer)
        if answer.finish == "refusal":
            document["choices"][0]["finish_reason"] = "content_filter"
        if "usage" in document:
            hits = answer.cached_tokens
            document["usage"]["prompt_cache_hit_tokens"] = hits
            document["usage"]["prompt_cache_miss_tokens"] = answer.prompt_tokens - hits
        return document

    def refuse(self, status: int, code: str, message: str, wait_s: int | None, /) -> Reply:
        """Write an error object."""
        kind = ERROR_TYPES.get(status, "server_error")
        error = {"message": message, "type": kind, "param": None, "code": code or kind}
        headers = {} if wait_s is None else {"retry-after": str(wait_s)}
        return json_reply(status, {"error": error}, headers)
