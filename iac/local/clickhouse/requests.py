"""Read a ClickHouse HTTP request: who asks, the statement, its bindings and its settings."""

import base64
import binascii
import gzip
import hmac
import zlib
from collections.abc import Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import BinaryIO
from urllib.parse import parse_qsl

from iac.local.clickhouse import codes
from iac.local.clickhouse.codes import QueryRefused
from iac.local.clickhouse.engine import Statement

BODY_BYTES_MAX = 512 * 1024 * 1024
LINE_BYTES_MAX = 65_536
# Parameters of the HTTP interface itself, and settings that concern nothing but HTTP: not `SET`.
NOT_SETTINGS = frozenset(
    [
        *("query", "database", "user", "password", "quota_key", "role", "stacktrace"),
        *("session_id", "session_timeout", "session_check", "close_session", "query_id"),
        *("default_format", "compress", "decompress", "buffer_size", "wait_end_of_query"),
        *("client_protocol_version", "enable_http_compression", "add_http_cors_header"),
        *("send_progress_in_http_headers", "http_headers_progress_interval_ms"),
        *("http_zlib_compression_level", "http_response_buffer_size"),
        "cancel_http_readonly_queries_on_client_close",
    ]
)


def check_credentials(
    headers: Mapping[str, str], params: Mapping[str, str], user: str, password: str
) -> None:
    """Raise QueryRefused unless the request carries this user and password."""
    given_user, given_password = _read_credentials(headers, params)
    right_user = hmac.compare_digest(given_user.encode(), user.encode())
    right_password = hmac.compare_digest(given_password.encode(), password.encode())
    if not (right_user and right_password):
        raise QueryRefused(
            codes.AUTHENTICATION_FAILED,
            f"{given_user}: Authentication failed: password is incorrect, or there is no user "
            "with such name. (AUTHENTICATION_FAILED)",
        )


def _read_credentials(headers: Mapping[str, str], params: Mapping[str, str]) -> tuple[str, str]:
    authorization = headers.get("Authorization", "")
    if authorization.lower().startswith("basic "):
        try:
            decoded = base64.b64decode(authorization[6:], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        user, _, password = decoded.partition(":")
        return user, password
    if "X-ClickHouse-User" in headers:
        return headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    return params.get("user", "default"), params.get("password", "")


def read_body(stream: BinaryIO, headers: Mapping[str, str]) -> bytes:
    """Read a request's body, chunked or counted, and undo its content encoding."""
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        body = _read_chunks(stream)
    else:
        length = int(headers.get("Content-Length") or 0)
        _check_size(length)
        body = stream.read(length)
    return decompress(body, headers.get("Content-Encoding", ""))


def _read_chunks(stream: BinaryIO) -> bytes:
    body = bytearray()
    while True:
        size = int(stream.readline(LINE_BYTES_MAX).split(b";")[0].strip() or b"0", 16)
        if size == 0:
            while stream.readline(LINE_BYTES_MAX).strip():  # trailers
                pass
            return bytes(body)
        _check_size(len(body) + size)
        body += stream.read(size)
        stream.readline(LINE_BYTES_MAX)


def _check_size(size: int) -> None:
    if size > BODY_BYTES_MAX:
        raise QueryRefused(codes.QUERY_IS_TOO_LARGE, f"the body is over {BODY_BYTES_MAX} bytes")


def decompress(body: bytes, encoding: str) -> bytes:
    """Undo a content encoding that ClickHouse accepts for request bodies."""
    if not body or encoding in ("", "identity"):
        return body
    try:
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "deflate":
            return zlib.decompress(body)
        if encoding == "lz4":
            return _decompress_lz4(body)
        if encoding == "zstd":
            from backports import zstd

            return bytes(zstd.decompress(body))
    except (OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
        raise QueryRefused(codes.CANNOT_DECOMPRESS, f"Cannot decompress: {error}") from error
    raise QueryRefused(codes.CANNOT_DECOMPRESS, f"Unknown compression method '{encoding}'")


def _decompress_lz4(body: bytes) -> bytes:
    """Undo LZ4: clickhouse-connect sends a frame a block, and lz4.frame.decompress reads one."""
    from lz4.frame import LZ4FrameDecompressor  # type: ignore[import-untyped]

    frames: list[bytes] = []
    while body:
        frame = LZ4FrameDecompressor()
        frames.append(frame.decompress(body))
        if not frame.eof:
            raise ValueError("the last LZ4 frame is cut short")
        body = frame.unused_data or b""
    return b"".join(frames)


def read_form(body: bytes, content_type: str) -> dict[str, str]:
    """Read the plain fields of a multipart or URL-encoded form."""
    if content_type.startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    head = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    fields: dict[str, str] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            fields[name] = payload.decode()
    return fields


def is_form(content_type: str) -> bool:
    """Tell whether a body carries fields instead of a query."""
    return content_type.startswith(("multipart/form-data", "application/x-www-form-urlencoded"))


def build_statement(
    params: Mapping[str, str], headers: Mapping[str, str], body: bytes, read_only: bool
) -> Statement:
    """Join a request's URL, headers and body into one statement."""
    content_type = headers.get("Content-Type", "")
    values = dict(params)
    if is_form(content_type):
        values.update(read_form(body, content_type))
        body = b""
    query = values.get("query", "").encode()
    text, data = (query + b"\n", body) if query and body else (query or body, b"")
    return Statement(
        text=text,
        data=data,
        database=values.get("database") or headers.get("X-ClickHouse-Database", ""),
        session_id=values.get("session_id", ""),
        default_format=values.get("default_format")
        or headers.get("X-ClickHouse-Format", "TabSeparated"),
        bind={name[6:]: text for name, text in values.items() if name.startswith("param_")},
        settings={
            name: text
            for name, text in values.items()
            if name not in NOT_SETTINGS and not name.startswith("param_")
        },
        read_only=read_only,
    )
