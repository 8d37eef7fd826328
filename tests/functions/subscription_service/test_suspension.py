"""A suspended tenant is granted nothing to trade; a reinstated one gets its plan back."""

import pytest

from contracts.subscription_service import EntitlementsChanged
from contracts.user_management import TenantReinstated, TenantSuspended
from functions.subscription_service import consumer
from tests.functions.subscription_service.conftest import verified
from tests.support.builders import sqs_event, wrap


def grants(published, tenant) -> list[EntitlementsChanged]:
    return [e.data for e in published.envelopes(EntitlementsChanged) if e.meta.tenant_id == tenant]


def test_suspension_takes_the_symbols_and_reinstatement_gives_them_back(
    handle, published, tenant
) -> None:
    handle(verified(), tenant=tenant)
    handle(TenantSuspended(reason="chargeback", version=2), tenant=tenant)
    handle(TenantReinstated(version=3), tenant=tenant)
    before, suspended, after = grants(published, tenant)
    assert (suspended.symbols, suspended.predictions_per_day) == ((), 0)
    assert (suspended.tier, suspended.api) == (before.tier, before.api)
    assert after.model_copy(update={"version": before.version}) == before
    assert before.version < suspended.version < after.version


def test_an_old_turn_that_comes_late_changes_nothing(handle, published, tenant) -> None:
    handle(verified(), tenant=tenant)
    handle(TenantReinstated(version=3), tenant=tenant)
    handle(TenantSuspended(reason="late", version=2), tenant=tenant)
    assert grants(published, tenant)[-1].symbols == ("EURUSD",)


@pytest.mark.parametrize("message", [TenantSuspended(reason="x", version=2)])
def test_a_redelivered_suspension_is_granted_once(
    handle, database, published, tenant, message
) -> None:
    handle(verified(), tenant=tenant)
    event = sqs_event(wrap(message, tenant), wrap(message, tenant))
    event["Records"][1] = event["Records"][0]
    assert consumer.handler(event, None) == {"batchItemFailures": []}
    assert len(grants(published, tenant)) == 2


def test_another_tenant_stays_as_it_was(handle, published, tenant, other_tenant) -> None:
    handle(verified(), tenant=tenant)
    handle(verified(), tenant=other_tenant)
    handle(TenantSuspended(reason="x", version=2), tenant=tenant)
    assert len(grants(published, other_tenant)) == 1


def test_without_a_subscription_the_suspension_waits_for_one(handle, published, tenant) -> None:
    handle(TenantSuspended(reason="x", version=2), tenant=tenant)
    handle(verified(), tenant=tenant)
    assert grants(published, tenant)[-1].symbols == ()
