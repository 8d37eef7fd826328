"""What each function unzips to, its layers included: AWS takes 250 MB and says so only when asked.

`make -C layers/third_party sizes` builds the third-party layers and runs this over them.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from iac.local.deploy_template import FUNCTION, LAYER, Template, list_resources, read_template

ROOT = Path(__file__).parents[1]
BYTES_MAX = 250 * 1024 * 1024
LAYERS_MAX = 5


def list_layers(template: Template) -> dict[str, list[str]]:
    """Return each function's layers: those of Globals and its own."""
    shared = template["Globals"]["Function"]["Layers"]
    return {
        name: [layer["Ref"] for layer in (*shared, *properties.get("Layers", []))]
        for name, properties in list_resources(template, FUNCTION)
    }


def measure_folder(folder: Path) -> int:
    """Return the bytes of every file beneath the folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure_functions(template: Template, built: Path, root: Path) -> Mapping[str, int]:
    """Return each function's unzipped bytes; `built` holds a folder a third-party layer."""
    sizes = {
        name: measure_folder(
            built / name
            if properties["ContentUri"] == "layers/third_party"
            else root / properties["ContentUri"] / "src"
        )
        for name, properties in list_resources(template, LAYER)
    }
    # The largest room stands for each of them: they differ by kilobytes.
    room = max(measure_folder(path) for path in (root / "functions").iterdir() if path.is_dir())
    return {
        function: room + sum(sizes[layer] for layer in layers)
        for function, layers in list_layers(template).items()
    }


def main(built: Path) -> int:
    """Print the figures; return 1 when a function is too large."""
    template = read_template((ROOT / "template.yaml").read_text(encoding="utf-8"))
    figures = measure_functions(template, built, ROOT)
    for function, size in sorted(figures.items(), key=lambda item: -item[1]):
        mark = " TOO LARGE" if size > BYTES_MAX else ""
        print(f"{size / 2**20:7.1f} MB  {function}{mark}")  # noqa: T201 - its output
    return int(any(size > BYTES_MAX for size in figures.values()))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
