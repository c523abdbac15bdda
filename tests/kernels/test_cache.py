"""Kernels from disk: what a process finds, what it must not find, and what a bad disk costs."""

import fcntl
import json
import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from engine.kernels import _cache, _store
from engine.kernels._digest import Unknown, digest

#: kernels through `warm_up`, as a job runs them; prints a digest of the bytes and what came from disk
PROCESS = """
    import hashlib, json
    import numpy as np
    from engine import kernels
    from engine.kernels import annual, counts, normal

    x = np.random.default_rng(7).normal(10.0, 5.0, (50, 30))
    functions = [counts.bin_of, normal.normal_cdf]
    if PARALLEL:
        functions.append(annual._fill_means)

    def results():
        found = [[normal.normal_cdf(value) for value in x[0]], [counts.bin_of(value, x[1], 0.0) for value in x[0]]]
        return found + ([kernels.period_mean(x, slice(0, 20), 0.8)] if PARALLEL else [])

    kernels._call_all = results
    said = []
    kernels.warm_up(said.append)
    digest = hashlib.sha256(b"".join(np.asarray(each).tobytes() for each in results())).hexdigest()
    hits = sum(sum(each.stats.cache_hits.values()) for each in functions)
    misses = sum(sum(each.stats.cache_misses.values()) for each in functions)
    print(json.dumps({"digest": digest, "hits": hits, "misses": misses, "said": said}))
"""
SERIAL, PARALLEL = (PROCESS.replace("PARALLEL", str(flag)) for flag in (False, True))


def process(cache, script=SERIAL, user="/dev/null", **options):
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        env={**os.environ, "KERNEL_CACHE": str(cache), "XDG_CACHE_HOME": str(user)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )


def answer(started):
    out, err = started.communicate(timeout=120)
    assert started.returncode == 0, err
    return json.loads(out)


def entries(cache):
    return sorted(Path(cache).glob("*/*.kernel"))


def test_a_second_process_compiles_nothing_and_gives_the_same_bytes_as_without_a_cache(tmp_path):
    off, first = answer(process("off", PARALLEL)), answer(process(tmp_path, PARALLEL))
    second = answer(process(tmp_path, PARALLEL))
    assert first["said"] == ["compiling kernels, once for this version"]
    assert off["said"] == ["compiling kernels (no cache)"]
    assert second["said"] == []
    assert (second["hits"], second["misses"]) == (3, 0)
    assert off["digest"] == first["digest"] == second["digest"]
    assert not any(path.stat().st_mode & 0o222 for path in entries(tmp_path))


def test_of_eight_processes_that_start_together_one_compiles_and_no_entry_is_lost(tmp_path):
    answers = [answer(started) for started in [process(tmp_path) for _ in range(8)]]
    assert len({each["digest"] for each in answers}) == 1
    assert sorted(each["misses"] for each in answers) == [0] * 7 + [2]
    assert sum("compiling kernels, once for this version" in each["said"] for each in answers) == 1
    assert len(entries(tmp_path)) == 2
    assert not list(tmp_path.rglob(".*"))


def test_damaged_entries_are_compiled_again(tmp_path):
    whole = answer(process(tmp_path))
    cut, flipped = entries(tmp_path)
    for path, damage in ((cut, lambda content: content[:-100]), (flipped, lambda content: content[:-9] + b"\0" * 9)):
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(damage(content))
    mended = answer(process(tmp_path))
    assert mended["digest"] == whole["digest"]
    assert (mended["hits"], mended["misses"]) == (0, 2)
    assert answer(process(tmp_path))["hits"] == 2


def test_where_the_given_folder_cannot_be_used_the_users_own_is(tmp_path):
    (tmp_path / "a file").write_text("")
    answer(process(tmp_path / "a file" / "below", user=tmp_path / "user"))
    assert len(entries(tmp_path / "user" / "climate-risk-engine" / "kernels")) == 2


def _full_disk():
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_cache_that_cannot_be_written_costs_time_only(tmp_path):
    (tmp_path / "a file").write_text("")
    right = answer(process("off"))["digest"]
    nowhere = answer(process(tmp_path / "a file" / "below"))
    full = answer(process(tmp_path / "full", preexec_fn=_full_disk))
    assert nowhere["digest"] == full["digest"] == right
    assert [path.name for path in (tmp_path / "full").rglob("*") if path.is_file()] == ["lock"]


def test_a_folder_that_others_may_write_to_or_replace_is_not_trusted(tmp_path):
    folder = tmp_path / "kernels" / "key"
    folder.mkdir(parents=True)
    assert _store.prepare(folder)
    for path, mode, trusted in (
        (folder, 0o777, False),
        (folder, 0o775, False),
        (folder, 0o755, True),
        (folder.parent, 0o777, False),
        (folder.parent, 0o1777, True),  # as /tmp: nobody renames what is another's
    ):
        path.chmod(mode)
        assert _store.prepare(folder) is trusted, oct(mode)


def test_an_entry_that_others_may_change_is_compiled_again(tmp_path):
    path = tmp_path / "entry"
    assert _store.write(path, b"code")
    assert _store.read(path) == b"code"
    path.chmod(0o464)
    assert _store.read(path) is None


def test_an_empty_folder_that_cannot_be_written_is_passed_over_for_the_users_own(tmp_path, monkeypatch):
    folder = tmp_path / "key"
    monkeypatch.setattr(_store.os, "access", lambda path, mode: False)  # of root, on an image that is read-only
    assert not _store.prepare(folder)
    (folder / "complete-batch").touch()
    assert _store.prepare(folder)


