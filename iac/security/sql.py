"""Which SQL is built from text, and of what: bandit's B608 only says that it is.

Values are always bound. What a statement may be put together from are constants of the module
(``_COLUMNS``, ``_TABLES[lane]``, ``Store.SQL``); every other name needs an accepted reason.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_STATEMENT = re.compile(
    r"\b(SELECT\s|INSERT\s+INTO\s|UPDATE\s+[\w.{]+\s+SET\b|DELETE\s+FROM\s|WITH\s+\w+\s+AS\s*\()"
)
_CONSTANT = re.compile(r"_{0,2}[A-Z][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Built:
    """A piece of SQL text that is no constant."""

    file: str
    line: int
    expression: str

    @property
    def says(self) -> str:
        return f"is built with {self.expression}, which is no constant"


def find_built_sql(file: Path, root: Path) -> list[Built]:
    """What the SQL of a file is built with, besides constants."""
    tree = ast.parse(file.read_text())
    name = file.relative_to(root).as_posix()
    inner = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.BinOp)
        for child in (node.left, node.right)
    }
    return [
        Built(name, piece.lineno, ast.unparse(piece))
        for node in ast.walk(tree)
        if id(node) not in inner and _is_sql(node)
        for piece in _list_pieces(node)
        if not _is_constant(piece)
    ]


def _is_sql(node: ast.AST) -> bool:
    """Whether an expression puts text together, and the text reads as a statement."""
    if isinstance(node, ast.Call):
        return _is_format(node) and bool(_STATEMENT.search(_text_of(node.func)))
    return isinstance(node, ast.JoinedStr | ast.BinOp) and bool(_STATEMENT.search(_text_of(node)))


def _is_format(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "format_map")


def _text_of(node: ast.AST) -> str:
    """The constant text in an expression, holes as braces; other calls' arguments are not its."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(value) for value in node.values)
    if isinstance(node, ast.FormattedValue):
        return "{}"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return _text_of(node.left) + _text_of(node.right)
    return _text_of(node.value) if isinstance(node, ast.Attribute) else ""


def _list_pieces(node: ast.AST) -> Iterator[ast.expr]:
    """What fills an expression's holes."""
    if isinstance(node, ast.JoinedStr):
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                yield value.value
    elif isinstance(node, ast.BinOp):
        for side in (node.left, node.right):
            if isinstance(side, ast.BinOp | ast.JoinedStr):
                yield from _list_pieces(side)
            elif isinstance(side, ast.expr):
                yield side
    elif isinstance(node, ast.Call):
        yield from node.args
        yield from (keyword.value for keyword in node.keywords)


def _is_constant(piece: ast.expr) -> bool:
    if isinstance(piece, ast.Name | ast.Attribute):
        name = piece.id if isinstance(piece, ast.Name) else piece.attr
        return bool(_CONSTANT.fullmatch(name))
    if isinstance(piece, ast.Subscript):
        return _is_constant(piece.value)
    if isinstance(piece, ast.IfExp):
        return _is_constant(piece.body) and _is_constant(piece.orelse)
    if isinstance(piece, ast.Call):
        return _is_constant_format(piece)
    if isinstance(piece, ast.JoinedStr):
        return all(map(_is_constant, _list_pieces(piece)))
    return isinstance(piece, ast.Constant)


def _is_constant_format(call: ast.Call) -> bool:
    """``_SELECT.format(columns=_COLUMNS)`` and ``", ".join(_COLUMNS)``."""
    if not isinstance(call.func, ast.Attribute):
        return False
    known = _is_format(call) or call.func.attr == "join"
    return known and _is_constant(call.func.value) and all(map(_is_constant, _list_pieces(call)))
