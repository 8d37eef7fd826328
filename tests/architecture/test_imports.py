"""Who may import whom: the design's table, kept by import-linter and by reading the files."""

import subprocess
import sys
import tomllib

from tests.architecture.tree import ROOMS, ROOT, find_files, imports_of, name

CONTRACT_LIBRARIES = sys.stdlib_module_names | {"contracts", "pydantic"}


def test_every_import_contract_is_kept() -> None:
    path = [ROOT, *(ROOT / part for part in ("layers/contracts/src", "layers/kit/src"))]
    path.append(ROOT / "edge-bridge/src")
    answer = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(map(str, path)), "COLUMNS": "200", "PATH": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_room_is_named_in_the_import_contracts() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    rooms = {f"functions.{room}" for room in ROOMS}
    lists = [set(c.get("modules", c.get("containers", ()))) for c in settings["contracts"]]
    assert [named for named in lists if named] == [rooms, rooms]


def test_contracts_import_the_standard_library_and_pydantic_only() -> None:
    foreign = {
        name(path): sorted(strange)
        for path in find_files(".py", below="layers/contracts/src")
        if (strange := {i for i in imports_of(path) if i.split(".")[0] not in CONTRACT_LIBRARIES})
    }
    assert foreign == {}


def test_only_the_mt5_adapter_imports_metatrader5() -> None:
    importers = {
        name(path)
        for path in find_files(".py")
        if "MetaTrader5" in {i.split(".")[0] for i in imports_of(path)}
    }
    strangers = {path for path in importers if "adapters/mt5/" not in path}
    assert strangers == set()


def test_nothing_that_is_deployed_imports_the_local_stack() -> None:
    importers = {
        name(path)
        for path in find_files(".py")
        if any(i == "iac.local" or i.startswith("iac.local.") for i in imports_of(path))
    }
    allowed = ("iac/", "tests/", "benchmarks/")
    assert {path for path in importers if not path.startswith(allowed)} == set()


def test_only_doors_read_a_rooms_settings() -> None:
    readers = {
        name(path)
        for room in ROOMS
        for path in find_files(".py", below=f"functions/{room}")
        if f"functions.{room}.settings" in imports_of(path)
    }
    doors = ("/api.py", "/consumer.py", "/authorizer.py", "/admin.py", "/audit.py", "/settings.py")
    inner = {path for path in readers if not path.endswith(doors)}
    assert {path for path in inner if "/api/" not in path} == set()


def test_the_engine_knows_contracts_and_ports_only() -> None:
    allowed = ("contracts.", "edge_bridge.engine.", "edge_bridge.ports.")
    own = ("contracts", "kit", "functions", "edge_bridge", "iac")
    strange = {
        f"{name(path)}: {imported}"
        for path in find_files(".py", below="edge-bridge/src/edge_bridge/engine")
        for imported in imports_of(path)
        if imported.split(".")[0] in own and not f"{imported}.".startswith(allowed)
    }
    libraries = {
        f"{name(path)}: {imported}"
        for path in find_files(".py", below="edge-bridge/src/edge_bridge/engine")
        for imported in imports_of(path)
        if imported.split(".")[0] not in CONTRACT_LIBRARIES | {"orjson"} | set(own)
    }
    assert strange | libraries == set()
