"""Writes a tenant's archive: a file of JSON lines for every table, a manifest, and a README.

Rows flow from the stores into the zip file one by one; neither memory nor the disk holds more than
the bound.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from functions.database_service.errors import ArchiveTooLarge

MAX_ARCHIVE_BYTES = 480 * 1024 * 1024
"""The disk of a function holds 512 MiB; the archive is the only file on it."""
_CHECK_EVERY_ROWS = 256
_DIRECTORY_BYTES = 256 * 1024
"""Left for the zip file's own directory, the manifest and the README."""

README = """\
Arsip data Sinyal
=================
Setiap berkas .jsonl berisi satu tabel: satu baris JSON untuk setiap catatan. Folder postgresql
berisi catatan layanan, folder clickhouse berisi peristiwa dan transaksi untuk analitik.
manifest.json menyebut jumlah baris dan SHA-256 setiap berkas. Kata sandi, token, dan rahasia lain
tidak ikut, karena hanya disimpan sebagai hash atau terenkripsi. Waktu dalam UTC; uang dalam rupiah
penuh, kecuali kolom _cents (sen mata uang akun).

Archive of your data at Sinyal
==============================
Each .jsonl file holds one table: one line of JSON a record. The folder postgresql has the records
of the services, the folder clickhouse events and trades for analytics. manifest.json tells the rows
and the SHA-256 of each file. Passwords, tokens and other secrets are left out; they are kept as
hashes or encrypted only. Times are UTC; money is whole rupiah, but for columns named _cents (cents
of the account's currency).
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One table's rows, each a line of JSON without its end."""

    name: str
    rows: Iterable[str]


@dataclass(frozen=True, slots=True)
class Archive:
    """What was written."""

    rows: int
    size_bytes: int
    sha256: str


def write_archive(
    path: Path,
    tenant_id: UUID,
    made_at: datetime,
    parts: Iterable[Part],
    max_bytes: int = MAX_ARCHIVE_BYTES,
) -> Archive:
    """Write the archive to ``path``. Raises ArchiveTooLarge before the file passes the bound."""
    files: list[dict[str, Any]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            files.append(_write_part(archive, path, part, max_bytes - _DIRECTORY_BYTES))
        total = sum(int(file["rows"]) for file in files)
        manifest = {
            "tenant_id": str(tenant_id),
            "made_at": made_at.isoformat(),
            "rows": total,
            "files": files,
        }
        archive.writestr("manifest.json", json.dumps(manifest, indent=2))
        archive.writestr("README.txt", README)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Archive(total, path.stat().st_size, digest)


def _write_part(archive: zipfile.ZipFile, path: Path, part: Part, max_bytes: int) -> dict[str, Any]:
    digest = hashlib.sha256()
    rows = pending = 0
    with archive.open(part.name, "w", force_zip64=True) as file:
        for row in part.rows:
            line = row.encode() + b"\n"
            file.write(line)
            digest.update(line)
            rows += 1
            pending += len(line)
            if rows % _CHECK_EVERY_ROWS == 0 or pending > _DIRECTORY_BYTES:
                pending = 0
                _refuse_over(path, max_bytes)
    _refuse_over(path, max_bytes)
    return {"name": part.name, "rows": rows, "sha256": digest.hexdigest()}


def _refuse_over(path: Path, max_bytes: int) -> None:
    if path.stat().st_size > max_bytes:
        raise ArchiveTooLarge(f"more than {max_bytes} bytes packed; ask support for it in parts")
