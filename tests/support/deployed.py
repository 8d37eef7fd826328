"""The deployed local stack as a world for people: API Gateway in front, mails in the sandbox."""

import re
from typing import Any

import httpx

from iac.local.demo.client import call_sandbox, list_rows
from iac.local.stack import Stack
from tests.support.people import Answer, eventually

_CODE = re.compile(r"^[A-Za-z0-9_.-]{32,400}$", re.MULTILINE)


class DeployedStack:
    """The API behind the stack's API Gateway, mails in the sandbox's mailbox."""

    def __init__(self, stack: Stack) -> None:
        api = stack.describe()["api"]
        self.url, self.host = api["url"], api["host_header"]
        self._mail = stack.sandboxes.urls["mail"]
        self._http = httpx.Client(base_url=self.url, timeout=30, trust_env=False)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"host": self.host, **(headers or {})}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        answer = self._http.request(method, path, json=body, headers=sent)
        return Answer(answer.status_code, dict(answer.headers), answer.text)

    def settle(self) -> None:
        """Queues take their time; who waits for something looks for it."""

    def read_code(self, email: str) -> str:
        def look() -> str | None:
            body = call_sandbox(self._mail, "GET", "messages", params={"to": email})
            for mail in list_rows(body, "messages"):
                if match := _CODE.search(mail["text"].replace("\r", "")):
                    return match.group(0)
            return None

        return eventually(look, f"a mail to {email}")
