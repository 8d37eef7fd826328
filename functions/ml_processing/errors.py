"""What can go wrong in ml_processing."""

from kit.errors import PoisonMessage, SinyalError, Unavailable


class TrainingRefused(SinyalError):
    """A training cannot end in a model that may be served; base of the reasons why."""

    code, status, title = "training_refused", 422, "The training gave no model to serve"


class DatasetMissing(TrainingRefused):
    """The dataset named is not in the bucket."""

    code, title = "dataset_missing", "There is no such dataset"


class DatasetInvalid(TrainingRefused):
    """The dataset is not a table of bars."""

    code, title = "dataset_invalid", "The dataset cannot be used"


class ParityBroken(TrainingRefused):
    """The exported model does not answer as the fitted one does."""

    code, title = "parity_broken", "The exported model differs from the fitted one"


class WorseThanBaseline(TrainingRefused):
    """Out of sample the model says clearly less than the base rate."""

    code, title = "worse_than_baseline", "The model is worse than knowing nothing"


class TenantMayNotTrain(PoisonMessage):
    """Models are the platform's; a command that carries a tenant is refused."""

    code, title = "tenant_may_not_train", "Models are trained by the platform only"


class ModelStoreUnavailable(Unavailable):
    """S3 did not answer."""

    code, title = "model_store_unavailable", "The model store does not answer"
