"""A tenant gets all of its data and none of its secrets, once at a time, and nobody else's."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from uuid import UUID

import psycopg
import pytest

from contracts.audit import AuditRecorded
from contracts.database_service import ExportTenant, PruneRecords, TenantExportReady
from contracts.ids import uuid7
from functions.database_service import api, consumer
from functions.database_service.errors import ArchiveTooLarge
from functions.database_service.gateway import ArchiveBucket
from functions.database_service.logic.catalogue import CLICKHOUSE, TABLES
from kit.db import Database
from tests.functions.database_service.planting import Person, plant_rows
from tests.functions.database_service.stores_elsewhere import EXPORTS, Elsewhere
from tests.support.builders import (
    NOW,
    FixedClock,
    api_event,
    principal,
    read_answer,
    sqs_event,
    sqs_record,
    wrap,
)
from tests.support.publisher import RecordingPublisher

PATH = "/v1/data/exports"


@pytest.fixture
def person(
    room: Database, admin: psycopg.Connection[Any], elsewhere: Elsewhere, tenant: UUID
) -> Person:
    """Somebody with data in every table and store."""
    person = Person(tenant)
    plant_rows(admin, person)
    elsewhere.plant(person)
    return person


def call(person: Person, method: str, path: str = PATH, **parts: Any) -> tuple[int, dict[str, Any]]:
    who = principal(
        person.tenant_id,
        user_id=str(person.own_id("user_id")),
        role=parts.pop("role", "owner"),
    )
    return read_answer(api.handler(api_event(method, path, principal=who, **parts), None))


def request(person: Person) -> UUID:
    status, body = call(person, "POST")
    assert (status, body["status"]) == (202, "running")
    return UUID(body["export_id"])


def run(person: Person, export_id: UUID) -> dict[str, Any]:
    message = wrap(ExportTenant(export_id=export_id), person.tenant_id)
    return consumer.handler(sqs_event(message), None)


def show(person: Person, export_id: UUID) -> dict[str, Any]:
    status, body = call(person, "GET", f"{PATH}/{export_id}")
    assert status == 200
    return body


def read_archive(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_archive_has_every_table_of_the_tenant_and_tells_rows_and_sums(
    person: Person, download: Callable[[str], Path]
) -> None:
    export_id = request(person)
    assert run(person, export_id) == {"batchItemFailures": []}
    shown = show(person, export_id)
    path = download(shown["url"])
    assert path.stat().st_size == shown["size_bytes"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == shown["sha256"]
    files = read_archive(path)
    manifest = json.loads(files.pop("manifest.json"))
    readme = files.pop("README.txt").decode()
    assert "Kata sandi" in readme
    assert "Passwords" in readme
    assert set(files) == {
        *(f"postgresql/{rule.table}.jsonl" for rule in TABLES),
        *(f"clickhouse/{rule.table}.jsonl" for rule in CLICKHOUSE),
    }
    assert manifest["tenant_id"] == str(person.tenant_id)
    assert manifest["rows"] == shown["rows"] == sum(f["rows"] for f in manifest["files"])
    for file in manifest["files"]:
        lines = files[file["name"]].splitlines()
        assert file["rows"] == len(lines) > 0, file["name"]
        assert file["sha256"] == hashlib.sha256(files[file["name"]]).hexdigest()
        assert {json.loads(line)["tenant_id"] for line in lines} == {str(person.tenant_id)}
    (profile,) = files["postgresql/user_management.profiles.jsonl"].splitlines()
    assert json.loads(profile)["email"] == person.email


def test_no_secret_is_in_the_archive(person: Person, download: Callable[[str], Path]) -> None:
    export_id = request(person)
    run(person, export_id)
    files = read_archive(download(show(person, export_id)["url"]))
    for rule in TABLES:
        for line in files[f"postgresql/{rule.table}.jsonl"].splitlines():
            assert json.loads(line).keys() & set(rule.secrets) == set(), rule.table
    everything = b"\n".join(files.values())
    assert person.say("password_hash").encode() not in everything


def test_another_tenants_rows_are_not_in_the_archive(
    person: Person,
    admin: psycopg.Connection[Any],
    other_tenant: UUID,
    download: Callable[[str], Path],
) -> None:
    neighbour = Person(other_tenant)
    plant_rows(admin, neighbour)
    export_id = request(person)
    run(person, export_id)
    everything = b"\n".join(read_archive(download(show(person, export_id)["url"])).values())
    for needle in [*neighbour.needles, str(other_tenant)]:
        assert needle.encode() not in everything


def test_who_asked_is_told_in_their_language(person: Person, published: RecordingPublisher) -> None:
    export_id = request(person)
    run(person, export_id)
    (envelope,) = published.envelopes(TenantExportReady)
    assert envelope.meta.tenant_id == person.tenant_id
    assert envelope.data == TenantExportReady(
        export_id=export_id,
        user_id=person.own_id("user_id"),
        email=person.email,
        locale="id",
        expires_at=NOW + timedelta(days=7),
    )


def test_redelivery_of_the_command_makes_one_archive_and_tells_once(
    person: Person, published: RecordingPublisher, every_store: Any
) -> None:
    export_id = request(person)
    record = sqs_record(wrap(ExportTenant(export_id=export_id), person.tenant_id))
    for _ in range(3):
        assert consumer.handler({"Records": [record]}, None) == {"batchItemFailures": []}
    assert len(published.messages(TenantExportReady)) == 1
    keys = every_store.list_objects_v2(Bucket=EXPORTS, Prefix=f"{person.tenant_id}/{export_id}")
    assert keys["KeyCount"] == 1


def test_one_export_at_a_time(person: Person) -> None:
    export_id = request(person)
    status, problem = call(person, "POST")
    assert (status, problem["code"]) == (409, "export_running")
    run(person, export_id)
    assert request(person) != export_id


def test_the_same_key_asks_once(person: Person, published: RecordingPublisher) -> None:
    headers = {"idempotency-key": f"export-{person.mark}"}
    answers = [call(person, "POST", headers=headers) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(published.messages(ExportTenant)) == 1


@pytest.mark.parametrize("role", ["trader", "viewer"])
def test_only_managers_may_ask(person: Person, role: str) -> None:
    assert call(person, "POST", role=role)[0] == 403
    assert call(person, "GET", role=role)[0] == 403


def test_another_tenants_export_is_not_found(person: Person, other_tenant: UUID) -> None:
    export_id = request(person)
    run(person, export_id)
    stranger = Person(other_tenant)
    status, problem = call(stranger, "GET", f"{PATH}/{export_id}")
    assert (status, problem["code"]) == (404, "export_not_found")
    assert call(stranger, "GET")[1]["items"] == []


def test_a_command_under_another_tenant_exports_nothing(
    person: Person, other_tenant: UUID, published: RecordingPublisher, every_store: Any
) -> None:
    export_id = request(person)
    assert run(Person(other_tenant), export_id) == {"batchItemFailures": []}
    assert published.messages(TenantExportReady) == []
    assert show(person, export_id)["status"] == "running"
    assert every_store.list_objects_v2(Bucket=EXPORTS, Prefix=str(other_tenant))["KeyCount"] == 0


def test_exports_are_listed_newest_first_by_the_page(person: Person) -> None:
    ids = []
    for _ in range(3):
        ids.append(str(request(person)))
        run(person, UUID(ids[-1]))
    seen, cursor = [], None
    for _ in range(4):
        query = {"limit": "1", **({"cursor": cursor} if cursor else {})}
        _, page = call(person, "GET", query=query)
        seen += [item["export_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [*reversed(ids), str(person.own_id("export_id"))], "and the planted one"


def test_the_link_opens_for_fifteen_minutes_and_is_in_the_audit_trail(
    person: Person, published: RecordingPublisher
) -> None:
    export_id = request(person)
    assert show(person, export_id)["url"] is None
    run(person, export_id)
    shown = show(person, export_id)
    assert "X-Amz-Expires=900" in shown["url"]
    assert shown["url_expires_at"] == (NOW + timedelta(minutes=15)).isoformat().replace(
        "+00:00", "Z"
    )
    trail = published.messages(AuditRecorded)
    assert [(row.action, row.target_id) for row in trail] == [
        ("data_export.requested", str(export_id)),
        ("data_export.link_given", str(export_id)),
    ]
    assert {row.actor_id for row in trail} == {person.own_id("user_id")}


def test_a_link_opens_its_own_archive_and_no_other(
    person: Person, download: Callable[[str], Path]
) -> None:
    export_id = request(person)
    run(person, export_id)
    url = show(person, export_id)["url"]
    download(url)
    with pytest.raises(HTTPError) as refused:
        download(url.replace(f"{export_id}.zip", "old.zip", 1))
    assert refused.value.code == 403


def test_the_archive_is_encrypted_at_rest(person: Person, every_store: Any) -> None:
    export_id = request(person)
    run(person, export_id)
    head = every_store.head_object(Bucket=EXPORTS, Key=f"{person.tenant_id}/{export_id}.zip")
    assert head["ServerSideEncryption"] == "AES256"


def test_an_export_expires_after_seven_days_and_the_clock_removes_it(
    person: Person, clock: FixedClock, every_store: Any
) -> None:
    export_id = request(person)
    run(person, export_id)
    clock.advance(days=7)
    shown = show(person, export_id)
    assert (shown["status"], shown["url"]) == ("expired", None)
    assert consumer.handler(sqs_event(wrap(PruneRecords())), None) == {"batchItemFailures": []}
    prefix = f"{person.tenant_id}/{export_id}"
    assert every_store.list_objects_v2(Bucket=EXPORTS, Prefix=prefix)["KeyCount"] == 0
    assert show(person, export_id)["status"] == "expired"


def test_an_export_that_was_cut_off_gives_way_to_another(person: Person, clock: FixedClock) -> None:
    export_id = request(person)
    clock.advance(hours=7)
    consumer.handler(sqs_event(wrap(PruneRecords())), None)
    shown = show(person, export_id)
    assert (shown["status"], shown["reason"]) == ("failed", "cut_off")
    assert request(person) != export_id


def test_a_crash_before_the_upload_is_taken_up(
    person: Person, published: RecordingPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = request(person)
    with monkeypatch.context() as crash:
        crash.setattr(ArchiveBucket, "upload", lambda *_: 1 / 0)
        assert len(run(person, export_id)["batchItemFailures"]) == 1
    assert show(person, export_id)["status"] == "running"
    assert run(person, export_id) == {"batchItemFailures": []}
    assert show(person, export_id)["status"] == "ready"
    assert len(published.messages(TenantExportReady)) == 1


def test_data_that_does_not_fit_fails_the_export_and_says_so(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ArchiveTooLarge

    monkeypatch.setattr(consumer, "write_archive", refuse)
    export_id = request(person)
    assert run(person, export_id) == {"batchItemFailures": []}
    shown = show(person, export_id)
    assert (shown["status"], shown["reason"]) == ("failed", "archive_too_large")


def test_an_archive_of_a_tenant_that_was_erased_meanwhile_does_not_stay(
    person: Person,
    admin: psycopg.Connection[Any],
    every_store: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    export_id = request(person)
    upload = ArchiveBucket.upload

    def upload_late(bucket: ArchiveBucket, path: Path, key: str) -> None:
        upload(bucket, path, key)
        admin.execute("DELETE FROM database_service.exports WHERE export_id = %s", [export_id])

    monkeypatch.setattr(ArchiveBucket, "upload", upload_late)
    assert run(person, export_id) == {"batchItemFailures": []}
    prefix = f"{person.tenant_id}/{export_id}"
    assert every_store.list_objects_v2(Bucket=EXPORTS, Prefix=prefix)["KeyCount"] == 0


def test_an_unknown_export_is_not_found(person: Person) -> None:
    assert call(person, "GET", f"{PATH}/{uuid7()}")[0] == 404
