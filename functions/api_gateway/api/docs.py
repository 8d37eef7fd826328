"""The API on paper: the OpenAPI document, and the same as a page to read. Both open.

The document is made from the rooms by `python -m iac.openapi` and lies beside this file.
"""

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header
from fastapi.responses import HTMLResponse, Response

from functions.api_gateway.api.docs_page import render_page, write_policy
from functions.api_gateway.settings import settings

LIFE_S = 300
NOT_MODIFIED = 304

_DOCUMENT = Path(__file__).with_name("openapi.json")
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    NOT_MODIFIED: {"description": "Unchanged since the `ETag` that was sent as `If-None-Match`."}
}
_JSON: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The OpenAPI 3.1 document",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}

router = APIRouter()

IfNoneMatch = Annotated[str | None, Header(alias="If-None-Match", max_length=200)]


@lru_cache(maxsize=1)
def _read_document() -> bytes:
    return _DOCUMENT.read_bytes()


@lru_cache(maxsize=2)
def _render(public_url: str) -> bytes:
    return render_page(json.loads(_read_document()), public_url).encode()


def _answer(
    content: bytes, media_type: str, known: str | None, headers: dict[str, str] | None = None
) -> Response:
    """The content, or only word that the reader has it already."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    own = {"etag": tag, "cache-control": f"public, max-age={LIFE_S}", **(headers or {})}
    if known is not None and tag in known:
        return Response(status_code=NOT_MODIFIED, headers=own)
    return Response(content, media_type=media_type, headers=own)


@router.get("/v1/openapi.json", response_class=Response, responses=_JSON | _UNCHANGED)
def read_openapi(known: IfNoneMatch = None) -> Response:
    """Every route of the product as one OpenAPI 3.1 document."""
    return _answer(_read_document(), "application/json", known)


@router.get("/v1/docs", response_class=HTMLResponse, responses=_UNCHANGED)
def read_docs(known: IfNoneMatch = None) -> Response:
    """Every route of the product as a page to read and search."""
    page = _render(settings().public_url)
    policy = {"content-security-policy": write_policy()}
    return _answer(page, "text/html; charset=utf-8", known, policy)
