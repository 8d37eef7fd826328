"""The mail sandbox: the SMTP server's faults and recordings, and the mailbox over HTTP."""

import asyncio
import socket
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from iac.local.sandbox.faults import FaultTable
from iac.local.sandbox.mail.mailbox import Mailbox
from iac.local.sandbox.mail.smtp import LINE_MAX, Interference, SmtpServer
from iac.local.sandbox.provider import BadControlRequest, Document, Reply, json_reply
from iac.local.sandbox.recorder import Recorder

DEFAULT_REFUSAL = 451


@dataclass
class MailSandbox:
    """Mail on loopback."""

    user: str
    password: str
    name: str = "mail"

    def __post_init__(self) -> None:
        self.mailbox = Mailbox()
        self._smtp = SmtpServer(self.user, self.password, self.mailbox)
        self._server: asyncio.Server | None = None

    async def start_smtp(self, sock: socket.socket, recorder: Recorder, faults: FaultTable) -> None:
        """Accept mail on the bound socket; SMTP commands are recorded and faulted as requests."""

        async def watch(line: str) -> Interference | None:
            entry = recorder.record("SMTP", line, "", [], b"")
            fault = faults.take(f"SMTP {line}")
            if fault is None:
                return None
            entry.fault = fault.describe()
            await asyncio.sleep(fault.delay_ms / 1_000)
            if fault.drop:
                entry.status = "dropped"
                return Interference(drop=True)
            if fault.status is None and fault.body is None:
                return None
            code = fault.status or DEFAULT_REFUSAL
            entry.status = code
            return Interference(f"{code} {fault.body or 'fault on demand'}")

        self._smtp.on_command = watch
        self._server = await asyncio.start_server(self._smtp.serve, sock=sock, limit=LINE_MAX)

    def wire_routes(self) -> list[Route]:
        """List nothing: mail comes over SMTP."""
        return []

    def control_routes(self) -> list[Route]:
        """List the mailbox."""
        return [Route("/_sandbox/messages", self._list_messages, methods=["GET"])]

    def error_reply(self, status: int, path: str, _wait_s: int | None, /) -> Reply:
        """Say that HTTP is not spoken here."""
        return json_reply(status, {"error": f"{path}: mail comes over SMTP"})

    def configure(self, changes: Document) -> None:
        """Refuse: there is nothing to set."""
        if changes:
            raise BadControlRequest("the mail sandbox has no settings")

    def describe_settings(self) -> Document:
        """Show the user."""
        return {"user": self.user}

    def reset(self) -> None:
        """Empty the mailbox."""
        self.mailbox.clear()

    async def close(self) -> None:
        """Stop accepting mail."""
        if self._server is not None:
            self._server.close()
        self._smtp.close()

    async def _list_messages(self, request: Request) -> Response:
        return JSONResponse(self.mailbox.listing(request.query_params.get("to", "")))