def test_a_process_that_stopped_with_the_lock_is_waited_for_once(tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "_patience", 0.2)
    said = []
    with (tmp_path / "lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        for _ in range(2):
            with _store.locked(tmp_path, said.append):
                pass
    assert said == ["waiting for another process that compiles the kernels"]
    with _store.locked(tmp_path, said.append), (tmp_path / "lock").open("a") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_helper_that_changed_is_seen_although_the_kernel_did_not(tmp_path):
    script = f"""
        import json, sys
        sys.dont_write_bytecode = True
        sys.path.insert(0, {str(tmp_path)!r})
        from outer import outer
        print(json.dumps([outer(1.0), sum(outer.stats.cache_hits.values())]))
    """
    (tmp_path / "outer.py").write_text(
        "import inner\nfrom engine.kernels._compile import helper\n\n"
        "@helper\ndef outer(x):\n    return inner.inner(x) + inner.SHIFT\n"
    )
    helper = (
        "from engine.kernels._compile import helper\n\n"
        "SHIFT = {shift}\n@helper\ndef inner(x):\n    return x * {factor}\n"
    )
    seen = []
    for factor, shift in ((2, 0), (3, 0), (3, 1), (3, 1), (2, 0)):
        (tmp_path / "inner.py").write_text(helper.format(factor=float(factor), shift=float(shift)))
        os.utime(tmp_path / "inner.py", (1_000_000_000, 1_000_000_000))  # same size, same time
        seen.append(answer(process(tmp_path / "cache", script)))
    assert seen == [[2.0, 0], [3.0, 0], [4.0, 0], [4.0, 1], [2.0, 1]]


def test_a_digest_covers_flags_defaults_closures_and_constants_of_all_depths():
    from engine.kernels._compile import arithmetic, helper

    def made(constant, table=(1.0, 2.0), compiled=helper):
        def inner(x, by=constant):
            return x * by + table[0]

        inner = compiled(inner)

        @helper
        def outer(x):
            return inner(x)

        return digest(outer)

    assert made(1.0) == made(1.0)
    assert len({made(1.0), made(2.0), made(1.0, (2.0, 2.0)), made(1.0, compiled=arithmetic)}) == 4


def test_a_function_that_uses_something_unknown_is_never_kept():
    from engine.kernels._compile import helper

    class Thing:
        factor = 2.0

    thing = Thing()

    @helper
    def uses_it(x):
        return x * thing.factor

    with pytest.raises(Unknown, match="Thing"):
        digest(uses_it)


def test_what_else_the_machine_code_depends_on_is_in_the_key(monkeypatch):
    def key():
        _cache._key.cache_clear()
        return _cache._key()

    try:
        plain = key()
        monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
        assert key() == plain
        monkeypatch.setenv("NUMBA_BOUNDSCHECK", "1")
        assert key() != plain
        monkeypatch.delenv("NUMBA_BOUNDSCHECK")
        monkeypatch.setattr(_cache, "version", lambda name: "0.0" if name == "numba" else "1.0")
        assert key() != plain
    finally:
        monkeypatch.undo()
        _cache._key.cache_clear()


def test_folders_of_other_versions_go_but_for_the_three_used_last_and_nothing_else_does(tmp_path):
    for age, name in enumerate(["a" * 16, "b" * 16, "c" * 16, "d" * 16, "e" * 16, "photographs", "f" * 16]):
        (tmp_path / name).mkdir()
        if name != "f" * 16:  # sixteen letters of somebody else's, without our lock
            (tmp_path / name / "lock").touch()
        os.utime(tmp_path / name, (2_000_000_000 - age, 2_000_000_000 - age))
    _store.finish(tmp_path / ("e" * 16), "batch")
    assert sorted(path.name[0] for path in tmp_path.iterdir()) == ["a", "b", "c", "e", "f", "p"]


@pytest.mark.parametrize(
    ("chosen", "environment", "expected"),
    [
        (None, {"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/climate-risk-engine/kernels"),
        (None, {"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/climate-risk-engine/kernels"),
        (None, {"HOME": "/h"}, "/h/.cache/climate-risk-engine/kernels"),
        (None, {"XDG_CACHE_HOME": "/x", "KERNEL_CACHE": "/k"}, "/k /x/climate-risk-engine/kernels"),
        (None, {"HOME": "/h", "KERNEL_CACHE": " Off "}, ""),
        (None, {"HOME": "/h", "XDG_CACHE_HOME": "/x", "KERNEL_CACHE": "~/k"}, "/h/k /x/climate-risk-engine/kernels"),
        ("off", {"HOME": "/h", "KERNEL_CACHE": "/k"}, ""),
        ("/s", {"HOME": "nowhere", "KERNEL_CACHE": "off"}, "/s"),
        (None, {"HOME": "nowhere"}, ""),
    ],
)
def test_the_folder_follows_the_setting_then_the_environment_then_the_users_cache(
    monkeypatch, chosen, environment, expected
):
    for name in ("XDG_CACHE_HOME", "HOME", "KERNEL_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert [str(path) for path in _store.roots(chosen)] == expected.split()


def test_the_loop_that_calls_libpq_is_kept_too_for_it_holds_no_address(tmp_path):
    script = """
        import json
        from engine.kernels import placing
        placing.prepare()
        print(json.dumps(sum(placing.place_rows.stats.cache_hits.values())))
    """
    assert [answer(process(tmp_path, script)) for _ in range(2)] == [0, 1]
