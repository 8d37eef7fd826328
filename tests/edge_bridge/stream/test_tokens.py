"""The edge believes the tokens that the API's door believes, and no others."""

import contextlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge_bridge.stream.frames import Refused
from edge_bridge.stream.issuer import ANSWER_BYTES_MAX, fetch_from, keys_given
from edge_bridge.stream.tokens import KeyRing, TokenVerifier, read_keys
from functions.user_service.logic.tokens import TokenSigner
from tests.edge_bridge.stream.stream_kit import ISSUER, SEED, Person
from tests.support.forgery import FOREIGN_SEED, forge_tokens

NOW = datetime.now(UTC)
BAD = {kind: token for kind, token in forge_tokens(Person().sign(), SEED).items() if token}


def verifier_of(*keys: TokenSigner) -> TokenVerifier:
    cards = [card for key in keys for card in key.jwks["keys"]]
    ring = KeyRing(keys_given({"keys": cards}))
    ring.fetch(NOW)
    return TokenVerifier(ISSUER, ring)


class CountingIssuer:
    """Keys that change, and how often they were asked for."""

    def __init__(self, *signers: TokenSigner) -> None:
        self.signers, self.asked, self.down = list(signers), 0, False

    def fetch(self) -> Any:
        self.asked += 1
        if self.down:
            raise OSError("down")
        return {"keys": [card for each in self.signers for card in each.jwks["keys"]]}


def test_a_token_of_user_service_tells_who_it_is_and_until_when() -> None:
    person = Person()
    who = verifier_of(TokenSigner(SEED, ISSUER)).verify(person.sign(NOW), NOW)
    assert (who.tenant_id, who.user_id, who.session_id) == (
        person.tenant_id, person.user_id, person.session_id,
    )  # fmt: skip
    assert who.expires_at == (NOW + timedelta(minutes=10)).replace(microsecond=0)
    assert who.may_read


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_token_is_refused(kind: str) -> None:
    with pytest.raises(Refused) as refused:
        verifier_of(TokenSigner(SEED, ISSUER)).verify(BAD[kind], datetime.now(UTC))
    assert refused.value.code == "token_refused"


def test_there_are_as_many_kinds_of_bad_tokens_as_at_the_api() -> None:
    assert len(BAD) >= 27


@pytest.mark.parametrize("token", ["", ".", "a.b.c", "..", "é.é.é", "[" * 4_000, "eyJ9.e30."])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(Refused):
        verifier_of(TokenSigner(SEED, ISSUER)).verify(token, NOW)


def test_a_token_that_starts_later_is_refused_until_then() -> None:
    token = Person().sign(NOW + timedelta(minutes=1))
    verifier = verifier_of(TokenSigner(SEED, ISSUER))
    with pytest.raises(Refused, match="future"):
        verifier.verify(token, NOW)
    assert verifier.verify(token, NOW + timedelta(minutes=1)).may_read


def test_a_new_signing_key_is_found_once_and_unknown_ones_do_not_hammer_the_issuer() -> None:
    first, second = TokenSigner(SEED, ISSUER), TokenSigner(FOREIGN_SEED, ISSUER)
    issuer = CountingIssuer(first)
    keys = KeyRing(issuer.fetch)
    assert keys.wants_fetch(first.key_id, NOW)
    keys.fetch(NOW)
    issuer.signers.append(second)
    assert not keys.wants_fetch(first.key_id, NOW)
    assert not keys.wants_fetch("forged", NOW + timedelta(seconds=9))
    later = NOW + timedelta(seconds=10)
    assert keys.wants_fetch(second.key_id, later)
    keys.fetch(later)
    assert keys.find(second.key_id, later)
    asked = issuer.asked
    for moment in range(100):
        if keys.wants_fetch(f"forged {moment}", later + timedelta(milliseconds=99 * moment)):
            keys.fetch(later)
    assert issuer.asked == asked


def test_without_its_issuer_nobody_is_believed_once_the_keys_are_old() -> None:
    issuer = CountingIssuer(TokenSigner(SEED, ISSUER))
    keys = KeyRing(issuer.fetch)
    keys.fetch(NOW)
    issuer.down = True
    verifier, token = TokenVerifier(ISSUER, keys), Person().sign(NOW)
    soon, later = NOW + timedelta(minutes=4), NOW + timedelta(minutes=5)
    assert verifier.verify(token, soon)
    assert keys.wants_fetch(issuer.signers[0].key_id, later)
    with pytest.raises(Refused, match="keys_unavailable"):
        keys.fetch(later)
    with pytest.raises(Refused, match="keys_unavailable"):
        verifier.verify(token, later)
    assert not keys.wants_fetch("any", later + timedelta(milliseconds=900))
    assert keys.wants_fetch("any", later + timedelta(seconds=1))


def test_only_signing_keys_of_our_kind_are_read_from_a_key_set() -> None:
    card = TokenSigner(SEED, ISSUER).jwks["keys"][0]
    odd = [{**card, "alg": "RS256"}, {**card, "use": "enc"}, {**card, "x": "!"}, 7, {"kid": "a"}]
    assert list(read_keys({"keys": [*odd, card]})) == [card["kid"]]
    assert read_keys({"keys": [7] * 16 + [card]}) == {}
    nothings: list[Any] = [None, [], {}, {"keys": {}}, "keys"]
    for nothing in nothings:
        with pytest.raises(ValueError, match="no JWK set"):
            read_keys(nothing)


class _Issuer(http.server.BaseHTTPRequestHandler):
    """Answers in every wrong way, and once rightly."""

    def do_GET(self) -> None:
        body = json.dumps(TokenSigner(SEED, ISSUER).jwks).encode()
        match self.path:
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/.well-known/jwks.json")
            case "/large":
                self.send_response(200)
                body = b"[" + b"0," * ANSWER_BYTES_MAX + b"0]"
            case "/broken":
                self.send_response(500)
            case _:
                self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the edge has given up meanwhile
            for _ in range(12 if self.path == "/slow" else 0):
                self.wfile.write(b" ")
                time.sleep(0.05)
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="module")
def issuer_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Issuer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_keys_come_from_the_issuers_address(issuer_url: str) -> None:
    keys = KeyRing(fetch_from(issuer_url))
    keys.fetch(NOW)
    assert TokenVerifier(ISSUER, keys).verify(Person().sign(NOW), NOW).may_read


@pytest.mark.parametrize("path", ["/moved", "/large", "/broken", "/slow"])
def test_an_issuer_that_answers_wrongly_gives_no_keys(
    issuer_url: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_bridge.stream.issuer.TIMEOUT_S", 0.2)
    with pytest.raises(Refused, match="keys_unavailable"):
        KeyRing(fetch_from(issuer_url + path)).fetch(NOW)


def test_an_issuer_that_is_not_there_gives_no_keys() -> None:
    with pytest.raises(Refused, match="keys_unavailable"):
        KeyRing(fetch_from("http://127.0.0.1:9/keys")).fetch(NOW)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://issuer/keys", "issuer", "https://"])
def test_keys_come_over_http_or_not_at_all(url: str) -> None:
    with pytest.raises(ValueError, match="no http or https address"):
        fetch_from(url)
