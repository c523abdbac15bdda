"""Imports point one way. Reads the source, so that a fault is named by its line and not by a crash at import."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: rooms that are looked at by themselves, the deepest first; all others are the folders of `engine/`
ROOMS = (
    "io.etl.loaders", "io.etl.derive",
    "io.files", "io.netcdf", "io.db", "io.queue", "io.climate", "io.etl", "io.results", "io.export", "io.sites",
    "io.memory",
    "assess.rules", "assess.job",
)  # fmt: skip
FILES = {"io.files", "io.netcdf"}
ETL = {"core", "kernels", "io.db", "io.etl"} | FILES
READ = {"core", "kernels", "risks", "io", "io.db", "io.climate", "io.results"}
ASSESS = {"assess", "assess.rules", "assess.job"}
#: room -> what it may import of the engine, besides itself
ALLOWED = {
    "core": set(),
    "maps": {"core"},
    "kernels": {"core"},
    "losses": {"core", "kernels"},
    "risks": {"core", "kernels"},
    "io.files": {"core"},
    "io.netcdf": {"core", "io.files"},
    "io.db": {"core"},
    "io.queue": {"core", "io.db"},
    "io.climate": {"core", "kernels", "io.db", "io.files"},
    "io.etl": ETL | {"io.climate"},
    "io.etl.loaders": ETL,
    "io.etl.derive": ETL | {"io.etl.loaders"},
    "io.results": {"core", "io.db", "io.queue", "io.climate"},
    "io.export": {"core", "io.db", "io.files", "io.results"},
    "io.sites": {"core", "io.db", "io.queue", "io.files", "io.etl", "io.etl.loaders"},
    "io.memory": ETL | {"io.climate", "io.etl.derive"},
    "io": {"core", "io.climate", "io.results"},
    "batch": READ,
    "assess.rules": {"core", "kernels"},
    "assess.job": {"core", "losses", "risks", "io.db", "io.queue", "io.files", "io.results", "io.sites"} | ASSESS,
    "assess": ASSESS,
    "sample": ETL | {"io.climate", "io.etl.loaders", "io.etl.derive"},
    "report": READ | {"batch", "losses", "maps", "io.etl", "io.sites"},
    "service": READ | ASSESS | {"batch", "losses", "maps", "io.queue", "io.files", "io.sites"},
    "public": READ | {"batch", "io.export", "maps", "report", "sample"},
    "": {"core", "kernels", "risks", "io", "io.memory", "assess", "batch", "losses", "public"},
}
#: runs the loaders and checks what they left: above them, though their machinery is below
ABOVE_THE_LOADERS = {"engine/io/etl/__init__.py", "engine/io/etl/check.py"}
KERNEL_LIBRARIES = {"numpy", "numba", "llvmlite", "math"}
STANDARD_IN_KERNELS = {"__future__", "collections", "dataclasses", "functools", "inspect", "pathlib", "typing"}
#: keep the compiled kernels on disk, so they know files and numba's inner parts
CACHE_OF_KERNELS = {"_cache.py", "_digest.py", "_store.py"}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "engine").rglob("*.py")
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield node.lineno, full if full in MODULES else node.module


def room(module):
    """`io.results` of `engine.io.results.load`; None outside of the engine."""
    top, _, inner = module.partition(".")
    if top != "engine":
        return None
    return next((each for each in ROOMS if inner == each or inner.startswith(f"{each}.")), inner.partition(".")[0])


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_the_engine_point_one_way(path):
    here, name = room(module_of(path)), str(path.relative_to(ROOT))
    allowed = ALLOWED[here] | ({"io.etl.loaders"} if name in ABOVE_THE_LOADERS else set())
    wrong = [
        f"{name}:{line}: engine.{here} imports {module}"
        for line, module in imports(path)
        if room(module) not in {None, here} | allowed or module.split(".")[0] == "jobs"
    ]
    assert not wrong, "\n".join(wrong)


def test_no_room_leads_back_to_itself():
    faces = {"io", "assess"}  # hand on what is below them, and are imported from above
    tuple(TopologicalSorter({name: others - {name} - faces for name, others in ALLOWED.items()}).static_order())


@pytest.mark.parametrize(
    "path",
    [path for path in sorted((ROOT / "engine" / "kernels").glob("*.py")) if path.name not in CACHE_OF_KERNELS],
    ids=lambda path: path.name,
)
def test_kernels_know_arrays_only(path):
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: a kernel imports {module}"
        for line, module in imports(path)
        if module.split(".")[0] not in KERNEL_LIBRARIES | STANDARD_IN_KERNELS | {"engine"}
    ]
    assert not wrong, "\n".join(wrong)
