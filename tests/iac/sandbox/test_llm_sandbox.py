"""The LLM sandboxes against the real openai and anthropic packages; Gemini over plain HTTP."""

import json
import time
from typing import Any, Literal

import anthropic
import openai
import pytest
from pydantic import BaseModel, Field

from tests.iac.sandbox.stack import LLM_KEY, SandboxStack

BULLISH = (
    "EURUSD M1 features: return_15m: 0.0021, momentum_60m = 0.0034, rsi_14: 66. Reply in JSON."
)
BEARISH = "EURUSD M1 features: return_15m: -0.0021, momentum_60m = -0.0034, rsi_14: 31."


class View(BaseModel):
    """The view that the product asks for."""

    stance: Literal["bullish", "bearish", "neutral"]
    confidence: float = Field(ge=0, le=1)
    size_factor: float = Field(ge=0, le=1)
    veto: bool
    rationale: str = Field(max_length=280)


class Item(BaseModel):
    """Part of another shape."""

    name: str
    weight: int = Field(ge=5, le=7)


class Other(BaseModel):
    """Some other shape: nested, optional, enumerated."""

    items: list[Item]
    kind: Literal["a", "b"]
    note: str | None
    ratio: float = Field(gt=0, lt=0.5)


def make_openai(sandbox: SandboxStack, key: str = LLM_KEY, **options: Any) -> openai.OpenAI:
    base = f"{sandbox.endpoints['openai']}/v1"
    return openai.OpenAI(api_key=key, base_url=base, max_retries=0, **options)


def make_anthropic(sandbox: SandboxStack, key: str = LLM_KEY) -> anthropic.Anthropic:
    return anthropic.Anthropic(
        api_key=key, base_url=sandbox.endpoints["anthropic"], max_retries=0, timeout=5
    )


def ask(client: openai.OpenAI, prompt: str = BULLISH, **options: Any) -> Any:
    messages: list[Any] = [
        {"role": "system", "content": "You are careful."},
        {"role": "user", "content": prompt},
    ]
    return client.chat.completions.create(model="gpt-6-luna", messages=messages, **options)


def parse_view(sandbox: SandboxStack, prompt: str) -> tuple[View, Any]:
    completion = make_openai(sandbox).chat.completions.parse(
        model="gpt-6-luna",
        messages=[{"role": "user", "content": prompt}],
        response_format=View,
    )
    view = completion.choices[0].message.parsed
    assert view is not None
    return view, completion


def test_a_view_follows_the_numbers_of_the_prompt(sandbox: SandboxStack) -> None:
    assert parse_view(sandbox, BULLISH)[0].stance == "bullish"
    assert parse_view(sandbox, BEARISH)[0].stance == "bearish"
    assert parse_view(sandbox, "return_15m: 0.0, rsi_14: 50")[0].stance == "neutral"


def test_the_same_prompt_gets_the_same_view(sandbox: SandboxStack) -> None:
    first, one = parse_view(sandbox, BULLISH)
    second, two = parse_view(sandbox, BULLISH)
    assert first == second
    assert one.choices[0].message.content == two.choices[0].message.content


def test_a_shock_in_the_news_is_a_veto(sandbox: SandboxStack) -> None:
    view, _ = parse_view(sandbox, f"{BULLISH} News: central bank intervention rumoured.")
    assert view.veto
    assert view.size_factor == 0


def test_usage_counts_the_prompt_and_the_answer(sandbox: SandboxStack) -> None:
    usage = parse_view(sandbox, BULLISH)[1].usage
    assert usage.prompt_tokens > len(BULLISH) // 4
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_a_long_prompt_seen_again_is_partly_cached(sandbox: SandboxStack) -> None:
    prompt = BULLISH * 100
    _, first = parse_view(sandbox, prompt)
    _, second = parse_view(sandbox, prompt)
    assert first.usage.prompt_tokens_details.cached_tokens == 0
    assert 1_024 <= second.usage.prompt_tokens_details.cached_tokens < second.usage.prompt_tokens


def test_another_schema_gets_a_document_that_fits(sandbox: SandboxStack) -> None:
    completion = make_openai(sandbox).chat.completions.parse(
        model="gpt-6-luna", messages=[{"role": "user", "content": "x"}], response_format=Other
    )
    other = completion.choices[0].message.parsed
    assert other is not None
    assert other.items


def test_responses_parse_too(sandbox: SandboxStack) -> None:
    answer = make_openai(sandbox).responses.parse(
        model="gpt-6.1-sol", instructions="Be careful.", input=BEARISH, text_format=View
    )
    assert answer.output_parsed is not None
    assert answer.output_parsed.stance == "bearish"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_a_wrong_key_is_an_authentication_error(sandbox: SandboxStack) -> None:
    with pytest.raises(openai.AuthenticationError) as error:
        ask(make_openai(sandbox, key="sk-wrong"))
    assert error.value.code == "invalid_api_key"
    with pytest.raises(anthropic.AuthenticationError):
        make_anthropic(sandbox, key="sk-wrong").messages.create(
            model="claude-haiku-5-5", max_tokens=10, messages=[{"role": "user", "content": "x"}]
        )


def test_an_answer_past_its_limit_is_cut(sandbox: SandboxStack) -> None:
    answer = ask(make_openai(sandbox), max_completion_tokens=3)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_a_prompt_past_the_context_is_refused_by_code(sandbox: SandboxStack) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        ask(make_openai(sandbox), "x" * 900_000)
    assert error.value.code == "context_length_exceeded"


def test_a_429_carries_retry_after(sandbox: SandboxStack) -> None:
    sandbox.fault("openai", match="/chat/completions", status=429, retry_after=3)
    with pytest.raises(openai.RateLimitError) as error:
        ask(make_openai(sandbox))
    assert error.value.response.headers["retry-after"] == "3"
    assert error.value.code == "rate_limit_exceeded"


