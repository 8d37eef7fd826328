"""What a user consented to, and the record of it."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from functions.user_management.api.door import RoomDatabase, answer_write
from functions.user_management.logic.consents import record_consent
from functions.user_management.logic.profiles import require_profile
from functions.user_management.models import Consent, ConsentOverview, ConsentWish
from functions.user_management.store import ManagementStore
from kit.api import CurrentPrincipal, problems
from kit.context import current
from kit.idempotency import IdempotencyKey

router = APIRouter()


@router.get("/v1/users/me/consents", responses=problems(404))
def read_consents(principal: CurrentPrincipal, database: RoomDatabase) -> ConsentOverview:
    """The present documents in one's own language, and one's own trail of consents."""
    with database.transaction(principal.tenant_id) as tx:
        store = ManagementStore(tx)
        user = require_profile(store.read_profile(principal.user_id))
        return ConsentOverview(
            documents=tuple(store.list_documents(user.user_id, user.locale)),
            records=tuple(store.list_consents(user.user_id)),
        )


@router.post(
    "/v1/users/me/consents",
    status_code=201,
    response_model=Consent,
    responses=problems(404, 409),
)
def give_or_withdraw_consent(
    body: ConsentWish,
    principal: CurrentPrincipal,
    database: RoomDatabase,
    idempotency_key: IdempotencyKey = None,
) -> JSONResponse:
    """Consent to the present version of a document, or withdraw the consent."""
    context = current()
    address = context.address if context else None
    with database.transaction(principal.tenant_id) as tx:
        store = ManagementStore(tx)

        def run() -> Consent:
            user = require_profile(store.read_profile(principal.user_id))
            return record_consent(store, user, body, address)

        request = ["consent", principal.user_id, body.model_dump_json()]
        return answer_write(tx, idempotency_key, request, run, 201)
