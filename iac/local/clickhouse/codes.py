"""ClickHouse's error codes, and the HTTP status its server answers each with.

Source: ErrorCodes.cpp and exceptionCodeToHTTPStatus in ClickHouse's HTTP handler.
"""

import re

SYNTAX_ERROR = 62
UNKNOWN_SETTING = 115
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
CANNOT_DECOMPRESS = 271
QUERY_IS_TOO_LARGE = 509
SESSION_IS_LOCKED = 373
AUTHENTICATION_FAILED = 516
UNKNOWN_EXCEPTION = 1002

_STATUS_BY_CODES: dict[int, tuple[int, ...]] = {
    403: (192, 193, AUTHENTICATION_FAILED, 497),
    400: (
        *(6, 7, 10, 16, 20, 26, 27, 32, 33, 36, 38, 39, 40, 41, 43, 44, 47, 51, 53, 56, 62, 63),
        *(69, 70, 72, 117, 131, 158, 179, 184, 190, 215, 306, 307, 349, 351, 386, 408, 456, 457),
    ),
    404: (46, 50, 60, 73, 78, 81, UNKNOWN_SETTING),
    408: (159,),
    413: (QUERY_IS_TOO_LARGE,),
    501: (48,),
    503: (TOO_MANY_SIMULTANEOUS_QUERIES, 209, 210, 252),
}
_STATUS = {code: status for status, codes in _STATUS_BY_CODES.items() for code in codes}
_CODE = re.compile(r"Code: (\d+)\.")


class QueryRefused(Exception):
    """The engine or its front refused a request; `code` is ClickHouse's number for the reason."""

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code, message)

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, 500)

    @property
    def body(self) -> str:
        """Return the message in ClickHouse's shape: `Code: 62. DB::Exception: ... (NAME)`."""
        if self.message.startswith("Code: "):
            return self.message
        return f"Code: {self.code}. DB::Exception: {self.message}"


def read_engine_error(error: RuntimeError) -> QueryRefused:
    """Turn chDB's RuntimeError into a refusal with the code its text carries."""
    text = str(error)
    found = _CODE.search(text)
    if found is None:
        return QueryRefused(UNKNOWN_EXCEPTION, text)
    return QueryRefused(int(found[1]), text[found.start() :])
