"""The structure of the source: words, directions of imports, sizes. Nothing is imported here."""

import ast
import graphlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("handssl", "search", "analysis")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
SCRIPTS = sorted((ROOT / "search").glob("*.py"))

BANNED = {"own", "found", "shown", "place", "home", "there", "ends", "outage", "room", "ceiling"}
"""Identifiers that say how a thing stands in the sentence, not which thing it is."""

FLOORS = ("storage", "config", "space", "trials", "cluster", "observers", "studies")
"""Packages of search, lowest first: each imports only from lower ones."""

ANALYSIS_MAY_IMPORT = ("handssl.records", "handssl.errors", "handssl.atomic")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def identifiers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every name that the code gives or uses, in f-strings too, with its line."""
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name, line
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, line
            case ast.keyword(arg=str(name), value=value):
                yield name, value.lineno
            case ast.alias(name=name, asname=alias):
                yield from ((part, line) for part in (*name.split("."), alias or ""))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file may import, in functions too."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports are not used here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def internal_imports() -> dict[str, set[str]]:
    """For each module, the modules of this project that it imports."""
    names = {name_of(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        # `from module import name` may mean the module or its parent package.
        candidates = ({target, target.rpartition(".")[0]} for target in imports(path))
        graph[name_of(path)] = {
            max(matches, key=len) for pair in candidates if (matches := pair & names)
        }
    return graph


def test_identifiers_name_the_thing() -> None:
    hits = [
        f"{path.relative_to(ROOT)}:{line} {name}"
        for path in MODULES
        for name, line in identifiers(tree_of(path))
        if name in BANNED
    ]
    assert not hits, "\n".join(hits)


def test_imports_have_no_circle() -> None:
    graph = {name: targets - {name} for name, targets in internal_imports().items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize(
    ("package", "forbidden"),
    [
        ("handssl", ("search", "analysis", "ray", "optuna")),
        ("handssl.records", ("torch", "torchvision", "timm")),
        ("search", ("analysis",)),
        ("analysis", ("search", "torch", "ray")),
    ],
)
def test_packages_do_not_import_upwards(package: str, forbidden: tuple[str, ...]) -> None:
    hits = [
        f"{name_of(path)} imports {target}"
        for path in MODULES
        if f"{name_of(path)}.".startswith(f"{package}.")
        for target in imports(path)
        if target.partition(".")[0] in forbidden
    ]
    assert not hits, "\n".join(hits)


def test_analysis_knows_records_and_errors_of_handssl_alone() -> None:
    hits = [
        f"{name_of(path)} imports {target}"
        for path in MODULES
        if name_of(path).partition(".")[0] == "analysis"
        for target in imports(path)
        if target.startswith("handssl") and not target.startswith(ANALYSIS_MAY_IMPORT)
    ]
    assert not hits, "\n".join(hits)


def test_packages_of_search_import_from_lower_floors() -> None:
    floor = {f"search.{name}": height for height, name in enumerate(FLOORS)}
    floor["search.observers"] = floor["search.cluster"]  # side by side
    hits = []
    for name, targets in internal_imports().items():
        package = ".".join(name.split(".")[:2])
        for target in targets:
            below = ".".join(target.split(".")[:2])
            if package in floor and below in floor and floor[below] > floor[package]:
                hits.append(f"{name} imports {target}")
    assert not hits, "\n".join(hits)


def test_files_of_search_are_short_and_scripts_are_thin() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in MODULES}
    in_search = {name_of(path): n for path, n in sizes.items() if ROOT / "search" in path.parents}
    assert not {name: n for name, n in in_search.items() if n > 300}
    assert {path.name for path in SCRIPTS} >= {
        "build_store.py",
        "replay.py",
        "run_grid.py",
        "run_transfer.py",
    }
    thick = {path.name: sizes[path] for path in SCRIPTS if path.name != "cli.py"}
    assert not {name: n for name, n in thick.items() if n > 20}


def test_all_is_declared_in_packages_only() -> None:
    hits = [
        name_of(path)
        for path in MODULES
        if path.name != "__init__.py"
        and any(name == "__all__" for name, _ in identifiers(tree_of(path)))
    ]
    assert not hits
