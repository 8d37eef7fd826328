"""What verifiers of our tokens ask for: the public keys, and what an API key opens now."""

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from contracts.api_keys import ApiKeyAccepted, ApiKeyRefused, IntrospectApiKey
from functions.user_service.api.door import RoomDatabase, Signer
from functions.user_service.errors import CallerNotAllowed
from functions.user_service.logic.api_keys import INACTIVE, introspect_key
from functions.user_service.store import UserStore
from kit.errors import Unauthenticated
from kit.service_tokens import verify
from kit.settings import read_secret

KEYS_LIFE_S = 300
SERVICE_KEYS_AGE_S = 300
ROOM = "user_service"
CALLERS = ("api_gateway",)

router = APIRouter()


class JsonWebKey(BaseModel):
    """An Ed25519 public key (RFC 8037)."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]


class JsonWebKeySet(BaseModel):
    """Public keys, the newest first (RFC 7517)."""

    keys: list[JsonWebKey]


@router.get("/.well-known/jwks.json")
def read_keys(signer: Signer, database: RoomDatabase, response: Response) -> JsonWebKeySet:
    """The public keys of access tokens: the next one, the one that signs, those still honoured."""
    response.headers["cache-control"] = f"public, max-age={KEYS_LIFE_S}"
    return JsonWebKeySet.model_validate(signer.show_keys(database.clock.now()))


@router.post("/v1/auth/introspect")
def introspect(
    body: IntrospectApiKey, request: Request, database: RoomDatabase
) -> ApiKeyAccepted | ApiKeyRefused:
    """What an API key opens now; for the authorizer alone, by its service token.

    The question holds the key's digest: the key itself stays where it was presented.
    """
    _admit_caller(request, database)
    with database.transaction(None) as tx:
        found = UserStore(tx).find_api_key(bytes.fromhex(body.digest))
    if found is None:
        return INACTIVE
    tenant_id, key_id = found
    with database.transaction(tenant_id) as tx:
        return introspect_key(UserStore(tx), key_id, body.prefix, tx.now)


def _admit_caller(request: Request, database: RoomDatabase) -> None:
    """Let the authorizer's room in. Raises Unauthenticated, CallerNotAllowed."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("send Authorization: Bearer and a service token")
    public_keys = read_secret("service-keys", max_age_s=SERVICE_KEYS_AGE_S)
    caller = verify(token.strip(), ROOM, public_keys, database.clock.now())
    if caller not in CALLERS:
        raise CallerNotAllowed(f"{caller} does not ask this")
