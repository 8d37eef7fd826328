"""The provider sandboxes as one part of the stack, and how they are told where the API is."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from iac.local.credentials import Credentials
from iac.local.folders import make_empty_folder
from iac.local.ports import LOOPBACK
from iac.local.process import Part, minimal_env, start_part, wait_until_ready

READY_SECONDS = 25.0
ROOT = Path(__file__).parents[2]
URL_NAMES = ("midtrans", "telegram", "openai", "anthropic", "gemini", "deepseek", "mail")


@dataclass(frozen=True)
class Sandboxes:
    """The running sandboxes: a base URL each, and the mail sandbox's SMTP port."""

    part: Part
    urls: dict[str, str]
    smtp_port: int
    credentials: Credentials
    smtp_host: str = LOOPBACK

    def stop(self) -> None:
        self.part.stop()


def start_sandboxes(
    directory: Path,
    log_dir: Path | None = None,
    credentials: Credentials | None = None,
    *,
    api_url: str = "",
    api_host: str = "",
) -> Sandboxes:
    """Start every provider sandbox, in one process with empty stores.

    Their webhooks go to `api_url` with the Host header `api_host`; nowhere when it is empty.
    """
    home = make_empty_folder(directory / "sandbox")
    made = credentials or Credentials()
    endpoints = home / "endpoints.json"
    part = start_part(
        "sandbox",
        [
            *(sys.executable, "-m", "iac.local.sandbox"),
            *("--state-dir", home / "state", "--write-endpoints", endpoints),
        ],
        log_dir=log_dir or directory / "logs",
        env=minimal_env(
            home,
            PYTHONPATH=str(ROOT),
            PYTHONUNBUFFERED="1",
            SANDBOX_WEBHOOK_URL=api_url,
            SANDBOX_WEBHOOK_HOST=api_host,
            **_keys(made),
        ),
        cwd=home,
    )
    wait_until_ready(part, lambda: read_endpoints(endpoints) is not None, READY_SECONDS)
    found = read_endpoints(endpoints)
    assert found is not None
    urls = {name: found[name] for name in URL_NAMES}
    return Sandboxes(part, urls, int(found["smtp"].rpartition(":")[2]), made)


def _keys(made: Credentials) -> dict[str, str]:
    return {
        "SANDBOX_MIDTRANS_SERVER_KEY": made.midtrans_server_key,
        "SANDBOX_MERCHANT_ID": made.midtrans_merchant_id,
        "SANDBOX_TELEGRAM_TOKEN": made.telegram_bot_token,
        "SANDBOX_TELEGRAM_BOT_ID": made.telegram_bot_id,
        "SANDBOX_TELEGRAM_WEBHOOK_SECRET": made.telegram_webhook_secret,
        "SANDBOX_LLM_KEY": made.llm_key,
        "SANDBOX_SMTP_USER": made.smtp_username,
        "SANDBOX_SMTP_PASSWORD": made.smtp_password,
    }


def read_endpoints(file: Path) -> dict[str, str] | None:
    """Return what the sandboxes wrote; None while the file is absent or half written."""
    try:
        endpoints = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return {str(name): str(url) for name, url in endpoints.items()}
