"""HTTP to the outside: every client has timeouts, and ``*.localhost`` is this machine."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx


def make_client(
    *,
    base_url: str = "",
    connect_s: float = 2,
    read_s: float = 10,
    headers: dict[str, str] | None = None,
) -> "httpx.Client":
    """An httpx client with bounds. Names under ``.localhost`` are loopback (RFC 6761)."""
    import httpx

    class LoopbackTransport(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.host.endswith(".localhost"):
                request.url = request.url.copy_with(host="127.0.0.1")
            return super().handle_request(request)

    return httpx.Client(
        base_url=base_url,
        timeout=httpx.Timeout(read_s, connect=connect_s),
        transport=LoopbackTransport(retries=0),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )
