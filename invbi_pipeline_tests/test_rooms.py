"""The rooms of the house and the arrows between them: every import is read from the source and must point down."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "invbi_pipeline"
# Top to bottom. Rooms on one line stand side by side and do not know each other.
FLOORS = (
    ("definitions", "cli"),
    ("defs",),
    ("live",),
    ("flows",),
    ("channels",),
    ("dashboard", "alerts"),
    ("store",),
    ("domain",),
)
FLOOR = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
COMMON = {"config", "errors"}
WORDS = "invbi_pipeline.domain.words"


def modules() -> dict[str, Path]:
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str, *, at_load_only: bool = False) -> set[str]:
    """Return the modules of the package that `module` imports; with `at_load_only`, not those inside functions."""
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if not at_load_only else (n for top in tree.body for n in _load_time(top))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            base = node.module or ""
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names}
    return {name for name in found if name.split(".")[0] == PACKAGE.name}


def _load_time(node: ast.stmt) -> list[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return []
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":  # read by the type checker alone
        return [n for child in node.orelse for n in _load_time(child)]
    nested = [n for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt) for n in _load_time(child)]
    return [node, *nested]


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("module", sorted(MODULES))
def test_every_arrow_points_down(module: str) -> None:
    here = room(module)
    for target in imports(module):
        there = room(target)
        allowed = (
            there in {"", here}
            or (there in COMMON and here != "sandbox")
            or (here in COMMON and target == WORDS)
            or (here == "sandbox" and target == WORDS)
            or (here == "cli" and there == "sandbox")
            or (here in FLOOR and there in FLOOR and FLOOR[here] < FLOOR[there])
        )
        assert allowed, f"{module} must not import {target}"


def test_every_room_is_on_a_floor() -> None:
    rooms = {room(m) for m in MODULES} - COMMON - {"", "sandbox"}
    assert rooms <= set(FLOOR)


def test_no_module_imports_itself_in_a_circle_while_loading() -> None:
    graph = {m: imports(m, at_load_only=True) & set(MODULES) - {m, PACKAGE.name} for m in MODULES}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("module", sorted(m for m in MODULES if room(m) == "domain"))
def test_the_domain_is_pure(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    outside = {"os", "time", "httpx", "requests", "duckdb", "sqlalchemy", "dagster", "random", "socket", "pathlib", "asyncio"}
    names = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not names & outside


@pytest.mark.parametrize("module", sorted(MODULES))
def test_heavy_libraries_are_imported_where_they_are_used(module: str) -> None:
    heavy = {"great_expectations", "pandas", "pandera", "altair", "vl_convert", "apprise", "xlsxwriter", "matplotlib"}
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    names = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").split(".")[0]
        for top in tree.body
        for node in _load_time(top)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not names & heavy


@pytest.mark.parametrize("module", sorted(m for m in MODULES if room(m) == "flows"))
def test_flows_read_then_decide_then_correct(module: str) -> None:
    order = ("feeds", "decision", "corrections")
    here = module.split(".")[2:3]
    if not set(here) & set(order):
        return
    below = {PACKAGE.name + ".flows." + name for name in ("context", *order[: order.index(here[0]) + 1])}
    flows = {target for target in imports(module) if room(target) == "flows"}
    assert all(any(target == name or target.startswith(name + ".") for name in below) for target in flows), flows
