"""All sandboxes together: build, bind, announce, stop."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Mapping
from pathlib import Path

from iac.local.sandbox.control import SandboxApp
from iac.local.sandbox.llm.anthropic import AnthropicWire
from iac.local.sandbox.llm.deepseek import DeepSeekWire
from iac.local.sandbox.llm.desk import LlmSandbox
from iac.local.sandbox.llm.gemini import GeminiWire
from iac.local.sandbox.llm.openai import OpenAiWire
from iac.local.sandbox.mail.sandbox import MailSandbox
from iac.local.sandbox.midtrans.sandbox import MidtransSandbox
from iac.local.sandbox.provider import Provider
from iac.local.sandbox.servers import HOST, HttpServers, bind_loopback
from iac.local.sandbox.settings import SandboxSettings
from iac.local.sandbox.telegram.sandbox import TelegramSandbox

PORTS_FILE = "ports.json"


def build_providers(settings: SandboxSettings) -> tuple[MailSandbox, list[Provider]]:
    """Build every vendor; mail is returned apart because it also needs an SMTP socket."""
    midtrans = MidtransSandbox(settings.midtrans_server_key, settings.merchant_id)
    midtrans.desk.notifier.target.set(settings.midtrans_webhook(), settings.webhook_host)
    telegram = TelegramSandbox(
        settings.telegram_token, settings.telegram_bot_id, settings.telegram_webhook_secret
    )
    telegram.room.webhook.set(settings.telegram_webhook(), settings.webhook_host)
    mail = MailSandbox(settings.smtp_user, settings.smtp_password)
    wires = (OpenAiWire(), AnthropicWire(), GeminiWire(), DeepSeekWire())
    llms = [LlmSandbox(wire, settings.llm_key) for wire in wires]
    return mail, [midtrans, telegram, *llms, mail]


async def run_sandboxes(settings: SandboxSettings, state_dir: Path, endpoints: Path) -> None:
    """Serve until SIGINT or SIGTERM; writes the endpoints file when everything answers.

    Ports of the last run (state_dir/ports.json) are taken again when they are free, so that a
    restarted sandbox is found where it was.
    """
    await asyncio.to_thread(state_dir.mkdir, parents=True, exist_ok=True)
    ports_file = state_dir / PORTS_FILE
    stop = _catch_signals()
    mail, providers = build_providers(settings)
    servers = HttpServers()
    remembered = _read_ports(ports_file)
    ports: dict[str, int] = {}
    try:
        for provider in providers:
            app = SandboxApp(provider)
            sock = bind_loopback(remembered.get(provider.name))
            ports[provider.name] = sock.getsockname()[1]
            await servers.start(app, sock)
            if provider is mail:
                smtp_sock = bind_loopback(remembered.get("smtp"))
                ports["smtp"] = smtp_sock.getsockname()[1]
                await mail.start_smtp(smtp_sock, app.recorder, app.faults)
        _write_json(ports_file, ports)
        _write_json(endpoints, _describe_endpoints(ports))
        await stop.wait()
    finally:
        for provider in providers:
            await provider.close()
        await servers.stop()
        endpoints.unlink(missing_ok=True)


def _catch_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _describe_endpoints(ports: Mapping[str, int]) -> dict[str, str]:
    return {
        name: f"{HOST}:{port}" if name == "smtp" else f"http://{HOST}:{port}"
        for name, port in ports.items()
    }


def _read_ports(path: Path) -> dict[str, int]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        ports = json.loads(path.read_text())
        if isinstance(ports, dict):
            return {name: port for name, port in ports.items() if isinstance(port, int)}
    return {}


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f"{path.suffix}.draft")
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(path)
