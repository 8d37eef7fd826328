"""How a mail is laid out: one letter, rendered as plain text and as HTML without images or scripts.

The HTML loads nothing from anywhere, so opening a mail tells nobody; every value is escaped.
"""

from dataclasses import dataclass
from html import escape

from functions.notification_service.models import Language

_SIGNATURE: dict[Language, str] = {
    "id": "Sinyal. Surat ini dikirim otomatis.",
    "en": "Sinyal. This mail was sent automatically.",
}
_BODY = "font-family:sans-serif;font-size:16px;line-height:1.5;color:#1b1f24;max-width:36em"
_BUTTON = (
    "display:inline-block;padding:10px 18px;border-radius:6px;background:#0b5cad;color:#ffffff;"
    "text-decoration:none"
)
_CODE = "font-family:monospace;word-break:break-all;background:#f2f4f7;padding:8px"
_SMALL = "font-size:13px;color:#5b6470"


@dataclass(frozen=True, slots=True)
class Letter:
    """The parts of a mail, in the order they are read. ``link`` is (label, address), ``code`` is
    (what it is, the code), ``facts`` are (name, value)."""

    subject: str
    greeting: str
    before: tuple[str, ...]
    link: tuple[str, str]
    after: tuple[str, ...]
    code: tuple[str, str] | None = None
    facts: tuple[tuple[str, str], ...] = ()


def render_text(letter: Letter, language: Language) -> str:
    """Plain text; the code is alone on its line."""
    label, address = letter.link
    parts = [letter.greeting, *letter.before]
    if letter.facts:
        parts.append("\n".join(f"{name}: {value}" for name, value in letter.facts))
    parts.append(f"{label}:\n{address}")
    if letter.code:
        parts += [letter.code[0], letter.code[1]]
    parts += [*letter.after, f"-- \n{_SIGNATURE[language]}"]
    return "\n\n".join(parts) + "\n"


def render_html(letter: Letter, language: Language) -> str:
    """The same, as HTML."""
    label, address = letter.link
    parts = [_paragraph(text) for text in (letter.greeting, *letter.before)]
    if letter.facts:
        rows = "".join(
            f"<tr><td>{escape(name)}&emsp;</td><td>{escape(value)}</td></tr>"
            for name, value in letter.facts
        )
        parts.append(f"<table>{rows}</table>")
    parts.append(f'<p><a style="{_BUTTON}" href="{escape(address)}">{escape(label)}</a></p>')
    if letter.code:
        what, code = letter.code
        parts += [_paragraph(what), f'<p style="{_CODE}">{escape(code)}</p>']
    parts += [_paragraph(text) for text in letter.after]
    parts.append(f'<p style="{_SMALL}">{escape(_SIGNATURE[language])}</p>')
    body = "\n".join(parts)
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{escape(letter.subject)}</title></head>\n"
        f'<body style="{_BODY}">\n{body}\n</body></html>\n'
    )


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"
