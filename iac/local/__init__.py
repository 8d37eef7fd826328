"""The local stack: every part of the product on one machine, without Docker.

The layers' folders join the import path here, so that the launcher starts from a bare checkout.
"""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_LAYERS = ("layers/contracts/src", "layers/kit/src")
sys.path += [path for path in (str(_ROOT / each) for each in _LAYERS) if path not in sys.path]
