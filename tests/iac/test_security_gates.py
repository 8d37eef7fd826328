"""The gates of ``make audit`` find what they are there for; the harmless passes with a reason."""

import base64
import json
import re
import secrets
import subprocess
import tomllib
import urllib.parse
from pathlib import Path

import pytest

from iac.security import advisories, code, pins, secret_scan
from iac.security.advisories import KnownAdvisories
from iac.security.code import Accepted, Finding
from iac.security.log_scan import Planted, find_leaks
from iac.security.pins import Pin
from iac.security.sql import find_built_sql

ROOT = Path(__file__).parents[2]
HASH = "--hash=sha256:" + "0" * 64


# Pins and advisories.


def write_pins(root: Path, text: str) -> tuple[list[Pin], list[str]]:
    (root / "requirements").mkdir(exist_ok=True)
    (root / "requirements" / "dev.txt").write_text(text)
    pinned, loose = pins.read_all(root)
    return pinned, [str(row) for row in loose]


def test_every_requirement_of_the_product_has_a_version_and_a_hash() -> None:
    pinned, loose = pins.read_all(ROOT)
    assert len(pinned) > 200
    assert loose == []


def test_a_pin_without_a_hash_is_named(tmp_path: Path) -> None:
    pinned, loose = write_pins(tmp_path, f"good==1.0 \\\n    {HASH}\nbad==2.0\n")
    assert [(pin.name, pin.hashes) for pin in pinned] == [("good", 1), ("bad", 0)]
    assert loose == ["requirements/dev.txt:3: bad==2.0 has no sha256 hash"]


@pytest.mark.parametrize("line", ["loose>=1.0", "loose", "git+https://example.com/loose.git"])
def test_a_requirement_without_an_exact_version_is_named(tmp_path: Path, line: str) -> None:
    _, loose = write_pins(tmp_path, f"{line} \\\n    {HASH}\n")
    assert loose == [f"requirements/dev.txt:1: {line} has no exact version"]


def test_a_hash_that_is_too_short_is_none(tmp_path: Path) -> None:
    _, loose = write_pins(tmp_path, "bad==2.0 \\\n    --hash=sha256:00ff\n")
    assert loose == ["requirements/dev.txt:1: bad==2.0 has no sha256 hash"]


def known(**safe_from: list[str]) -> KnownAdvisories:
    listed = advisories.read_list()
    return KnownAdvisories(listed.read_on, safe_from, {})


def test_a_pin_below_the_safe_version_is_found() -> None:
    pin = Pin("pyjwt", "2.9.0", "requirements/dev.txt", 7, 1)
    found = advisories.judge_by_list([pin], known(pyjwt=["2.12.0", "CVE-2026-32597"]))
    assert found == (
        "requirements/dev.txt:7: pyjwt 2.9.0 has CVE-2026-32597: 2.12.0 is the first without",
    )


@pytest.mark.parametrize("version", ["2.12.0", "2.12.1", "2.100.0", "3.0"])
def test_a_pin_of_the_safe_version_or_above_passes(version: str) -> None:
    pin = Pin("pyjwt", version, "requirements/dev.txt", 7, 1)
    assert advisories.judge_by_list([pin], known(pyjwt=["2.12.0", "CVE-2026-32597"])) == ()


def test_the_product_s_pins_are_not_vulnerable_by_the_dated_list() -> None:
    listed = advisories.read_list()
    pinned, _ = pins.read_all(ROOT)
    assert advisories.judge_by_list(pinned, listed) == ()
    names = {pin.name for pin in pinned}
    assert set(listed.safe_from) | set(listed.borne) <= names, "listed, but pinned no more"


def test_a_package_that_the_service_does_not_know_is_no_answer() -> None:
    unknown = {"name": "uv", "skip_reason": "Dependency not found on PyPI"}
    assert not advisories.knows_something({"dependencies": [unknown]})
    assert not advisories.knows_something({"dependencies": []})
    assert not advisories.knows_something(None)
    assert advisories.knows_something({"dependencies": [{"name": "uv", "vulns": []}]})


def test_what_pip_audit_finds_is_told_unless_it_is_borne() -> None:
    flaw = {"id": "PYSEC-2026-1", "aliases": ["CVE-2026-1"], "fix_versions": ["1.1"]}
    report = {"dependencies": [{"name": "bad", "version": "1.0", "vulns": [flaw]}]}
    found = advisories.read_report(report, "requirements/dev.txt", set())
    assert found == ["requirements/dev.txt: bad 1.0 has CVE-2026-1, PYSEC-2026-1; fixed in 1.1"]
    assert advisories.read_report(report, "requirements/dev.txt", {"CVE-2026-1"}) == []


def test_without_a_network_the_dated_list_judges_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    verdict = advisories.judge(ROOT)
    assert f"the list of {advisories.read_list().read_on}" in verdict.judge
    assert "no advisory service was reached" in verdict.judge
    assert verdict.found == ()


