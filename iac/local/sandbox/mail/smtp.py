"""A small SMTP server on asyncio: AUTH before mail, RFC 5321's order of commands, bounds."""

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from iac.local.sandbox.mail.mailbox import Mailbox

LINE_MAX = 64 * 1024
MESSAGE_MAX = 10 * 1024 * 1024
RECIPIENTS_MAX = 100
ERRORS_MAX = 10
COMMANDS_MAX = 1_000
COMMAND_TIMEOUT_S = 60
DATA_TIMEOUT_S = 120
CONNECTIONS_MAX = 200
PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>\s*(.*)", re.IGNORECASE)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


class HangUp(Exception):
    """The connection is to be cut, or is gone."""


@dataclass(frozen=True)
class Interference:
    """What a fault does to one command: an answer instead of ours, or a cut connection."""

    answer: str = ""
    drop: bool = False


Hook = Callable[[str], Awaitable[Interference | None]]


@dataclass
class Session:
    """One client's dialogue."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    greeted: bool = False
    authenticated: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)
    errors: int = 0

    async def say(self, text: str) -> None:
        """Send one reply (lines joined by CRLF already)."""
        if text[:1] in ("4", "5"):
            self.errors += 1
        self.writer.write(f"{text}\r\n".encode())
        await self.writer.drain()

    async def hear(self, timeout_s: float) -> bytes:
        """Read one line without its end."""
        try:
            async with asyncio.timeout(timeout_s):
                line = await self.reader.readline()
        except (TimeoutError, ValueError) as error:
            raise HangUp from error
        if not line.endswith(b"\n"):
            raise HangUp
        return line.rstrip(b"\r\n")

    def forget_mail(self) -> None:
        """Drop the envelope under way."""
        self.sender = None
        self.recipients = []


class SmtpServer:
    """Serves sessions; `on_command` sees every command first and may interfere."""

    def __init__(self, user: str, password: str, mailbox: Mailbox) -> None:
        self._user = user
        self._password = password
        self._mailbox = mailbox
        self.on_command: Hook | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hold one dialogue; callback of asyncio.start_server."""
        task = asyncio.current_task()
        if task is not None:
            self._sessions.add(task)
        session = Session(reader, writer)
        try:
            if len(self._sessions) > CONNECTIONS_MAX:
                await session.say("421 4.3.2 Too many connections")
                return
            await session.say("220 sandbox.localhost ESMTP")
            await self._converse(session)
        except (HangUp, ConnectionError, TimeoutError):
            writer.transport.abort()
        finally:
            if task is not None:
                self._sessions.discard(task)
            writer.close()

    async def _converse(self, session: Session) -> None:
        for _ in range(COMMANDS_MAX):
            line = (await session.hear(COMMAND_TIMEOUT_S)).decode("utf-8", "replace")
            verb, _, argument = line.partition(" ")
            verb = verb.upper()
            if await self._interfered(session, verb, argument):
                continue
            if verb == "QUIT":
                await session.say("221 2.0.0 Bye")
                return
            await self._obey(session, verb, argument.strip())
            if session.errors > ERRORS_MAX:
                await session.say("421 4.7.0 Too many errors")
                return
        await session.say("421 4.7.0 Too many commands")

    async def _interfered(self, session: Session, verb: str, argument: str) -> bool:
        if self.on_command is None:
            return False
        shown = argument if verb != "AUTH" else argument.partition(" ")[0]
        interference = await self.on_command(f"{verb} {shown}".strip())
        if interference is None:
            return False
        if interference.drop:
            raise HangUp
        await session.say(interference.answer)
        return True

    async def _obey(self, session: Session, verb: str, argument: str) -> None:
        match verb:
            case "EHLO" | "HELO":
                session.greeted = True
                session.forget_mail()
                await session.say(_greet(verb))
            case "NOOP":
                await session.say("250 2.0.0 OK")
            case "RSET":
                session.forget_mail()
                await session.say("250 2.0.0 OK")
            case "VRFY":
                await session.say("252 2.5.2 Cannot verify")
            case "AUTH":
                await self._authenticate(session, argument)
            case "MAIL":
                await session.say(self._take_sender(session, argument))
            case "RCPT":
                await session.say(_take_recipient(session, argument))
            case "DATA":
                await self._take_data(session)
            case _:
                await session.say("502 5.5.1 Command not implemented")

    async def _authenticate(self, session: Session, argument: str) -> None:
        mechanism, _, initial = argument.partition(" ")
        if not session.greeted or session.authenticated:
            await session.say("503 5.5.1 Bad sequence of commands")
            return
        try:
            match mechanism.upper():
                case "PLAIN":
                    text = initial or await self._ask(session, "")
                    parts = _decode(text).split("\0")
                    given = (parts[-2], parts[-1]) if len(parts) == 3 else ("", "")
                case "LOGIN":
                    user = _decode(initial or await self._ask(session, "VXNlcm5hbWU6"))
                    given = (user, _decode(await self._ask(session, "UGFzc3dvcmQ6")))
                case _:
                    await session.say("504 5.5.4 Unrecognized authentication type")
                    return
        except (binascii.Error, UnicodeDecodeError):
            await session.say("501 5.5.2 Cannot decode the response")
            return
        session.authenticated = given == (self._user, self._password)
        accepted, refused = "235 2.7.0 Accepted", "535 5.7.8 Credentials invalid"
        await session.say(accepted if session.authenticated else refused)

    async def _ask(self, session: Session, challenge: str) -> str:
        await session.say(f"334 {challenge}")
        return (await session.hear(COMMAND_TIMEOUT_S)).decode("latin-1")

    def _take_sender(self, session: Session, argument: str) -> str:
        found = PATH.fullmatch(argument)
        if not session.authenticated:
            return "530 5.7.0 Authentication required"
        if session.sender is not None:
            return "503 5.5.1 A message is under way already"
        if found is None or (found[1] and not ADDRESS.fullmatch(found[1])):
            return "501 5.1.7 Bad sender address"
        size = re.search(r"SIZE=(\d{1,18})", found[2], re.IGNORECASE)
        if size and int(size[1]) > MESSAGE_MAX:
            return "552 5.3.4 Message too big"
        session.sender = found[1]
        return "250 2.1.0 OK"

    async def _take_data(self, session: Session) -> None:
        if session.sender is None or not session.recipients:
            await session.say("503 5.5.1 MAIL and RCPT first")
            return
        await session.say("354 End data with <CR><LF>.<CR><LF>")
        lines: list[bytes] = []
        size = 0
        async with asyncio.timeout(DATA_TIMEOUT_S):
            while (line := await session.hear(DATA_TIMEOUT_S)) != b".":
                size += len(line) + 2
                if size <= MESSAGE_MAX:
                    lines.append(line[1:] if line.startswith(b".") else line)
        if size > MESSAGE_MAX:
            await session.say("552 5.3.4 Message too big")
        else:
            self._mailbox.add(session.sender, session.recipients, b"\r\n".join(lines) + b"\r\n")
            await session.say("250 2.0.0 Kept")
        session.forget_mail()

    def close(self) -> None:
        """Cut every dialogue."""
        for task in self._sessions:
            task.cancel()


def _greet(verb: str) -> str:
    if verb == "HELO":
        return "250 sandbox.localhost"
    features = ("sandbox.localhost", f"SIZE {MESSAGE_MAX}", "8BITMIME", "SMTPUTF8")
    return "\r\n".join(f"250-{name}" for name in features) + "\r\n250 AUTH PLAIN LOGIN"


def _take_recipient(session: Session, argument: str) -> str:
    found = PATH.fullmatch(argument)
    if session.sender is None:
        return "503 5.5.1 MAIL first"
    if found is None or not ADDRESS.fullmatch(found[1]):
        return "501 5.1.3 Bad recipient address"
    if len(session.recipients) >= RECIPIENTS_MAX:
        return "452 4.5.3 Too many recipients"
    session.recipients.append(found[1])
    return "250 2.1.5 OK"


def _decode(text: str) -> str:
    return base64.b64decode(text, validate=True).decode("utf-8")
