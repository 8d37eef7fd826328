"""S3: datasets come from it, artifacts and their cards go to it."""

import hashlib
import io
from typing import TYPE_CHECKING, Any

from functions.ml_processing.errors import DatasetInvalid, DatasetMissing, ModelStoreUnavailable
from functions.ml_processing.models import TrainedModel
from kit.aws import client

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_DATASET_BYTES = 64 * 1024 * 1024
_ABSENT = ("NoSuchKey", "NoSuchBucket", "404")


class ModelBucket:
    """The bucket of datasets and models. Objects are named by their content, never overwritten."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def read_dataset(self, key: str) -> "tuple[dict[str, NDArray[Any]], str]":
        """Columns of a NumPy archive of bars, and the file's sha256.

        Raises DatasetMissing, DatasetInvalid, ModelStoreUnavailable.
        """
        import botocore.exceptions

        try:
            answer = client("s3").get_object(Bucket=self._bucket, Key=key)
            if answer["ContentLength"] > MAX_DATASET_BYTES:
                raise DatasetInvalid(f"{key} is larger than {MAX_DATASET_BYTES} bytes")
            body: bytes = answer["Body"].read()
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise DatasetMissing(f"there is no object {key}") from error
            raise ModelStoreUnavailable(f"reading {key}: {error}") from error
        except botocore.exceptions.BotoCoreError as error:
            raise ModelStoreUnavailable(f"reading {key}: {error}") from error
        return parse_dataset(body), hashlib.sha256(body).hexdigest()

    def write_model(self, trained: TrainedModel) -> tuple[str, str]:
        """Store artifact and card; returns their keys. Writing the same again changes nothing."""
        import botocore.exceptions

        card = trained.card
        folder = f"models/{card.symbol}/{card.timeframe}"
        keys = (
            f"{folder}/{trained.sha256}/model.onnx",
            f"{folder}/{trained.sha256}/card-{trained.card_sha256[:16]}.json",
        )
        try:
            for key, body in zip(keys, (trained.artifact, trained.card_json), strict=True):
                client("s3").put_object(Bucket=self._bucket, Key=key, Body=body)
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise ModelStoreUnavailable(f"writing {folder}: {error}") from error
        return keys


def parse_dataset(body: bytes) -> "dict[str, NDArray[Any]]":
    """Columns of a NumPy archive (``.npz``); pickled objects are refused. Raises DatasetInvalid.

    NumPy's own format keeps a Parquet reader out of a function that is close to Lambda's limit.
    """
    import zipfile

    import numpy as np

    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise DatasetInvalid(f"not a NumPy archive: {error}"[:300]) from error
