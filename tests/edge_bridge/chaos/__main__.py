"""`make chaos SEED=17`: one story again, aloud; `make chaos SEEDS=1000` many, in two processes."""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.edge_bridge.chaos.world import World


def play(seed: int) -> tuple[int, dict[str, int] | None, str]:
    """Play one seed; its counts, or what went wrong."""
    with tempfile.TemporaryDirectory(dir=_find_memory()) as folder:
        try:
            return seed, World(seed, Path(folder)).play(), ""
        except Exception as error:  # noqa: BLE001 - whatever fails is what is looked for
            return seed, None, f"{type(error).__name__}: {error}"


def _find_memory() -> str | None:
    """A folder in memory where there is one: the stories write a lot and keep nothing."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def run_seeds(first: int, total: int) -> list[int]:
    """Play seeds in two processes, saying how far they are; the seeds that failed."""
    started, failed = time.monotonic(), []
    with ProcessPoolExecutor(2) as pool:
        futures = [pool.submit(play, first + number) for number in range(total)]
        for done, future in enumerate(as_completed(futures), 1):
            seed, _, fault = future.result()
            if fault:
                failed.append(seed)
                print(f"\nseed {seed}: {fault}\n  again: make chaos SEED={seed}")  # noqa: T201
            if sys.stderr.isatty() or done % 50 == 0 or done == total:
                rate = done / (time.monotonic() - started)
                print(f"{done}/{total} seeds, {len(failed)} failed, {rate:.1f}/s", file=sys.stderr)  # noqa: T201
    return failed


def main() -> int:
    """Play seeds; 1 when one fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    if given.seed is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(World(given.seed, Path(folder)).play())  # noqa: T201 - a failure is raised whole
        return 0
    return 1 if run_seeds(given.first, given.seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
