"""S3: promoted models and their cards."""

from functions.ai_orchestration.errors import ModelStoreUnavailable
from kit.aws import client

MAX_BYTES = 50 * 1024 * 1024


class ModelBucket:
    """The bucket that ml_processing writes."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def read(self, key: str) -> bytes:
        """An object's bytes. Raises ModelStoreUnavailable, also when it is not there."""
        import botocore.exceptions

        try:
            answer = client("s3").get_object(Bucket=self._bucket, Key=key)
            if answer["ContentLength"] > MAX_BYTES:
                raise ModelStoreUnavailable(f"{key} is larger than {MAX_BYTES} bytes")
            return bytes(answer["Body"].read())
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise ModelStoreUnavailable(f"reading {key}: {error}") from error
