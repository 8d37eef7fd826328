"""What detect-secrets does not know: tokens of our own, and of providers in the midst of a line.

Loaded by path, so it imports nothing of ours.
"""

import re

from detect_secrets.plugins.base import RegexBasedDetector

MIXED = r"(?=[\w-]*[a-z])(?=[\w-]*[A-Z0-9])"  # names in code keep to one case


class OwnTokenDetector(RegexBasedDetector):
    """API keys, refresh tokens and the tokens of mails: a prefix and random characters."""

    secret_type = "Sinyal token"  # noqa: S105 - the name of a kind
    denylist = (re.compile(rf"\b(?:sk|srt|sml|evt|inv|prt|ect)_{MIXED}[\w-]{{20,}}", re.ASCII),)


class ProviderTokenDetector(RegexBasedDetector):
    """Midtrans, Telegram and LLM providers."""

    secret_type = "Provider token"  # noqa: S105 - the name of a kind
    denylist = (
        re.compile(r"\b(?:SB-)?Mid-(?:server|client)-[\w-]{20,}", re.ASCII),
        re.compile(rf"\b\d{{8,10}}:(?=[\w-]*[a-z]){MIXED}[\w-]{{35}}\b", re.ASCII),
        re.compile(r"\bsk-(?:ant|proj|svcacct)-[\w-]{20,}", re.ASCII),
        re.compile(r"\bAIza[\w-]{35}\b", re.ASCII),
    )
