"""Devices: told apart by what their user agent says, without the versions that change weekly."""

import hashlib
import re

from functions.user_service.models import Origin

_VERSIONS = re.compile(r"[\d._]+")


def hash_device(origin: Origin) -> bytes:
    """The same for a browser before and after its update."""
    kind = _VERSIONS.sub("", origin.device or "").casefold()
    return hashlib.sha256(kind.encode()).digest()
