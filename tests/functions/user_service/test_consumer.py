"""user_service's queue: proven addresses and tiers, once each and for their own tenant only."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import jwt
import pytest

from contracts.envelope import Envelope
from contracts.registry import parse_envelope
from contracts.subscription_service import EntitlementsChanged, Tier
from contracts.user_service import UserRegistered
from functions.user_service import consumer
from tests.functions.user_service.conftest import UserDoors, make_email, verified_by
from tests.support.builders import raw_record, sqs_event, wrap
from tests.support.publisher import RecordingPublisher

SAMPLES = Path(__file__).parents[3] / "events" / "samples"


def entitle(tenant_id: UUID | None, tier: Tier, version: int) -> Envelope:
    event = EntitlementsChanged(
        version=version,
        tier=tier,
        symbols=("EURUSD",),
        predictions_per_day=20,
        prediction_delay_s=0,
        live_accounts=0,
    )
    return wrap(event, tenant_id)


def read_tier(users: UserDoors, email: str) -> str:
    token = users.login(email)[1]["access_token"]
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return str(claims["tier"])


def test_a_redelivered_verification_changes_nothing_more(
    users: UserDoors, published: RecordingPublisher
) -> None:
    email = make_email()
    users.register(email)
    event = verified_by(published.envelopes(UserRegistered)[-1])
    record = sqs_event(event)
    count = len(published.rows)
    for _ in range(2):
        assert consumer.handler(record, None) == {"batchItemFailures": []}
    assert len(published.rows) == count
    assert users.login(email)[0] == 200


def test_entitlements_set_the_tier_of_the_next_token(
    users: UserDoors, published: RecordingPublisher
) -> None:
    email = make_email()
    users.join(email)
    tenant_id = published.envelopes(UserRegistered)[-1].meta.tenant_id
    assert read_tier(users, email) == "free"
    assert users.deliver(entitle(tenant_id, "pro", 2)) == []
    assert read_tier(users, email) == "pro"


def test_the_highest_version_wins_in_whatever_order_and_however_often_redelivered(
    users: UserDoors, published: RecordingPublisher
) -> None:
    email = make_email()
    users.join(email)
    tenant_id = published.envelopes(UserRegistered)[-1].meta.tenant_id
    newest, older = entitle(tenant_id, "enterprise", 7), entitle(tenant_id, "free", 6)
    assert users.deliver(newest, older, newest, entitle(tenant_id, "pro", 7)) == []
    assert read_tier(users, email) == "enterprise"


def test_a_tier_of_another_tenant_changes_nothing(users: UserDoors, other_tenant: UUID) -> None:
    email = make_email()
    users.join(email)
    assert users.deliver(entitle(other_tenant, "enterprise", 3)) == []
    assert read_tier(users, email) == "free"


def test_a_message_without_a_tenant_goes_to_the_dead_letter_queue(users: UserDoors) -> None:
    assert len(users.deliver(entitle(None, "pro", 1))) == 1


def test_one_bad_message_does_not_hold_up_its_batch(
    users: UserDoors, published: RecordingPublisher
) -> None:
    email = make_email()
    users.register(email)
    good = sqs_event(verified_by(published.envelopes(UserRegistered)[-1]))["Records"][0]
    bad = raw_record(json.dumps({"detail-type": "Nonsense", "detail": {}}))
    answer = consumer.handler({"Records": [bad, good]}, None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": bad["messageId"]}]}
    assert users.login(email)[0] == 200


@pytest.mark.parametrize(
    "sample", sorted((SAMPLES / "user_service").glob("*.json")), ids=lambda path: path.name
)
def test_every_sample_of_the_room_parses_and_is_whole(sample: Path) -> None:
    detail = json.loads(sample.read_text())
    envelope = parse_envelope(sample.name.partition(".")[0], detail)
    assert json.loads(envelope.to_json()) == detail
