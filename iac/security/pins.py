"""What the requirements files pin: every package to one version and to the hashes of its files.

Without a hash an index could hand out another file under the same version.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("requirements", "layers/third_party")
_PIN = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[\w,-]+\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}(?=\s|\\|$)")


@dataclass(frozen=True, slots=True)
class Pin:
    """One requirement of one file."""

    name: str
    version: str
    file: str
    line: int
    hashes: int


@dataclass(frozen=True, slots=True)
class Loose:
    """A requirement that pins no exact version or no hash."""

    file: str
    line: int
    text: str
    lacks: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text} has no {self.lacks}"


def list_files(root: Path) -> list[Path]:
    """The compiled requirements files of a working copy."""
    return sorted(file for folder in FOLDERS for file in (root / folder).glob("*.txt"))


def read_pins(file: Path, root: Path) -> tuple[list[Pin], list[Loose]]:
    """The pins of a file, and what is not pinned as it should be."""
    pins: list[Pin] = []
    loose: list[Loose] = []
    name = file.relative_to(root).as_posix()
    for line, text in _join_continued(file.read_text()):
        found = _PIN.match(text)
        words = text.split()[0]
        if found is None:
            loose.append(Loose(name, line, words, "exact version"))
            continue
        hashes = len(_HASH.findall(text))
        if hashes == 0:
            loose.append(Loose(name, line, words, "sha256 hash"))
        pins.append(Pin(_canonical(found["name"]), found["version"], name, line, hashes))
    return pins, loose


def read_all(root: Path) -> tuple[list[Pin], list[Loose]]:
    """The pins of every requirements file."""
    pins: list[Pin] = []
    loose: list[Loose] = []
    for file in list_files(root):
        pinned, unpinned = read_pins(file, root)
        pins += pinned
        loose += unpinned
    return pins, loose


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _join_continued(text: str) -> list[tuple[int, str]]:
    """Requirements with their continuation lines, each with the number of its first line."""
    joined: list[tuple[int, str]] = []
    continues = False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if continues and joined:
            joined[-1] = (joined[-1][0], f"{joined[-1][1]} {bare}")
        elif bare and not bare.startswith("#"):
            joined.append((number, bare))
        continues = bare.endswith("\\")
    return joined
