"""Known vulnerabilities among the pinned packages: ``python -m iac.security.advisories``.

pip-audit asks the package index for its advisories; a mirror may have none, and then it calls
every package unknown and finds nothing. So it is asked for one package first; when it knows
nothing of that one, the dated list beside this file judges, and the report says so.
"""

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from packaging.version import Version

from iac.security.pins import Pin, list_files, read_all

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("advisories.toml")
PROBE = "requirements/uv.txt"
SOCKET_S = 5
PROBE_S = 20.0
AUDIT_S = 90.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which judge spoke, and what it found."""

    judge: str
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownAdvisories:
    """The dated list."""

    read_on: date
    safe_from: dict[str, list[str]]
    borne: dict[str, dict[str, str]]


def read_list(file: Path = LIST) -> KnownAdvisories:
    """Read the dated list. Raises KeyError and ValueError when it is not in order."""
    content = tomllib.loads(file.read_text())
    known = KnownAdvisories(content["read_on"], content["safe_from"], content.get("borne", {}))
    for name, (version, *ids) in known.safe_from.items():
        if not ids:
            raise ValueError(f"{name} {version} names no advisory")
    for name, entry in known.borne.items():
        if not entry["id"] or not entry["reason"]:
            raise ValueError(f"{name} is borne without a reason")
    return known


def judge_by_list(pins: list[Pin], known: KnownAdvisories) -> tuple[str, ...]:
    """Pins below the version that the list calls safe."""
    found = []
    for pin in pins:
        if pin.name not in known.safe_from:
            continue
        safe, *ids = known.safe_from[pin.name]
        if Version(pin.version) < Version(safe):
            found.append(
                f"{pin.file}:{pin.line}: {pin.name} {pin.version} has {', '.join(ids)}:"
                f" {safe} is the first without"
            )
    return tuple(found)


def ask_pip_audit(files: list[Path], timeout_s: float) -> dict[str, Any] | None:
    """pip-audit's report on requirements files; None when it got no answer."""
    words = ["-s", "pypi", "-f", "json", "--progress-spinner", "off", "--timeout", str(SOCKET_S)]
    words += ["--require-hashes", "--disable-pip"]
    words += [word for file in files for word in ("-r", str(file))]
    try:
        answer = subprocess.run(  # noqa: S603 - the requirements files of this copy
            [sys.executable, "-m", "pip_audit", *words],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        report: dict[str, Any] = json.loads(answer.stdout)
    except (subprocess.TimeoutExpired, json.JSONDecodeError):
        return None
    return report


def knows_something(report: dict[str, Any] | None) -> bool:
    """Whether the service answered for every package that it was asked for."""
    packages = (report or {}).get("dependencies", [])
    return bool(packages) and not any("skip_reason" in package for package in packages)


def read_report(report: dict[str, Any], file: str, borne: set[str]) -> list[str]:
    """What pip-audit found in one file, but for what is borne with a reason."""
    found = []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            found.append(f"{file}: {package['name']} was not audited: {package['skip_reason']}")
        for flaw in package.get("vulns", []):
            names = {flaw["id"], *flaw.get("aliases", [])}
            if not names & borne:
                fixed = ", ".join(flaw.get("fix_versions", [])) or "no version"
                found.append(
                    f"{file}: {package['name']} {package['version']} has"
                    f" {', '.join(sorted(names))}; fixed in {fixed}"
                )
    return found


def judge(root: Path = ROOT) -> Verdict:
    """Judge all pins, by pip-audit when it is answered, else by the list."""
    known = read_list()
    if knows_something(ask_pip_audit([root / PROBE], PROBE_S)):
        found: list[str] = []
        borne = {entry["id"] for entry in known.borne.values()}
        for file in list_files(root):  # apart: the files pin for environments of their own
            report = ask_pip_audit([file], AUDIT_S)
            name = file.relative_to(root).as_posix()
            found += (
                [f"{name}: pip-audit gave no answer"]
                if report is None
                else read_report(report, name, borne)
            )
        return Verdict("pip-audit, with the index's advisories of today", tuple(found))
    pins, _ = read_all(root)
    return Verdict(
        f"the list of {known.read_on:%Y-%m-%d} ({len(known.safe_from)} packages): no advisory"
        " service was reached, so later advisories are not seen",
        judge_by_list(pins, known),
    )


def main() -> int:
    """Report; 1 when a pin is vulnerable."""
    verdict = judge()
    sys.stdout.write("\n".join([f"judged by {verdict.judge}", *verdict.found]) + "\n")
    return 1 if verdict.found else 0


if __name__ == "__main__":
    sys.exit(main())
