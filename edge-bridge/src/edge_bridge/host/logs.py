"""The edge's log: one JSON object a line, rotated by size, bounded in all."""

import json
import logging
import sys
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Literal

FILE = "edge.log"


class JsonLine(logging.Formatter):
    """A record as one line of JSON; UTC, milliseconds."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, place, message and, where there is one, the traceback."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def start_logs(
    folder: Path,
    *,
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO",
    bytes_max: int = 20_000_000,
    files: int = 20,
) -> None:
    """Send every logger's lines to `folder/edge.log`, and warnings to stderr as well.

    At most ``files`` older files are kept, so the folder holds (files + 1) x bytes_max at most.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rotated = RotatingFileHandler(
        folder / FILE, maxBytes=bytes_max, backupCount=files, encoding="utf-8", delay=False
    )
    rotated.setFormatter(JsonLine())
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(logging.WARNING)
    shown.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.addHandler(rotated)
    root.addHandler(shown)
    root.setLevel(level)
    for loud in ("botocore", "boto3", "urllib3", "websockets"):
        logging.getLogger(loud).setLevel(max(logging.WARNING, root.level))
