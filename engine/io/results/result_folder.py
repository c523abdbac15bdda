"""Layout of a directory of results, so that one rename publishes a run and a reader has the files of one run.

    DIR/.runs/ID/                    the files of a published run: NAME.parquet, run.json; never changed afterwards
    DIR/.runs/ID.json                row and log of every run
    DIR/.current                     link to .runs/ID: what is published, changed by one rename
    DIR/NAME.parquet, DIR/run.json   links through .current

Where a file system knows no links, `.current` is a file that holds `.runs/ID`, and what stands beside it are copies.
An older directory holds plain files and no `.current`; `adopt` takes it over.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.core.errors import SourceError
from engine.io.results.folder import LocalFolder

RUNS, CURRENT, RECORD = ".runs", ".current", "run.json"
#: what a file system says that makes no links
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL}
#: and what it says of a second name for a file: another device, too many names, another owner
_NO_NAMES = {*_NO_LINKS, errno.EXDEV, errno.EMLINK, errno.EACCES}
_POINTED = re.compile(r"\.runs/[0-9]+")


def current(folder: Path) -> Path:
    """The folder that holds the published files, all of one state: take it once, then open as many as are wanted.

    raises : SourceError when the pointer is damaged, or names what is not there
    """
    pointer = folder / CURRENT
    try:
        if pointer.is_symlink():
            named = os.fspath(pointer.readlink())
        elif pointer.is_file():
            named = pointer.read_text("utf-8").strip()
        else:  # plain files: the older form, or a copy that followed the links
            return folder
    except (OSError, ValueError) as err:
        raise SourceError(f"{pointer} could not be read: {err}") from err
    if not _POINTED.fullmatch(named):
        raise SourceError(f"{pointer} names {named[:60]!r} and no run under {RUNS}: it was not written by this engine")
    if not (folder / named).is_dir():
        raise SourceError(
            f"{pointer} names {named}, which is not there: copy such a directory together with its {RUNS}"
        )
    return folder / named


def entries(folder: Path) -> dict[int, dict[str, Any]]:
    """`run` and `log` of every run, by number; the published one as its own run.json says it.

    A process killed between the switch and its record leaves a run that is published and does not say so.
    """
    known = {
        int(path.stem): json.loads(path.read_text("utf-8"))
        for path in sorted((folder / RUNS).glob("[0-9]*.json"), key=lambda path: int(path.stem))
    }
    record = current(folder) / RECORD
    if record.is_file():
        run = json.loads(record.read_text("utf-8"))
        if run["run_id"] in known:
            known[run["run_id"]]["run"] = run
    return known


def write_json(folder: Path, name: str, value: object) -> None:
    """Put a file in place in one step that survives a power cut."""
    LocalFolder(folder).write(name, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode())


def sync(path: Path) -> None:
    """A file's bytes, or the names in a folder, are on the disk afterwards."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def second_name(source: Path, target: Path) -> None:
    """The same file under another name, or a copy where that cannot be."""
    try:
        os.link(source, target)
    except OSError as err:
        if err.errno not in _NO_NAMES:
            raise
        shutil.copyfile(source, target)
        sync(target)


def adopt(folder: Path, names: Iterable[str]) -> None:
    """Give a directory of plain files the present form. Killed anywhere, it reads as before and may be tried again.

    The files become a run of their own, numbered by their run.json, before links take their places.
    names : of the files that may be there, run.json aside
    """
    pointer = folder / CURRENT
    if pointer.is_symlink() or pointer.is_file():
        return
    plain = [path for name in (*names, RECORD) if (path := folder / name).is_file()]
    if pointer.is_dir():  # a copy that followed links: the plain files hold the same
        shutil.rmtree(pointer)
    if not plain:
        return
    taken = folder / RUNS / str(_number(folder / RECORD))
    if taken.exists():
        shutil.rmtree(taken)
    taken.mkdir()
    for path in plain:
        second_name(path, taken / path.name)
    switch(folder, taken)


def _number(record: Path) -> int:
    return int(json.loads(record.read_text("utf-8"))["run_id"]) if record.is_file() else 0


def switch(folder: Path, run: Path) -> bool:
    """Make the files of a run folder the published ones. Returns False where the places beside it are copies.

    The names are made ready first, then the pointer is renamed once, then what was plain is replaced.
    raises : OSError; what is published then is what `current` says
    """
    for partial in folder.glob(".*.partial"):  # of a killed process
        partial.unlink()
    names = sorted(path.name for path in run.iterdir())
    sync(run)
    sync(run.parent)
    pointer = folder / f"{CURRENT}.partial"
    if not _point_at(pointer, run):
        copies = [_copied(run / name, folder) for name in names]
        pointer.replace(folder / CURRENT)
        for name, copy in zip(names, copies, strict=True):
            copy.replace(folder / name)
        sync(folder)
        return False
    _mend(folder)
    _link(folder, [name for name in names if not (folder / name).exists()])
    pointer.replace(folder / CURRENT)
    _link(folder, names)
    sync(folder)
    return True


def _mend(folder: Path) -> None:
    """Replace plain files beside a pointer by links: a takeover was killed, or the disk knew no links before."""
    if (present := current(folder)) == folder:
        return
    if not (folder / CURRENT).is_symlink():
        partial = folder / f"{CURRENT}.links.partial"
        partial.symlink_to(f"{RUNS}/{present.name}")
        partial.replace(folder / CURRENT)
    _link(folder, [path.name for path in present.iterdir()])


def _point_at(partial: Path, run: Path) -> bool:
    named = f"{RUNS}/{run.name}"
    try:
        partial.symlink_to(named)
    except OSError as err:
        if err.errno not in _NO_LINKS:
            raise
        partial.write_text(named + "\n", "utf-8")
        sync(partial)
        return False
    return True


def _link(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        place, through = folder / name, f"{CURRENT}/{name}"
        if place.is_symlink() and os.fspath(place.readlink()) == through:
            continue
        partial = folder / f".{name}.partial"
        partial.symlink_to(through)
        partial.replace(place)


def _copied(source: Path, folder: Path) -> Path:
    partial = folder / f".{source.name}.partial"
    shutil.copyfile(source, partial)
    sync(partial)
    return partial
