"""Every call to the outside has bounds, and ``*.localhost`` never leaves this machine."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from kit.http import make_client


class Echo(BaseHTTPRequestHandler):
    """Answers with the Host header it got; /slow waits, /away redirects."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(0.5)
        text = self.headers["host"].encode()
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("location", "http://127.0.0.1:1/")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_args: Any) -> None:
        """Stay quiet."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def test_a_name_under_localhost_is_this_machine_and_keeps_its_host_header(port: int) -> None:
    with make_client(base_url=f"http://api.sinyal.localhost:{port}") as client:
        answer = client.get("/")
    assert (answer.status_code, answer.text) == (200, f"api.sinyal.localhost:{port}")


def test_a_plain_address_is_left_alone(port: int) -> None:
    with make_client() as client:
        assert client.get(f"http://127.0.0.1:{port}/").text == f"127.0.0.1:{port}"


def test_an_answer_that_takes_too_long_is_given_up(port: int) -> None:
    with make_client(read_s=0.1) as client, pytest.raises(httpx.ReadTimeout):
        client.get(f"http://127.0.0.1:{port}/slow")


def test_a_redirect_is_not_followed(port: int) -> None:
    with make_client() as client:
        assert client.get(f"http://127.0.0.1:{port}/away").status_code == 302


def test_a_proxy_of_the_environment_is_not_used(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with make_client() as client:
        assert client.get(f"http://127.0.0.1:{port}/").status_code == 200
