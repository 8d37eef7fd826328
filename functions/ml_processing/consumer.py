"""Queue door of ml_processing: trainings, one at a time, outside any transaction."""

from contracts.envelope import Envelope
from contracts.ml_processing import TrainingFailed, TrainModel
from functions.ml_processing import logic
from functions.ml_processing.errors import TenantMayNotTrain, TrainingRefused
from functions.ml_processing.gateway import ModelBucket
from functions.ml_processing.settings import settings
from functions.ml_processing.store import RegistryStore
from kit.consumer import Handlers, make_consumer, own_transactions
from kit.db import Database, open_database
from kit.observability import log, warn


def _database() -> Database:
    return open_database("ml_processing", settings().event_bus_name)


@own_transactions
def on_train_model(envelope: Envelope, database: Database) -> None:
    """Train once a training_id; a redelivery after the end does nothing."""
    command = envelope.data
    assert isinstance(command, TrainModel)
    if envelope.meta.tenant_id is not None:
        raise TenantMayNotTrain("the command carries a tenant")
    with database.transaction(None, cause=envelope.meta) as tx:
        if not RegistryStore(tx).begin(command):
            log("training ended before", training_id=str(command.training_id))
            return
    bucket = ModelBucket(settings().models_bucket)
    try:
        columns, dataset_sha256 = bucket.read_dataset(command.dataset_key)
        trained = logic.train_model(command, columns, dataset_sha256)
    except TrainingRefused as error:
        _record_failure(envelope, command, database, error)
        return
    keys = bucket.write_model(trained)
    with database.transaction(None, cause=envelope.meta) as tx:
        store = RegistryStore(tx)
        if store.end(command.training_id, "promoted"):
            event = store.promote(command, trained, keys)
            tx.publish(event)
            log("model promoted", version=event.version, figures=trained.card.figures)


def _record_failure(
    envelope: Envelope, command: TrainModel, database: Database, error: TrainingRefused
) -> None:
    reason = f"{error.code}: {error.detail}"[:500]
    warn("training refused", training_id=str(command.training_id), reason=reason)
    with database.transaction(None, cause=envelope.meta) as tx:
        if RegistryStore(tx).end(command.training_id, "failed", reason):
            tx.publish(
                TrainingFailed(
                    training_id=command.training_id, symbol=command.symbol, reason=reason
                )
            )


HANDLERS: Handlers = {TrainModel: on_train_model}

handler = make_consumer(HANDLERS, lambda: _database())
