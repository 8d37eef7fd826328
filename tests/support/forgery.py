"""Access tokens that must open nothing: each is a good token with one thing wrong."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from functions.user_service.logic.tokens import TokenSigner, derive_key

FOREIGN_SEED = "kQzVi6JnXo4AfUdG9sEpY2hLbR7cWm3jTk1Zx8v0N5q="


def _encode(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _flip(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def forge_tokens(good: str, seed: str) -> dict[str, str | None]:
    """Every kind of bad token, by what is wrong with it; ``seed`` is the true signing key's."""
    header_text, payload_text, signature = good.split(".")
    header = jwt.get_unverified_header(good)
    claims = jwt.decode(good, options={"verify_signature": False})
    key, now = derive_key(seed), int(time.time())
    foreign = TokenSigner(FOREIGN_SEED, claims["iss"])
    foreign_key = derive_key(FOREIGN_SEED)

    def sign(
        with_key: Ed25519PrivateKey = key, drop: str = "", head: Any = None, **other: Any
    ) -> str:
        payload = {name: value for name, value in (claims | other).items() if name != drop}
        return jwt.encode(payload, with_key, algorithm="EdDSA", headers=header | (head or {}))

    def sign_text(secret: bytes) -> str:
        """HS256 by hand: the library refuses to take a public key for a secret."""
        import hashlib
        import hmac

        signed = f"{_encode(header | {'alg': 'HS256'})}.{payload_text}"
        return f"{signed}.{_encode(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"

    public = key.public_key()
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    foreign_card = foreign.jwks["keys"][0]
    odd = _encode(header | {"alg": "None"})
    stronger = claims | {"role": "owner", "adm": True, "tid": str(claims["sub"])}
    return {
        "no token": None,
        "nothing after Bearer": "",
        "no JWT at all": "nonsense",
        "an expired token": sign(iat=now - 3_600, exp=now - 3_000),
        "a token that never ends early enough": sign(exp=now - 10),
        "a token from the future": sign(iat=now + 3_600, exp=now + 4_200),
        "another audience": sign(aud="sinyal.user_service"),
        "two audiences": sign(aud=["sinyal-api", "other"]),
        "another issuer": sign(iss="https://issuer.example"),
        "no session": sign(drop="sid"),
        "no end": sign(drop="exp"),
        "no tenant": sign(drop="tid"),
        "alg none": f"{_encode(header | {'alg': 'none'})}.{payload_text}.",
        "alg None with the signature": f"{odd}.{payload_text}.{signature}",
        "HS256 with the public key's bytes": sign_text(raw),
        "HS256 with the public key's text": sign_text(_encode(raw).encode()),
        "HS256 with the public key's PEM": sign_text(pem),
        "no signature": f"{header_text}.{payload_text}.",
        "a changed signature": f"{header_text}.{payload_text}.{_flip(signature, 10)}",
        "a changed payload": f"{header_text}.{_encode(stronger)}.{signature}",
        "the key of another environment": sign(foreign_key, head={"kid": foreign.key_id}),
        "the key of another environment under our name": sign(foreign_key),
        "a key that the token brings along": sign(
            foreign_key, head={"kid": foreign.key_id, "jwk": foreign_card}
        ),
        "a key at an address that the token names": sign(
            foreign_key, head={"jku": "http://127.0.0.1:9/keys"}
        ),
        "no key id": sign(head={"kid": ""}),
        "a path for a key id": sign(head={"kid": "../../dev/null"}),
        "another kind of token": sign(head={"typ": "JWT"}),
        "a critical extension": sign(head={"crit": ["exp"], "exp": 1}),
        "a role there is not": sign(role="root"),
    }
