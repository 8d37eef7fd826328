"""The connection between the Python process and a simulated terminal: one pipe, one last error."""

from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import TypeVar

from edge_bridge.adapters import constants as c
from edge_bridge.adapters.credentials import read_folder
from edge_bridge.adapters.paper import structs
from edge_bridge.adapters.paper.arguments import ArgumentRefused
from edge_bridge.adapters.paper.market_data import NotFound
from edge_bridge.adapters.paper.rates import BARS_MAX
from edge_bridge.adapters.paper.settings import AccountSettings
from edge_bridge.adapters.paper.structs import Struct
from edge_bridge.adapters.paper.valuation import NoConversionRate

_T = TypeVar("_T")
SUCCESS = (c.S_OK, "Success")
NO_CONNECTION = (c.E_INTERNAL_FAIL_CONNECT, "No IPC connection")
_BUILD = 5260


class Session:
    """The functions that need no broker: connect, authorise, state of the terminal, last error."""

    def __init__(self, account: AccountSettings) -> None:
        self.account = account
        self._connected = False
        self._error: tuple[int, str] = SUCCESS
        self.terminal_trade_allowed = True
        """The AutoTrading button of the terminal."""

    def initialize(self, path: object = None, /, **options: object) -> bool:
        """Connect; a login given must be the account's. A failure leaves it disconnected."""
        self._error = SUCCESS
        self._connected = False
        account = self.account
        if path is not None and not _is_same_path(path, account.path):
            return self._fail((c.E_INTERNAL_FAIL_INIT, "Process create failed"))
        if "login" in options and not self._check_login(options):
            return False
        self._connected = True
        return True

    def login(
        self,
        login: object,
        password: str = "",
        server: str = "",
        *,
        timeout: int = 60_000,  # noqa: ARG002 - the module's signature
    ) -> bool:
        """Authorise; a refusal leaves the pipe as it was."""
        self._error = SUCCESS
        if isinstance(login, int) and not self._connected:
            return self._fail(NO_CONNECTION)
        return self._check_login({"login": login, "password": password, "server": server})

    def _check_login(self, options: Mapping[str, object]) -> bool:
        account = self.account
        if not isinstance(options["login"], int):
            return self._fail((c.E_INVALID_PARAMS, 'Invalid "login" argument'))
        given = (options["login"], options.get("password", ""), options.get("server", ""))
        if given != (account.login, account.password, account.server):
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
        return self._call(self._show_terminal)

    def _show_terminal(self) -> Struct:
        folder = str(read_folder(self.account.path))
        known = {
            "connected": True, "trade_allowed": self.terminal_trade_allowed, "build": _BUILD,
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

    def _call(self, read: Callable[[], _T]) -> _T | None:
        """Run a call as the pipe would: reset the error, then record what goes wrong."""
        self._error = SUCCESS
        if not self._connected:
            self._error = NO_CONNECTION
            return None
        try:
            return read()
        except ArgumentRefused as error:
            self._error = (c.E_INVALID_PARAMS, str(error))
        except NotFound as error:
            self._error = (c.E_NOT_FOUND, str(error))
        except NoConversionRate as error:
            self._error = (c.E_FAIL, f"No rate for {error}")
        return None


def _is_same_path(given: object, path: str) -> bool:
    return isinstance(given, str) and PureWindowsPath(given) == PureWindowsPath(path)
