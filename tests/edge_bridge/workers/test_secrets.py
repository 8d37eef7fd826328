"""Broker passwords over a real KMS: only in their own tenant's and account's context."""

import base64
from collections.abc import Iterator
from uuid import UUID

import boto3
import pytest

from contracts.ids import uuid7
from edge_bridge.workers.secrets import PasswordVault, SecretRefused, SecretUnavailable
from iac.local.testing import AwsServer, start_ministack
from tests.edge_bridge.cloud import environment


@pytest.fixture(scope="module")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AwsServer]:
    server = start_ministack(tmp_path_factory.mktemp("ministack"))
    yield server
    server.stop()


@pytest.fixture
def vault(ministack: AwsServer, monkeypatch: pytest.MonkeyPatch) -> PasswordVault:
    for name, value in environment(ministack.endpoint).items():
        monkeypatch.setenv(name, value)
    return PasswordVault()


def encrypt(tenant_id: UUID, account_id: UUID, password: bytes = b"broker-password") -> str:
    client = boto3.client("kms")
    key_id = client.create_key()["KeyMetadata"]["KeyId"]
    answer = client.encrypt(
        KeyId=key_id,
        Plaintext=password,
        EncryptionContext={"tenant_id": str(tenant_id), "account_id": str(account_id)},
    )
    return base64.b64encode(answer["CiphertextBlob"]).decode()


def test_a_password_opens_in_its_own_context(vault: PasswordVault) -> None:
    tenant_id, account_id = uuid7(), uuid7()
    assert vault.open(tenant_id, account_id, encrypt(tenant_id, account_id)) == "broker-password"


def test_another_tenant_or_account_cannot_open_it(vault: PasswordVault) -> None:
    tenant_id, account_id = uuid7(), uuid7()
    ciphertext = encrypt(tenant_id, account_id)
    for context in ((uuid7(), account_id), (tenant_id, uuid7()), (account_id, tenant_id)):
        with pytest.raises(SecretRefused) as refused:
            vault.open(*context, ciphertext)
        assert "broker-password" not in str(refused.value)


@pytest.mark.parametrize("text", ["not base64!", "", base64.b64encode(b"nonsense").decode()])
def test_what_is_no_ciphertext_is_refused(vault: PasswordVault, text: str) -> None:
    with pytest.raises(SecretRefused):
        vault.open(uuid7(), uuid7(), text)


@pytest.mark.parametrize("password", [b"\xff\xfe", b"x" * 600], ids=["no text", "too long"])
def test_what_is_no_password_is_refused(vault: PasswordVault, password: bytes) -> None:
    tenant_id, account_id = uuid7(), uuid7()
    with pytest.raises(SecretRefused):
        vault.open(tenant_id, account_id, encrypt(tenant_id, account_id, password))


def test_a_kms_that_does_not_answer_is_another_fact(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment("http://127.0.0.1:1").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SecretUnavailable):
        PasswordVault().open(uuid7(), uuid7(), base64.b64encode(b"anything").decode())
