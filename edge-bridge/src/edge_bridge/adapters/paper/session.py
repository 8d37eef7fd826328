"""The connection between the Python process and a simulated terminal: one pipe, one last error."""

from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import TypeVar

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.credentials import read_folder
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.arguments import ArgumentRefused
from edge_bridge.adapters.paper.depth import BookClosed
from edge_bridge.adapters.paper.faults import Fault, FaultPlan, PipeDeath
from edge_bridge.adapters.paper.market_data import NotFound
from edge_bridge.adapters.paper.rates import BARS_MAX
from edge_bridge.adapters.paper.settings import AccountSettings
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.valuation import NoConversionRate

_T = TypeVar("_T")
SUCCESS = (c.S_OK, "Success")
NO_CONNECTION = (c.E_INTERNAL_FAIL_CONNECT, "No IPC connection")
_BUILD = 5260
_OPTIONS: dict[str, type] = {
    "login": int, "password": str, "server": str, "timeout": int, "portable": int,
}  # fmt: skip


class Session:
    """The functions that need no broker: connect, authorise, state of the terminal, last error."""

    def __init__(self, account: AccountSettings, sleep: Callable[[float], None]) -> None:
        self.account = account
        self.faults = FaultPlan()
        self._sleep = sleep
        self._connected = False
        self._shown: tuple[tuple[str, bool, bool], Struct] | None = None
        self._error: tuple[int, str] = SUCCESS
        self.terminal_trade_allowed = True
        """The AutoTrading button of the terminal."""
        self.api_disabled = False
        """The terminal's setting that keeps programs out: calls return None, error -8."""

    def initialize(self, path: object = None, /, **options: object) -> bool:
        """Connect; a login given must be the account's. A failure leaves it disconnected."""
        self._error = SUCCESS
        self._connected = False
        self._delay(self.faults.take("initialize", only_delays=True))
        account = self.account
        given = options.pop("path", path)
        wrong = [
            name for name, value in options.items()
            if not isinstance(value, _OPTIONS.get(name, ()))
        ]  # fmt: skip
        if wrong or not isinstance(given, str | None):
            return self._fail((c.E_INVALID_PARAMS, f'Invalid "{[*wrong, "path"][0]}" argument'))
        if given is not None and not _is_same_path(given, account.path):
            return self._fail((c.E_INTERNAL_FAIL_INIT, "Process create failed"))
        if "login" in options and not self._check_login(options):
            return False
        self._connected = True
        return True

    def login(
        self,
        login: object,
        password: object = None,
        server: object = None,
        *,
        timeout: object = 60_000,
    ) -> bool:
        """Authorise; a refusal leaves the pipe as it was."""
        self._error = SUCCESS
        given = {"login": login, "password": password, "server": server, "timeout": timeout}
        options = {name: value for name, value in given.items() if value is not None}
        for name, value in options.items():
            if not isinstance(value, _OPTIONS[name]):
                return self._fail((c.E_INVALID_PARAMS, f'Invalid "{name}" argument'))
        if not self._connected:
            return self._fail(NO_CONNECTION)
        self._delay(self.faults.take("login", only_delays=True))
        return self._check_login({"login": None} | options)

    def _check_login(self, options: Mapping[str, object]) -> bool:
        """Check who logs in; a password or server left out is the one the terminal has saved."""
        account = self.account
        known = {"login": account.login, "password": account.password, "server": account.server}
        if any(options.get(name, value) != value for name, value in known.items()):
            return self._fail((c.E_AUTH_FAILED, "Authorization failed"))
        return True

    def shutdown(self) -> bool:
        """Disconnect; the broker goes on."""
        self._error = SUCCESS
        self._connected = False
        return True

    def version(self) -> tuple[int, int, str]:
        """Terminal version, build and its date; zeros while disconnected."""
        self._error = SUCCESS
        return (500, _BUILD, "15 Aug 2025") if self._connected else (0, 0, "")

    def last_error(self) -> tuple[int, str]:
        """Code and text of the last call."""
        return self._error

    def terminal_info(self) -> Struct | None:
        """State of the terminal program."""
        return self._call("terminal_info", self._show_terminal)

    def _show_terminal(self) -> Struct:
        state = self.account.path, self.terminal_trade_allowed, self.api_disabled
        if self._shown is None or self._shown[0] != state:
            self._shown = state, self._describe_terminal()
        return self._shown[1]

    def _describe_terminal(self) -> Struct:
        folder = str(read_folder(self.account.path))
        known = {
            "connected": True, "trade_allowed": self.terminal_trade_allowed,
            "tradeapi_disabled": self.api_disabled, "build": _BUILD,
            "maxbars": BARS_MAX, "company": "Paper broker", "name": "Paper terminal",
            "language": "English", "path": folder, "data_path": folder,
            "commondata_path": folder, "codepage": 1252, "ping_last": 1000,
        }  # fmt: skip
        return structs.TerminalInfo.of(known)

    def _lose_pipe(self, error: tuple[int, str]) -> None:
        self._connected = False
        self._fail(error)

    def _fail(self, error: tuple[int, str]) -> bool:
        self._error = error
        return False

    def _delay(self, fault: Fault) -> None:
        if fault.delay_s:
            self._sleep(fault.delay_s)

    def _survives(self, fault: Fault, when: PipeDeath) -> bool:
        """Let a fault happen to the call; tell whether the call goes on."""
        if self.api_disabled or fault.api_off:
            return self._fail((c.E_AUTO_TRADING_DISABLED, "Program access is disabled"))
        if fault.pipe_dies == when:
            sent = when == "before"
            code = c.E_INTERNAL_FAIL_SEND if sent else c.E_INTERNAL_FAIL_RECEIVE
            self._lose_pipe((code, "IPC send failed" if sent else "IPC recv failed"))
            return False
        return True

    def _call(self, name: str, read: Callable[[], _T]) -> _T | None:
        """Run a call as the pipe would: reset the error, then record what goes wrong."""
        self._error = SUCCESS
        if not self._connected:
            self._error = NO_CONNECTION
            return None
        if self.api_disabled or self.faults.has_plans:
            fault = self.faults.take(name)
            self._delay(fault)
            if not self._survives(fault, fault.pipe_dies or "before"):
                return None
        try:
            return read()
        except ArgumentRefused as error:
            self._error = (c.E_INVALID_PARAMS, str(error))
        except NotFound as error:
            self._error = (c.E_NOT_FOUND, str(error))
        except (NoConversionRate, BookClosed) as error:
            self._error = (c.E_FAIL, f"Call failed: {error}")
        return None


def _is_same_path(given: str, path: str) -> bool:
    return PureWindowsPath(given) == PureWindowsPath(path)
