"""``make audit``: every security gate, side by side: ``python -m iac.security``.

Code (bandit, SQL), advisories, hashes of the pins, secrets. Exit 1 when one of them fails.
"""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from iac.security.pins import read_all

ROOT = Path(__file__).parents[2]
GATES = ("secret_scan", "code", "advisories")
GATE_S = 600.0


def run_gate(name: str) -> tuple[int, str]:
    """Run one gate in a process of its own; its exit code and what it said."""
    answer = subprocess.run(  # noqa: S603 - one of GATES
        [sys.executable, "-m", f"iac.security.{name}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=GATE_S,
        check=False,
    )
    return answer.returncode, (answer.stdout + answer.stderr).strip()


def check_hashes() -> tuple[int, str]:
    """Whether every requirement pins a version and the hashes of its files."""
    pins, loose = read_all(ROOT)
    lines = [*map(str, loose), f"{len(pins)} pins in all, {len(loose)} without version or hash"]
    return (1 if loose or not pins else 0), "\n".join(lines)


def main() -> int:
    """Run all gates and show what each said; 1 when one failed."""
    began = time.monotonic()
    with ThreadPoolExecutor(len(GATES)) as pool:
        answers = dict(zip(GATES, pool.map(run_gate, GATES), strict=True))
    answers["hashes"] = check_hashes()
    for name, (code, said) in answers.items():
        mark = "ok  " if code == 0 else "FAIL"
        sys.stdout.write(f"{mark} {name}: " + said.replace("\n", "\n     ") + "\n")
    failed = [name for name, (code, _) in answers.items() if code]
    took_s = time.monotonic() - began
    sys.stdout.write(f"{len(answers) - len(failed)} of {len(answers)} gates in {took_s:.1f} s\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
