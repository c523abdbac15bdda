"""Imports point one way. Reads the source, so that a cycle is named by its line and not by a crash at import."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASE = {"errors", "scenario", "period", "grid", "variables", "panel", "quality", "names", "levels", "reading"}
BASE |= {"address", "logs", "webhook_address"}
#: room -> what it may import of engine and jobs, besides itself
ALLOWED = {
    "kernels": {"period"},
    **dict.fromkeys(BASE, BASE),
    "settings": {"errors", "address", "settings_files", "webhook_address"},
    "settings_files": {"errors", "address"},
    "risks": BASE | {"kernels"},
    "assess": BASE | {"kernels"},
    "io": BASE | {"kernels", "settings"},
    "sample": BASE | {"kernels", "io"},
    "plan": BASE | {"risks", "io"},
    "guard": BASE | {"risks", "plan"},
    "frames": BASE | {"io", "kernels", "plan"},
    "block": BASE | {"frames"} | {"risks", "io", "kernels", "plan"},
    "summary": BASE | {"risks", "plan"},
    "pipeline": BASE | {"risks", "io", "kernels", "plan", "block", "guard", "summary"},
    "batch": BASE | {"risks", "io", "kernels", "plan", "block", "guard", "pipeline", "summary"},
    "rehearsal": BASE | {"settings", "risks", "io", "plan", "pipeline", "batch"},
    "cluster": BASE | {"settings", "risks", "io", "kernels", "plan", "pipeline", "batch"},
    "sites": BASE | {"assess", "io", "settings"},
    "picture": set(),
    "borders": set(),
    "report": BASE | {"picture", "borders", "kernels", "risks", "io", "plan", "summary"},
    "service": BASE | {"settings", "assess", "risks", "io", "sites", "picture", "borders"},
    "__init__": {"period", "scenario", "pipeline"},
}
KERNEL_LIBRARIES = {"numpy", "numba", "llvmlite", "math"}
STANDARD_IN_KERNELS = {"__future__", "collections", "dataclasses", "pathlib", "typing"}
#: keep the compiled kernels on disk, so they know files and numba's inner parts
CACHE_OF_KERNELS = {"_cache.py", "_digest.py", "_store.py"}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            yield node.lineno, node.module
            if node.module == "engine":
                for alias in node.names:
                    yield node.lineno, f"engine.{alias.name}"


def room(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "engine" and len(parts) > 1 else None


@pytest.mark.parametrize("path", sorted((ROOT / "engine").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_the_engine_point_one_way(path):
    relative = path.relative_to(ROOT / "engine")
    here = relative.parts[0].removesuffix(".py")
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: engine.{here} imports {module}"
        for line, module in imports(path)
        if room(module) not in {None, here} | ALLOWED[here] or module.split(".")[0] == "jobs"
    ]
    assert not wrong, "\n".join(wrong)


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