# Secrets.


def make_repository(folder: Path, **files: str) -> Path:
    subprocess.run(["git", "init", "-q", str(folder)], check=True, timeout=30)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def own_key(prefix: str) -> str:
    return f"{prefix}_" + "aB3" + secrets.token_urlsafe(32)


PLANTED = {
    "an API key of ours": lambda: own_key("sk_live"),
    "a refresh token": lambda: own_key("srt"),
    "a verification token": lambda: own_key("evt"),
    "a reset token": lambda: own_key("sml"),
    "an AWS key": lambda: "AKIA" + "Q7ZK3MNP4RSTUVWX",
    "a Midtrans server key": lambda: "Mid-" + "server-" + "aB3" + secrets.token_urlsafe(18),
    "a bot's token": lambda: "812345678" + ":AA" + secrets.token_urlsafe(24) + "x",
    "an LLM provider's key": lambda: "sk-" + "ant-" + secrets.token_urlsafe(32),
    "a private key": lambda: "-----BEGIN " + "PRIVATE KEY-----",
    "a password in an address": lambda: "postgres://sinyal:" + "hunter22zz@db.example.com/x",
}


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, kind: str) -> None:
    planted = f'"""A room."""\n\nVALUE = "{PLANTED[kind]()}"\n'
    root = make_repository(tmp_path, clean='"""Nothing here."""\n', room=planted)
    new, _ = secret_scan.judge(root)
    assert {(row.file, row.line) for row in new} == {("room.py", 3)}


def test_a_copy_of_the_product_with_a_planted_key_fails_and_without_it_passes(
    tmp_path: Path,
) -> None:
    for name in ("functions/user_service", "layers/kit/src/kit"):
        for file in (ROOT / name).rglob("*.py"):
            copy = tmp_path / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(file.read_text())
    root = make_repository(tmp_path)
    before = secret_scan.scan(root)
    secret_scan.write_baseline(root, before)
    assert secret_scan.judge(root) == ([], set())
    settings = root / "functions" / "user_service" / "settings.py"
    settings.write_text(settings.read_text() + f'\nROOT_KEY = "{own_key("sk_local")}"\n')
    new, stale = secret_scan.judge(root)
    assert {(row.file, row.kind) for row in new} >= {
        ("functions/user_service/settings.py", "Sinyal token")
    }
    assert stale == set()


def test_what_git_ignores_is_not_read_and_what_it_would_add_is(tmp_path: Path) -> None:
    key = own_key("sk_live")
    root = make_repository(tmp_path, ignored=f'K = "{key}"\n', added=f'K = "{key}"\n')
    (root / ".gitignore").write_text("ignored.py\n")
    new, _ = secret_scan.judge(root)
    assert {row.file for row in new} == {"added.py"}


def test_what_the_baseline_knows_in_vain_is_told(tmp_path: Path) -> None:
    root = make_repository(tmp_path, room=f'K = "{own_key("sk_live")}"\n')
    secret_scan.write_baseline(root, secret_scan.scan(root))
    (root / "room.py").write_text("K = None\n")
    new, stale = secret_scan.judge(root)
    assert new == []
    assert {file for file, _, _ in stale} == {"room.py"}


def test_the_baseline_keeps_no_value(tmp_path: Path) -> None:
    key = own_key("sk_live")
    root = make_repository(tmp_path, room=f'K = "{key}"\n')
    secret_scan.write_baseline(root, secret_scan.scan(root))
    assert key not in (root / secret_scan.BASELINE).read_text()


def test_names_that_look_like_our_tokens_are_none(tmp_path: Path) -> None:
    names = "sk_learn_has_a_rather_long_module_name inv_of_a_matrix_that_is_singular"
    root = make_repository(tmp_path, room=f'"""{names}"""\nROW = "evt_"\n')
    assert secret_scan.scan(root) == []


# Code.


def write_module(root: Path, text: str, rules: str = "") -> list[Finding]:
    (root / "functions").mkdir(exist_ok=True)
    (root / "functions" / "room.py").write_text(text)
    (root / "pyproject.toml").write_text(f"[tool.bandit]\n{rules}")
    return code.run_bandit(root)


SHELL = "import subprocess\n\n\ndef run(text):\n    subprocess.run(text, shell=True)"


def test_a_shell_command_is_found_and_a_bare_remark_is_no_reason(tmp_path: Path) -> None:
    found = write_module(tmp_path, SHELL + "  # noqa: S602\n")
    assert "B602" in {row.rule for row in found}
    failing = code.judge([row for row in found if row.rule == "B602"], [])
    assert len(failing) == 1
    assert failing[0].startswith("functions/room.py:5: B602 (high)")