def test_a_client_that_retries_gets_through(sandbox: SandboxStack) -> None:
    sandbox.fault("openai", match="/chat/completions", status=500)
    client = make_openai(sandbox).with_options(max_retries=1)
    assert ask(client).choices[0].message.content
    assert [r["status"] for r in sandbox.get("openai", "requests")] == [500, 200]


def test_broken_json_and_html_and_drops_come_as_asked(sandbox: SandboxStack) -> None:
    client = make_openai(sandbox)
    sandbox.fault("openai", match="completions", body='{"choices": [')
    with pytest.raises(json.JSONDecodeError):
        ask(client)
    sandbox.fault("openai", match="completions", status=200, body="<html>maintenance</html>")
    assert isinstance(ask(client), str)
    sandbox.fault("openai", match="completions", drop=True)
    with pytest.raises(openai.APIConnectionError):
        ask(client)
    sandbox.fault("openai", match="completions", delay_ms=2_000)
    with pytest.raises(openai.APITimeoutError):
        ask(make_openai(sandbox, timeout=0.1))


def test_a_dripping_body_outlives_a_per_read_timeout(sandbox: SandboxStack) -> None:
    sandbox.fault("openai", match="completions", drip_ms=5)
    started = time.perf_counter()
    assert ask(make_openai(sandbox, timeout=0.5)).choices
    assert time.perf_counter() - started > 0.7


def test_the_models_words_can_be_chosen(sandbox: SandboxStack) -> None:
    client = make_openai(sandbox)
    sandbox.fault("openai", match="completions", reply={"text": "```json\n{oops", "usage": False})
    answer = ask(client)
    assert answer.choices[0].message.content == "```json\n{oops"
    assert answer.usage is None
    sandbox.fault("openai", match="completions", reply={"text": "No.", "finish": "refusal"})
    assert ask(client).choices[0].message.refusal == "No."


def test_streams_are_refused_openly(sandbox: SandboxStack) -> None:
    with pytest.raises(openai.BadRequestError):
        ask(make_openai(sandbox), stream=True)


def test_deepseek_speaks_json_objects_and_cache_counts(sandbox: SandboxStack) -> None:
    client = openai.OpenAI(api_key=LLM_KEY, base_url=sandbox.endpoints["deepseek"], max_retries=0)
    answer = ask(client, response_format={"type": "json_object"})
    view = View.model_validate_json(answer.choices[0].message.content)
    assert view.stance == "bullish"
    extra = answer.usage.model_extra
    assert extra["prompt_cache_hit_tokens"] + extra["prompt_cache_miss_tokens"] == (
        answer.usage.prompt_tokens
    )
    with pytest.raises(openai.BadRequestError):
        ask(client, "no such word", response_format={"type": "json_object"})
    sandbox.fault("deepseek", match="completions", status=402)
    with pytest.raises(openai.APIStatusError):
        ask(client)


def test_anthropic_messages_parse(sandbox: SandboxStack) -> None:
    answer = make_anthropic(sandbox).messages.parse(
        model="claude-sonnet-5-5",
        max_tokens=500,
        system="Be careful.",
        messages=[{"role": "user", "content": BEARISH}],
        output_format=View,
    )
    assert answer.parsed_output is not None
    assert answer.parsed_output.stance == "bearish"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0


def test_anthropic_errors_have_its_shape(sandbox: SandboxStack) -> None:
    client = make_anthropic(sandbox)
    sandbox.fault("anthropic", match="/v1/messages", status=529)
    with pytest.raises(anthropic.APIStatusError) as error:
        client.messages.create(
            model="claude-haiku-5-5", max_tokens=10, messages=[{"role": "user", "content": "x"}]
        )
    assert error.value.status_code == 529
    assert error.value.body == {
        "type": "error",
        "error": {
            "type": "overloaded_error",
            "message": "The sandbox was asked for status 529.",
        },
    }


def test_gemini_generates_by_response_schema(sandbox: SandboxStack) -> None:
    url = f"{sandbox.endpoints['gemini']}/v1/models/gemini-3.8-flash:generateContent"
    body = {
        "contents": [{"role": "user", "parts": [{"text": BULLISH}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {
                "type": "OBJECT",
                "properties": {
                    "stance": {"type": "STRING", "enum": ["bullish", "bearish", "neutral"]},
                    "confidence": {"type": "NUMBER"},
                    "size_factor": {"type": "NUMBER"},
                    "veto": {"type": "BOOLEAN"},
                    "rationale": {"type": "STRING"},
                },
            },
        },
    }
    answer = sandbox.client.post(url, json=body, headers={"x-goog-api-key": LLM_KEY}).json()
    text = answer["candidates"][0]["content"]["parts"][0]["text"]
    assert View.model_validate_json(text).stance == "bullish"
    usage = answer["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]
    wrong = sandbox.client.post(url, json=body, headers={"x-goog-api-key": "wrong"})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["status"] == "INVALID_ARGUMENT"
    sandbox.fault("gemini", match=":generateContent", status=429, retry_after=2)
    limited = sandbox.client.post(url, json=body, headers={"x-goog-api-key": LLM_KEY})
    assert limited.json()["error"]["status"] == "RESOURCE_EXHAUSTED"


def test_keys_do_not_show_in_recorded_requests(sandbox: SandboxStack) -> None:
    ask(make_openai(sandbox))
    recorded = sandbox.get("openai", "requests")[0]
    assert recorded["headers"]["authorization"] == "Bearer ***"
    assert recorded["body"]["model"] == "gpt-6-luna"
