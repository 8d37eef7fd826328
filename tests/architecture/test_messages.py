"""What crosses a process is written down as a schema and as a sample, and both still hold."""

import json
from pathlib import Path

import pytest

from contracts.registry import MESSAGES, parse_envelope
from iac import schemas
from tests.architecture.tree import ROOT, find_files

SAMPLES = ROOT / "events" / "samples"


def sample_of(message: str) -> Path:
    contract = MESSAGES[message]
    return SAMPLES / contract.service / f"{message}.v{contract.schema_version}.json"


def test_schemas_regenerate_without_drift() -> None:
    assert schemas.find_drift() == []


def test_drift_is_told_by_file(tmp_path: Path) -> None:
    schemas.write_schemas(tmp_path)
    assert schemas.find_drift(tmp_path) == []
    (tmp_path / "trading_engine" / "OrderFilled.v1.json").unlink()
    (tmp_path / "trading_engine" / "OrderDenied.v1.json").write_text("{}")
    (tmp_path / "trading_engine" / "Gone.v1.json").write_text("{}")
    assert schemas.find_drift(tmp_path) == [
        "changed: trading_engine/OrderDenied.v1.json",
        "left over: trading_engine/Gone.v1.json",
        "missing: trading_engine/OrderFilled.v1.json",
    ]
    schemas.write_schemas(tmp_path)
    assert schemas.find_drift(tmp_path) == []


@pytest.mark.parametrize("message", MESSAGES)
def test_every_message_has_a_golden_sample_that_reads_back_the_same(message: str) -> None:
    sample = json.loads(sample_of(message).read_text(encoding="utf-8"))
    envelope = parse_envelope(message, sample)
    assert json.loads(envelope.to_json()) == sample


def test_every_sample_belongs_to_a_message() -> None:
    """Older versions stay: a sample named v1 is kept when a contract is at v2."""
    strays = [
        path.name
        for path in find_files(below="events/samples")
        if (contract := MESSAGES.get(path.name.split(".")[0])) is None
        or path.parent.name != contract.service
    ]
    assert strays == []


def test_no_two_services_use_one_name() -> None:
    from contracts import registry

    names = [
        key
        for module in registry._MODULES
        for key, value in vars(module).items()
        if isinstance(value, type) and value.__module__ == module.__name__ and key in MESSAGES
    ]
    assert len(names) == len(set(names)) == len(MESSAGES)


def test_a_contract_belongs_to_the_service_its_module_is_named_after() -> None:
    strangers = {
        name: contract.service
        for name, contract in MESSAGES.items()
        if contract.__module__ != f"contracts.{contract.service}"
    }
    assert strangers == {}
