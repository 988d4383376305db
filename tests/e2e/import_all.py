"""Run by test_packages, by a Python that sees only the parts of the bundle: carries out every `import` of our source.

Arguments: folders with our source. In the environment, BUNDLE: where the parts are. Prints JSON: how many were carried
out, and which could not be.
"""

# ruff: noqa: E402
import os
import sys

# Before anything else is imported.
sys.path[:] = os.environ["BUNDLE"].split(os.pathsep)

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Module and name in it. Without those of `if TYPE_CHECKING`, and those of the own package."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((node.module or "", alias.name) for alias in node.names)
        yield from imports(node)


def carry_out(module: str, name: str) -> None:
    imported = importlib.import_module(module)
    if name and not hasattr(imported, name):
        importlib.import_module(f"{module}.{name}")


def modules(folder: Path, file: Path) -> str:
    parts = file.relative_to(folder.parent if (folder / "__init__.py").exists() else folder).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def main() -> None:
    done, missing = 0, {}
    for folder in map(Path, sys.argv[1:]):
        for file in sorted(folder.rglob("*.py")):
            wanted = list(imports(ast.parse(file.read_text(encoding="utf-8"))))
            name = modules(folder, file)
            if "migrations" not in file.parts and not name.endswith("__main__"):
                wanted.append((name, ""))
            for module, part in wanted:
                try:
                    carry_out(module, part)
                    done += 1
                except ImportError as error:
                    missing[f"{file.name}: {module} {part}".strip()] = error.name or str(error)
    print(json.dumps({"carried_out": done, "missing": missing}))


main()
