"""The deployed API keeps every promise of its OpenAPI document, whatever it is sent.

Each operation is called with values that fit and values that do not, by an owner on the dearest
plan with a fresh second factor, or by the platform's administrator; what takes something away from
its caller has accounts of its own. ``SCHEMATHESIS_EXAMPLES`` asks for more examples.
"""

import os
import sys
import time
from urllib.parse import urlsplit

import pytest

from contracts.ids import uuid7
from iac.local.stack import Stack
from tests.support.callers import Callers
from tests.support.deployed import DeployedStack
from tests.support.fuzzing import Examination, list_operations
from tests.support.people import Person, eventually
from tests.support.things import KNOWN_QUERIES, read_sample

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1_800)]

EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "15"))

STOPPING = {"POST /v1/kill-switch/host"}
"""Would stop the edge that other tests run; asked in tests/functions/test_document_conformance."""


def make_things(stack: Stack, owner: Person) -> dict[str, str]:
    """One of everything that a path can name, of the owner's, by the name of the variable."""
    closed = read_sample(
        "subscription_service/BillingPeriodClosed",
        owner.tenant_id,
        subscription_id=str(uuid7()),
        run_id=str(uuid7()),
    )
    entry = {"EventBusName": f"sinyal-{stack.stage}", "Source": closed.source,
             "DetailType": closed.detail_type, "Detail": closed.envelope}  # fmt: skip
    stack.client("events").put_events(Entries=[entry])
    invoice = eventually(
        lambda: next(iter(owner.expect(200, "GET", "/v1/invoices")["items"]), None), "an invoice"
    )
    pay = f"/v1/invoices/{invoice['invoice_id']}/payments"
    payment = eventually(lambda: _pay(owner, pay), "a payment")
    guest = {"email": "tamu@example.com", "role": "viewer"}
    key = {"name": "reports", "scopes": ["read"]}
    return {
        "user_id": owner.user_id,
        "invoice_id": invoice["invoice_id"],
        "payment_id": payment,
        "account_id": owner.expect(201, "POST", "/v1/accounts", {"mode": "paper"})["account_id"],
        "invitation_id": owner.expect(201, "POST", "/v1/tenants/invitations", guest)[
            "invitation_id"
        ],
        "key_id": owner.expect(201, "POST", "/v1/auth/api-keys", key)["key_id"],
        "export_id": owner.expect(202, "POST", "/v1/data/exports")["export_id"],
    }


def _pay(owner: Person, path: str) -> str | None:
    answer = owner.call("POST", path, {"method": "bca_va"})
    return str(answer.body["payment_id"]) if answer.status in (200, 201) else None


def store_ticks(stack: Stack, owner: Person) -> None:
    """Ticks for the queries that ask for some."""
    row = read_sample("data_bridge/TickBatch", None)
    body = f'{{"type":"TickBatch",{row.envelope[1:]}'
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=f"sinyal-{stack.stage}-market-data")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody=body)
    eventually(
        lambda: owner.expect(200, "GET", "/v1/market/symbols")["items"] or None, "stored ticks"
    )


@pytest.fixture(scope="module")
def examination(stack: Stack) -> Examination:
    world = DeployedStack(stack)
    admin = stack.credentials
    staff = Person(world, admin.admin_email, admin.admin_password)
    staff.log_in()
    callers = Callers(world, staff, time.monotonic)
    store_ticks(stack, callers.owner)
    things = make_things(stack, callers.owner) | callers.name_own()
    return Examination(world.url, world.host, callers.token_for, things, KNOWN_QUERIES)


@pytest.mark.parametrize(
    ("method", "path"), [each for each in list_operations() if " ".join(each) not in STOPPING]
)
def test_an_operation_answers_as_its_document_says(
    examination: Examination, method: str, path: str
) -> None:
    examination.examine(method, path, EXAMPLES)


def test_most_operations_were_seen_to_succeed(examination: Examination) -> None:
    """Refusals alone would prove little: the answers of success are held against schemas too."""
    sys.stderr.write(f"\n{examination.report()}\n")
    failed = examination.list_never_successful()
    assert len(failed) <= 0.4 * len(examination.answered), failed


def test_the_document_is_served_where_it_says(stack: Stack) -> None:
    world = DeployedStack(stack)
    assert urlsplit(world.url).hostname == "127.0.0.1"
    assert world.call("GET", "/v1/openapi.json").body["openapi"] == "3.1.0"
    page = world.call("GET", "/v1/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
