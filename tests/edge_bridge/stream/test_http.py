"""The same port tells whether the edge is well, and what Prometheus wants to know."""

import json
import ssl
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import ValidationError
from websockets.sync.client import connect

from edge_bridge.stream.health import HostHealth
from edge_bridge.stream.settings import StreamSettings
from tests.edge_bridge.stream.stream_kit import Client, Stream, run_stream
from tests.edge_bridge.test_metrics import parse


def get(
    stream: Stream, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    connection = HTTPConnection("127.0.0.1", stream.server.port, timeout=5)
    connection.request("GET", path, headers=dict(headers or {}))
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers["Content-Type"], body


def test_health_tells_what_the_host_says() -> None:
    with run_stream() as stream:
        assert get(stream, "/health")[0] == 503  # the host has said nothing yet
        stream.hub.health(
            lambda: HostHealth(True, {"connected": 19, "hung": 1}, 12, 3_400, tick_age_s=0.2)
        )
        status, kind, body = get(stream, "/health")
        assert (status, kind) == (200, "application/json")
        assert json.loads(body) == {
            "status": "ready", "accounts": {"connected": 19, "hung": 1},
            "outbox": {"rows": 12, "bytes": 3_400}, "tick_age_s": 0.2, "connections": 0,
        }  # fmt: skip
        stream.hub.health(lambda: HostHealth(False))
        status, _, body = get(stream, "/health")
        assert (status, json.loads(body)["status"]) == (503, "not_ready")


def test_a_host_that_fails_or_hangs_is_not_ready_and_the_stream_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("edge_bridge.stream.http.HEALTH_WAIT_S", 0.1)
    release = threading.Event()

    def hang() -> HostHealth:
        release.wait(10)
        return HostHealth(True)

    def fail() -> HostHealth:
        raise RuntimeError("secret")

    with run_stream() as stream:
        stream.hub.health(fail)
        status, _, body = get(stream, "/health")
        assert status == 503
        assert "secret" not in body
        stream.hub.health(hang)
        assert get(stream, "/health")[0] == 503
        with stream.enter(stream.newcomer()) as client:
            assert client.is_quiet()
        release.set()


def test_metrics_are_prometheus_text_and_name_no_tenant() -> None:
    with run_stream() as stream:
        person = stream.newcomer()
        stream.tick(1)
        with stream.enter(person) as client:
            client.follow()
            stream.tick(2)
            client.expect("delta")
            status, kind, body = get(stream, "/metrics")
        assert (status, kind) == (200, "text/plain; version=0.0.4; charset=utf-8")
        found = parse(body)
        assert found["sinyal_stream_items_total"] == {(("", ""), ("channel", "ticks")): 1}
        assert str(person.tenant_id) not in body


def test_metrics_are_for_whoever_has_the_token() -> None:
    with run_stream(metrics_token="s3cret-of-the-scraper") as stream:
        assert get(stream, "/metrics")[0] == 403
        for wrong in ("Bearer nonsense", "s3cret-of-the-scraper", "Bearer s3cret-of-the-scrapér"):
            given = wrong.encode().decode("latin-1")
            assert get(stream, "/metrics", {"Authorization": given})[0] == 403
        right = {"Authorization": "Bearer s3cret-of-the-scraper"}
        assert get(stream, "/metrics", right)[0] == 200


def test_other_paths_are_not_there(stream: Stream) -> None:
    assert get(stream, "/")[0] == 404
    assert get(stream, "/stream/../metrics")[0] == 404
    assert get(stream, "/stream")[0] == 426  # a stream is a WebSocket


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "edge.crt", folder / "edge.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_with_certificate_files_the_port_speaks_tls_only(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    trust = ssl.create_default_context(cafile=str(certificate))
    with run_stream(tls_certificate=certificate, tls_key=key) as stream:
        stream.tick(1)
        url = f"wss://localhost:{stream.server.port}/stream"
        with connect(url, ssl=trust, compression=None) as socket:
            client = Client(socket).enter(stream.newcomer().sign())
            client.follow()
            stream.tick(2, count=1_500)
            while client.got[-1]["seq"] < 1_501:
                client.expect("delta")
        with pytest.raises((OSError, EOFError)):
            get(stream, "/health")


def test_half_a_certificate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="both"):
        StreamSettings(tls_certificate=tmp_path / "edge.crt")
