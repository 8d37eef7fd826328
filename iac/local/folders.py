"""Folders of the parts: empty at each start, and closed to other users of the machine."""

import shutil
from pathlib import Path


def make_empty_folder(folder: Path) -> Path:
    """Return the folder, new and readable by its owner only; what was there is removed."""
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, mode=0o700)
    return folder
