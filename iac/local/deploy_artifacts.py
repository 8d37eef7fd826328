"""Zip the rooms and the layers as Lambda takes them, and put them in the stack's S3.

Keys are named by content and zips carry no times, so an unchanged room keeps its key and a second
deployment updates nothing.
"""

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BUCKET = "sinyal-artifacts"
SKIPPED_FOLDERS = {"__pycache__", ".mypy_cache", ".ruff_cache"}
EPOCH = (2020, 1, 1, 0, 0, 0)


class RoomMissing(Exception):
    """The template names a room or a layer that has no code."""


class ArtifactStore:
    """The bucket that CloudFormation reads code and nested templates from."""

    def __init__(self, s3: Any, endpoint: str, region: str) -> None:
        self._s3 = s3
        self._endpoint = endpoint
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region}
            )
        self._present = {
            item["Key"]
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            for item in page.get("Contents", [])
        }

    def put(self, name: str, suffix: str, content: bytes) -> str:
        """Store the content unless it is there; return its key."""
        key = f"{name}-{hashlib.sha256(content).hexdigest()[:16]}{suffix}"
        if key not in self._present:
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            self._present.add(key)
        return key

    def put_zip(self, name: str, content: bytes) -> str:
        """Store a zip; return its `s3://` URI."""
        return f"s3://{BUCKET}/{self.put(name, '.zip', content)}"

    def put_template(self, name: str, text: str) -> str:
        """Store a template; return the URL CloudFormation reads it from."""
        return f"{self._endpoint}/{BUCKET}/{self.put(name, '.template', text.encode())}"


def zip_room(root: Path, room: str) -> bytes:
    """Zip functions/__init__.py and the one room."""
    folder = root / "functions" / room
    if not (folder / "__init__.py").is_file():
        raise RoomMissing(f"the template deploys {room}, and functions/{room}/ is not a room")
    package = root / "functions" / "__init__.py"
    return _zip((path, path.relative_to(root)) for path in (package, *_list_files(folder)))


def zip_layer(root: Path, layer: str) -> bytes:
    """Zip layers/<layer>/src/<layer> under python/, where Lambda looks for a layer's modules."""
    source = root / "layers" / layer / "src"
    if not (source / layer / "__init__.py").is_file():
        raise RoomMissing(f"the template deploys the layer {layer}, and {source} does not have it")
    return _zip(
        (path, Path("python") / path.relative_to(source)) for path in _list_files(source / layer)
    )


def zip_placeholder(layer: str) -> bytes:
    """Zip an empty third-party layer: locally its packages are installed for every function."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo(f"python/{layer}.txt", EPOCH), "installed already\n")
    return out.getvalue()


def _list_files(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not SKIPPED_FOLDERS.intersection(path.parts)
    )


def _zip(files: Iterable[tuple[Path, Path]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for source, name in files:
            info = zipfile.ZipInfo(name.as_posix(), EPOCH)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, source.read_bytes())
    return out.getvalue()
