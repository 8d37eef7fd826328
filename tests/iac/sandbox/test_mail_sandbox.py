"""The mail sandbox against smtplib."""

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from tests.iac.sandbox.stack import SMTP_PASSWORD, SMTP_USER, SandboxStack


@contextmanager
def open_smtp(sandbox: SandboxStack, login: bool = True) -> Iterator[smtplib.SMTP]:
    host, _, port = sandbox.endpoints["smtp"].partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as client:
        if login:
            client.login(SMTP_USER, SMTP_PASSWORD)
        yield client


def write_mail(to: str = "budi@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Sinyal <no-reply@example.com>"
    message["To"] = to
    message["Subject"] = "Verifikasi e-mail Anda é"
    message.set_content("Buka tautan ini.\n.\n.titik di awal baris\n")
    message.add_alternative("<p>Buka <a href='#'>tautan</a></p>", subtype="html")
    return message


def test_a_message_arrives_whole(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox) as client:
        client.send_message(write_mail())
    mails = sandbox.get("mail", "messages?to=Budi@example.com")
    assert len(mails) == 1
    mail = mails[0]
    assert mail["to"] == ["budi@example.com"]
    assert mail["from"] == "no-reply@example.com"
    assert mail["subject"] == "Verifikasi e-mail Anda é"
    assert mail["text"].splitlines() == ["Buka tautan ini.", ".", ".titik di awal baris"]
    assert "<a href" in mail["html"]
    assert mail["headers"]["From"] == "Sinyal <no-reply@example.com>"
    assert mail["received_at"]
    assert sandbox.get("mail", "messages?to=other@example.com") == []


def test_attachments_are_listed(sandbox: SandboxStack) -> None:
    message = write_mail()
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="INV.pdf")
    with open_smtp(sandbox) as client:
        client.send_message(message)
    attachment = sandbox.get("mail", "messages")[0]["attachments"][0]
    assert attachment == {"file_name": "INV.pdf", "mime_type": "application/pdf", "size": 4}


def test_mail_without_a_login_is_refused(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox, login=False) as client:
        with pytest.raises(smtplib.SMTPSenderRefused) as error:
            client.send_message(write_mail())
        assert error.value.smtp_code == 530


def test_a_wrong_password_is_refused(sandbox: SandboxStack) -> None:
    with (
        open_smtp(sandbox, login=False) as client,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        client.login(SMTP_USER, "wrong")


@pytest.mark.parametrize("mechanism", ["AUTH PLAIN", "AUTH LOGIN"])
def test_both_login_mechanisms_work(sandbox: SandboxStack, mechanism: str) -> None:
    with open_smtp(sandbox, login=False) as client:
        client.ehlo()
        client.user, client.password = SMTP_USER, SMTP_PASSWORD
        authenticate = client.auth_plain if mechanism == "AUTH PLAIN" else client.auth_login
        code, _ = client.auth(mechanism.split()[1], authenticate)
        assert code == 235


def test_a_bad_recipient_is_refused_and_the_good_one_served(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox) as client:
        refused = client.sendmail("a@example.com", ["nonsense", "budi@example.com"], b"x")
        assert list(refused) == ["nonsense"]
    assert len(sandbox.get("mail", "messages")) == 1


def test_a_message_too_big_is_refused_before_it_is_sent(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox) as client:
        code, _ = client.mail("a@example.com", [f"size={11 * 1024 * 1024}"])
        assert code == 552


def test_commands_out_of_order_and_unknown_ones_are_refused(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox) as client:
        assert client.docmd("DATA")[0] == 503
        assert client.docmd("RCPT", "TO:<budi@example.com>")[0] == 503
        assert client.docmd("TURN")[0] == 502
        for _ in range(8):
            client.docmd("TURN")
        assert client.noop()[0] == 421 or client.docmd("NOOP")[0] == 421


def test_smtp_faults_refuse_or_cut(sandbox: SandboxStack) -> None:
    sandbox.fault("mail", match="RCPT", status=450, body="greylisted")
    with (
        open_smtp(sandbox) as client,
        pytest.raises(smtplib.SMTPRecipientsRefused, match="greylisted"),
    ):
        client.send_message(write_mail())
    sandbox.fault("mail", match="DATA", drop=True)
    with pytest.raises(smtplib.SMTPServerDisconnected), open_smtp(sandbox) as client:
        client.send_message(write_mail())
    assert sandbox.get("mail", "messages") == []


def test_smtp_commands_are_recorded_without_the_password(sandbox: SandboxStack) -> None:
    with open_smtp(sandbox) as client:
        client.send_message(write_mail())
    paths = [entry["path"] for entry in sandbox.get("mail", "requests")]
    assert "AUTH PLAIN" in paths
    assert any(path.upper().startswith("RCPT TO:<BUDI@EXAMPLE.COM>") for path in paths)


def test_http_has_only_the_control_face(sandbox: SandboxStack) -> None:
    assert sandbox.client.get(f"{sandbox.endpoints['mail']}/anything").status_code == 404