def test_a_remark_with_a_reason_is_accepted_for_its_own_rule_only(tmp_path: Path) -> None:
    found = write_module(tmp_path, SHELL + "  # noqa: S602 - a constant\n")
    assert [row.rule for row in found if code.is_remarked(row)] == ["B602"]
    found = write_module(tmp_path, SHELL + "  # noqa: S105 - a constant\n")
    assert not any(map(code.is_remarked, found))


def test_what_is_accepted_passes_and_fails_once_it_is_gone() -> None:
    finding = Finding("B105", "a.py", 3, 'token = ""', "(low) password")
    entry = Accepted("B105", "a.py", 'token = ""', "no token yet")
    assert code.judge([finding], [entry]) == []
    assert code.judge([finding], []) == ["a.py:3: B105 (low) password"]
    assert "not found any more" in code.judge([], [entry])[0]


def test_every_rule_that_is_left_out_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    skipped = tomllib.loads(text)["tool"]["bandit"]["skips"]
    assert len(skipped) <= 5
    for rule in skipped:
        assert re.search(rf'"{rule}",?\s*# \w.{{20,}}', text), rule
    assert all(len(entry.reason) >= 10 for entry in code.read_accepted())


def find_sql(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "store.py"
    file.write_text(text)
    return [built.expression for built in find_built_sql(file, tmp_path)]


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("tx.execute(f\"SELECT * FROM users WHERE name = '{name}'\")", "name"),
        ('tx.execute("SELECT * FROM users WHERE name = " + name)', "name"),
        ("tx.execute(\"DELETE FROM users WHERE name = '%s'\" % name)", "name"),
        ('tx.execute("SELECT * FROM {}".format(table))', "table"),
        ('tx.execute("SELECT * FROM t" f" WHERE {where}" " LIMIT 1")', "where"),
        ('tx.execute(f"UPDATE t SET {column} = 1 WHERE id = %s", [id])', "column"),
        ('tx.execute(f"INSERT INTO t VALUES ({values()})")', "values()"),
    ],
)
def test_sql_that_is_built_with_a_value_is_found(
    tmp_path: Path, text: str, expression: str
) -> None:
    assert find_sql(tmp_path, text) == [expression]


@pytest.mark.parametrize(
    "text",
    [
        'tx.execute(f"SELECT {_COLUMNS} FROM users WHERE id = %s", [id])',
        'tx.execute(f"DELETE FROM {_TABLES[lane]} WHERE seq = ?", [seq])',
        'tx.execute(_SELECT.format(more="") + " SELECT 1 ")',
        'tx.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))',
        'raise NotFound(f"no order {order_id} to select from")',
        'log(f"please update {name} and delete it from the list")',
    ],
)
def test_sql_of_constants_and_prose_pass(tmp_path: Path, text: str) -> None:
    assert find_sql(tmp_path, text) == []


# Logs.

SECRET = 'p4nda & "bambu" r4hasia/+ é sekali'
DRESSES = {
    "plain": lambda s: s,
    "json": lambda s: json.dumps({"password": s}),
    "json in json": lambda s: json.dumps({"body": json.dumps({"password": s})}),
    "link": lambda s: "/v1/x?password=" + urllib.parse.quote(s, safe=""),
    "form": lambda s: urllib.parse.urlencode({"password": s}),
    "hexadecimal": lambda s: s.encode().hex().upper(),
    "repr": lambda s: repr({"password": s}),
    "shouted": lambda s: s.upper(),
    **{
        f"base64 after {n}": lambda s, n=n: base64.b64encode(b"x" * n + s.encode() + b"yz").decode()
        for n in range(4)
    },
    **{
        f"base64 of links after {n}": lambda s, n=n: base64.urlsafe_b64encode(
            b"\xff" * n + s.encode()
        ).decode()
        for n in range(4)
    },
}


@pytest.mark.parametrize("dress", DRESSES)
def test_a_planted_secret_is_found_in_a_log_in_any_dress(dress: str) -> None:
    planted = Planted({"the password": SECRET})
    line = f"12:00:00 INFO said {DRESSES[dress](SECRET)} there"
    (leak, *_) = find_leaks(planted, [("clean.log", "nothing"), ("room.log", line)])
    assert (leak.name, leak.source) == ("the password", "room.log")
    assert SECRET not in repr(leak)


def test_the_beginning_of_a_token_is_found_in_a_log() -> None:
    token = "srt_" + secrets.token_urlsafe(32)
    planted = Planted({"the refresh token": token})
    assert find_leaks(planted, [("room.log", f"refresh {token[:24]}... refused")])
    assert not find_leaks(planted, [("room.log", f"refresh {token[:8]}... refused")])


def test_a_clean_log_has_no_leak_and_a_short_value_is_refused() -> None:
    planted = Planted({"the password": SECRET, "the address": "rahasia-91@example.com"})
    assert find_leaks(planted, [("room.log", '{"message": "login refused", "email": "***"}')]) == []
    with pytest.raises(ValueError, match="under 8 characters"):
        Planted({"the code": "123456"})
