"""What the four LLM sandboxes share: composing an answer, counting tokens, the provider shell."""

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from iac.local.sandbox.llm.analyst import judge
from iac.local.sandbox.llm.schema_fill import SchemaTooDeep, fill_schema
from iac.local.sandbox.provider import BadControlRequest, Document, Reply, fault_words

CONTEXT_TOKENS_MAX = 200_000
CHARACTERS_A_TOKEN = 4
MESSAGE_OVERHEAD_TOKENS = 7
CACHE_ENTRIES_MAX = 10_000
CACHEABLE_TOKENS_MIN = 1_024
CACHE_BLOCK_TOKENS = 128
LATENCY_MS_MAX = 60_000


class LlmRefusal(Exception):
    """A call the vendor would refuse: HTTP status, machine code, words."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True)
class Question:
    """A request, whatever its wire format; `form` is the wire's own mark of the endpoint."""

    model: str
    system: str
    prompt: str
    schema: Mapping[str, Any] | None = None
    json_mode: bool = False
    max_tokens: int | None = None
    form: str = ""


@dataclass(frozen=True)
class Answer:
    """A reply, whatever its wire format; finish is stop, length, refusal or content_filter."""

    id: str
    text: str
    finish: str
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    with_usage: bool


class Wire(Protocol):
    """One vendor's format."""

    name: str

    def key_of(self, request: Request) -> str:
        """Read the API key from the request."""
        ...

    def paths(self) -> list[str]:
        """List the paths served."""
        ...

    def read(self, body: Document, request: Request, /) -> Question:
        """Understand a body; raises LlmRefusal."""
        ...

    def write(self, question: Question, answer: Answer) -> Document:
        """Write the answer."""
        ...

    def refuse(self, status: int, code: str, message: str, wait_s: int | None, /) -> Reply:
        """Write a refusal."""
        ...


class LlmSandbox:
    """One vendor on loopback: its wire format over the shared analyst."""

    def __init__(self, wire: Wire, key: str) -> None:
        self.name = wire.name
        self._wire = wire
        self._key = key
        self._latency_ms = 0
        self._cache: OrderedDict[str, int] = OrderedDict()

    def wire_routes(self) -> list[Route]:
        """List the vendor's routes."""
        return [Route(path, self._serve, methods=["POST"]) for path in self._wire.paths()]

    def control_routes(self) -> list[Route]:
        """List nothing beyond the common control face."""
        return []

    def error_reply(self, status: int, _path: str, retry_after: int | None, /) -> Reply:
        """Say a status as the vendor does; a 429 always names a wait."""
        wait = 1 if status == 429 and retry_after is None else retry_after
        message = f"The sandbox was asked for status {status}."
        return self._wire.refuse(status, "", message, wait)

    def configure(self, changes: Document) -> None:
        """Set `latency_ms`, the time every answer takes."""
        latency = changes.get("latency_ms", self._latency_ms)
        if set(changes) - {"latency_ms"} or not isinstance(latency, int):
            raise BadControlRequest("only latency_ms can be set, to a whole number")
        self._latency_ms = min(max(latency, 0), LATENCY_MS_MAX)

    def describe_settings(self) -> Document:
        """Show the settings in force."""
        return {"latency_ms": self._latency_ms}

    def reset(self) -> None:
        """Forget the prompt cache and the latency."""
        self._cache.clear()
        self._latency_ms = 0

    async def close(self) -> None:
        """Do nothing: no background work here."""

    async def _serve(self, request: Request) -> Response:
        try:
            if self._wire.key_of(request) != self._key:
                raise LlmRefusal(401, "invalid_api_key", "Incorrect API key provided.")
            body = await _read_body(request)
            question = self._wire.read(body, request)
            await asyncio.sleep(self._latency_ms / 1_000)
            answer = self._compose(question, fault_words(request))
        except LlmRefusal as refusal:
            reply = self._wire.refuse(refusal.status, refusal.code, str(refusal), None)
            return reply.as_response()
        document = self._wire.write(question, answer)
        return Reply(200, json.dumps(document).encode()).as_response()

    def _compose(self, question: Question, words: Document) -> Answer:
        prompt_tokens = count_tokens(question.system) + count_tokens(question.prompt)
        prompt_tokens += MESSAGE_OVERHEAD_TOKENS
        if prompt_tokens > CONTEXT_TOKENS_MAX:
            raise LlmRefusal(
                400,
                "context_length_exceeded",
                f"This model's maximum context length is {CONTEXT_TOKENS_MAX} tokens. However, "
                f"your messages resulted in {prompt_tokens} tokens.",
            )
        text, finish = _say(question, words)
        limit = question.max_tokens
        if limit is not None and count_tokens(text) > limit and "text" not in words:
            text, finish = text[: limit * CHARACTERS_A_TOKEN], "length"
        seed = f"{question.model}\0{question.system}\0{question.prompt}"
        return Answer(
            id=hashlib.sha256(seed.encode()).hexdigest()[:24],
            text=text,
            finish=str(words.get("finish", finish)),
            prompt_tokens=prompt_tokens,
            cached_tokens=self._count_cached(question, prompt_tokens),
            completion_tokens=max(1, count_tokens(text)),
            with_usage=words.get("usage", True) is not False,
        )

    def _count_cached(self, question: Question, prompt_tokens: int) -> int:
        if prompt_tokens < CACHEABLE_TOKENS_MIN:
            return 0
        key = hashlib.sha256(f"{question.model}{question.system}{question.prompt}".encode())
        seen = self._cache.get(key.hexdigest(), 0)
        self._cache[key.hexdigest()] = prompt_tokens // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS
        if len(self._cache) > CACHE_ENTRIES_MAX:
            self._cache.popitem(last=False)
        return seen


def count_tokens(text: str) -> int:
    """Estimate tokens: four characters each."""
    return -(-len(text) // CHARACTERS_A_TOKEN)


def _say(question: Question, words: Document) -> tuple[str, str]:
    if "text" in words:
        said = words["text"]
        return (said if isinstance(said, str) else json.dumps(said)), "stop"
    opinion = judge(question.prompt)
    if question.schema is not None:
        try:
            document = fill_schema(question.schema, opinion.fields(), question.prompt)
        except SchemaTooDeep as error:
            raise LlmRefusal(400, "invalid_json_schema", f"Invalid schema: {error}") from error
        return json.dumps(document), "stop"
    if question.json_mode:
        names = ("stance", "confidence", "size_factor", "veto", "rationale")
        return json.dumps({name: opinion.fields()[name] for name in names}), "stop"
    said = f"Stance: {opinion.stance} (confidence {opinion.confidence}). {opinion.rationale}"
    return said, "stop"


async def _read_body(request: Request) -> Document:
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise LlmRefusal(400, "", "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise LlmRefusal(400, "", "The JSON body must be an object.")
    if body.get("stream"):
        raise LlmRefusal(400, "unsupported_value", "The sandbox does not stream.")
    return body


def read_bearer(request: Request) -> str:
    """Read a bearer token."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key if scheme.lower() == "bearer" else ""


def read_text(content: object) -> str:
    """Join the text of a message's content: a string or a list of text parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [str(part.get("text", "")) for part in content if isinstance(part, dict)]
        return "\n".join(part for part in parts if part)
    return ""


def demand_model(body: Document) -> str:
    """Return the model's name; raises LlmRefusal without one."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise LlmRefusal(400, "missing_required_parameter", "you must provide a model parameter")
    return model


def read_limit(value: object) -> int | None:
    """Read a limit of output tokens; raises LlmRefusal for nonsense."""
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise LlmRefusal(400, "invalid_value", "the token limit must be a whole number above 0")
    return value
