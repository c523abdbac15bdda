"""Build the image without a container engine and try it: the Dockerfile's own steps, in clean Debian roots.

    unshare --mount python deploy/prove_image.py [--keep DIR] [--mirror URL]

For a machine that has no engine, as root, with debootstrap. Every FROM is a fresh copy of the Debian suite that its tag
names; RUN is executed by chroot with the ENV, WORKDIR and USER of its stage, COPY obeys .dockerignore, and an
instruction that this program does not know stops it. Then, as the image's user on a read-only root with its VOLUMEs
writable: every command prints its help, the sample runs through, the service starts, its HEALTHCHECK passes, SIGTERM
ends it with 0. The host's name service, CA bundle and PIP_* settings are lent to the roots, nothing else.
Exit codes: 0 proven, 1 a step failed (its output is above), 2 bad arguments.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pathspec
from dockerfile_parse import DockerfileParser

HERE = Path(__file__).resolve().parent
CONTEXT = HERE.parent
START = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
#: says something about the image, does nothing while it is built
DECLARATIONS = ("EXPOSE", "VOLUME", "HEALTHCHECK", "ENTRYPOINT", "CMD")


@dataclass
class Stage:
    """A file system under way and what later instructions and containers inherit."""

    name: str
    root: Path
    env: dict[str, str] = field(default_factory=lambda: dict(START))
    workdir: str = "/"
    user: str = "0"
    declared: dict[str, str] = field(default_factory=dict)


def main() -> int:
    """Parse, build, try; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="work here and leave the roots (default: a new folder)"
    )
    parser.add_argument("--mirror", default="http://deb.debian.org/debian", help="of Debian (default %(default)s)")
    parser.add_argument("--dockerfile", type=Path, default=HERE / "Dockerfile")
    args = parser.parse_args()
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        print("it needs root and debootstrap", file=sys.stderr)
        return 2
    with contextlib.ExitStack() as stack:
        work = args.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="image-")))
        work.mkdir(parents=True, exist_ok=True)
        try:
            image = build(args.dockerfile, work, args.mirror)
            try_out(image)
        except subprocess.CalledProcessError as err:
            print(f"FAILED with code {err.returncode}: {shlex.join(map(str, err.cmd))}", file=sys.stderr)
            return 1
    print("proven")
    return 0


def build(dockerfile: Path, work: Path, mirror: str) -> Stage:
    """Run every instruction; returns the last stage."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    with dockerfile.open("rb") as file:
        steps = DockerfileParser(fileobj=file).structure
    for step in steps:
        name, value = step["instruction"], step["value"]
        if name == "COMMENT":
            continue
        say(f"{name} {value[:110]}")
        if name == "ARG" and stage is None:
            key, _, default = value.partition("=")
            arguments[key] = default
        elif name == "FROM":
            image, _, alias = value.partition(" AS ")
            for key, given in arguments.items():
                image = image.replace(f"${{{key}}}", given)
            stage = Stage(alias.strip() or "image", work / (alias.strip() or "image"))
            stages[stage.name] = stage
            lay(image.strip(), stage.root, work, mirror)
        elif stage is None:
            raise SystemExit(f"{name} before FROM")
        elif name == "RUN":
            run(stage, ["/bin/sh", "-c", value], lent={k: v for k, v in os.environ.items() if k.startswith("PIP_")})
        elif name == "COPY":
            copy(stage, stages, shlex.split(value))
        elif name == "ENV":
            stage.env.update(pair.split("=", 1) for pair in shlex.split(value))
        elif name == "WORKDIR":
            stage.workdir = value
            (stage.root / value.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "USER":
            stage.user = value
        elif name in DECLARATIONS:
            stage.declared[name] = value
        else:
            raise SystemExit(f"{name}: this program does not know the instruction")
    if stage is None:
        raise SystemExit("no FROM")
    return stage


def lay(image: str, root: Path, work: Path, mirror: str) -> None:
    """A fresh copy of a Debian suite; `debian:SUITE-slim` is that suite less its manuals."""
    repository, _, tag = image.partition(":")
    if repository != "debian":
        raise SystemExit(f"FROM {image}: only debian:SUITE can be made here")
    suite = tag.partition("@")[0].partition("-")[0]
    base = work / f"base-{suite}"
    if not base.exists():
        partial = work / f"base-{suite}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        subprocess.run(["debootstrap", "--variant=minbase", suite, str(partial), mirror], check=True, stdout=sys.stderr)
        partial.rename(base)
    shutil.rmtree(root, ignore_errors=True)
    subprocess.run(["cp", "--archive", str(base), str(root)], check=True)


def copy(stage: Stage, stages: Mapping[str, Stage], words: list[str]) -> None:
    """COPY from the context, less what .dockerignore names, or from an earlier stage."""
    options = [word for word in words if word.startswith("--")]
    *sources, target = [word for word in words if not word.startswith("--")]
    origin = CONTEXT
    for option in options:
        key, _, value = option.partition("=")
        if key != "--from":
            raise SystemExit(f"COPY {option}: this program does not know the option")
        origin = stages[value].root
    into = stage.root / str(Path(stage.workdir, target)).lstrip("/")
    sent = set(context_files()) if origin is CONTEXT else None
    for source in sources:
        where = origin / source.lstrip("/")
        if sent is None:
            into.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "--archive", str(where), str(into)], check=True)
            continue
        chosen = [path for path in sent if path == source or path.startswith(f"{source}/")]
        if not chosen:
            raise SystemExit(f"COPY {source}: not in the build context")
        for path in chosen:
            # a folder's content goes below the target, a file into it or in its place
            below = path.removeprefix(f"{source}/") if where.is_dir() else where.name if into.is_dir() else ""
            end = into / below if below else into
            end.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CONTEXT / path, end)


def context_files() -> list[str]:
    """Paths that a build is sent: all but what .dockerignore leaves out."""
    ignored = pathspec.PathSpec.from_lines("gitignore", (CONTEXT / ".dockerignore").read_text().splitlines())
    tops = [path for path in CONTEXT.iterdir() if path.name not in (".git", ".venv", ".engine")]
    files = [path for top in tops for path in ([top] if top.is_file() else top.rglob("*")) if path.is_file()]
    return [name for path in files if not ignored.match_file(name := path.relative_to(CONTEXT).as_posix())]


@contextlib.contextmanager
def mounted(root: Path, *, writable: list[str] | None = None) -> Iterator[None]:
    """The kernel's file systems in the root; with `writable` all else is read-only: `docker run --read-only`."""
    done: list[Path] = []

    def mount(*words: str, at: Path) -> None:
        subprocess.run(["mount", *words, str(at)], check=True)
        done.append(at)

    try:
        if writable is not None:
            mount("--bind", str(root), at=root)
            subprocess.run(["mount", "-o", "remount,bind,ro", str(root)], check=True)
            for place in writable:
                mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", at=root / place.lstrip("/"))
        mount("-t", "proc", "proc", at=root / "proc")
        mount("--bind", "/dev", at=root / "dev")
        yield
    finally:
        for place in reversed(done):
            subprocess.run(["umount", str(place)], check=False)


def command(stage: Stage, words: list[str], lent: Mapping[str, str]) -> list[str]:
    """The words as the stage's user, in its folder, with its environment and no other."""
    env = [f"{key}={value}" for key, value in {**lent, **stage.env}.items()]
    user = ["--userspec", f"{stage.user}:{stage.user}"] if stage.user != "0" else []
    shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', stage.workdir]
    return ["env", "-i", *env, "chroot", *user, str(stage.root), *shell, *words]


def run(stage: Stage, words: list[str], lent: Mapping[str, str]) -> None:
    """One RUN, with the host's way to the network."""
    (stage.root / "etc/resolv.conf").write_bytes(Path("/etc/resolv.conf").read_bytes())
    bundle = stage.root / "tmp/host-ca.crt"
    if "PIP_CERT" in lent:
        shutil.copy(lent["PIP_CERT"], bundle)
        lent = {**lent, "PIP_CERT": "/tmp/host-ca.crt"}
    with mounted(stage.root):
        subprocess.run(command(stage, words, lent), check=True, stdin=subprocess.DEVNULL)
    bundle.unlink(missing_ok=True)


def try_out(image: Stage) -> None:
    """Use the image as a container would."""
    volumes = json.loads(image.declared["VOLUME"])
    entrypoint, serve = json.loads(image.declared["ENTRYPOINT"]), json.loads(image.declared["CMD"])
    health = json.loads(image.declared["HEALTHCHECK"].partition("CMD")[2])
    leftovers = [str(path) for name in (".env", ".git", "tests") for path in image.root.glob(f"opt/engine/**/{name}")]
    if leftovers := [
        path for path in leftovers if "/site-packages/" not in path or path.endswith("site-packages/tests")
    ]:
        raise SystemExit(f"the image holds {', '.join(leftovers)}")
    if image.user in ("0", "root"):
        raise SystemExit("the image runs as root")
    with mounted(image.root, writable=volumes):

        def container(*words: str, env: Mapping[str, str] | None = None) -> None:
            say(f"container: {shlex.join(words)[:110]}")
            subprocess.run(command(image, list(words), env or {}), check=True, stdin=subprocess.DEVNULL)

        container(
            "python",
            "-c",
            "import pathlib, sys; p = pathlib.Path('/opt/x')\ntry: p.touch()\nexcept OSError: sys.exit(0)\nsys.exit(9)",
        )
        for job in sorted(path.stem for path in (CONTEXT / "jobs").glob("[a-z]*.py")):
            container(*entrypoint, f"jobs.{job}", "--help")
        container("python", "-c", "import dask, distributed, fastapi, matplotlib, pyogrio, rasterio, netCDF4, pyflwdir")
        container(*entrypoint, "jobs.config")
        container(*entrypoint, "jobs.schema", "--roles")
        container(*entrypoint, "jobs.yearly")
        say("container: the service")
        service = subprocess.Popen(command(image, [*entrypoint, *serve], {"API_PORT": "18471"}))
        try:
            until = time.monotonic() + 180
            while subprocess.run(command(image, health, {"API_PORT": "18471"}), stderr=subprocess.DEVNULL).returncode:
                if service.poll() is not None or time.monotonic() > until:
                    raise SystemExit("the service did not become healthy")
                time.sleep(1)
            say("healthy")
            service.send_signal(signal.SIGTERM)
            if code := service.wait(60):
                raise SystemExit(f"SIGTERM ended the service with code {code}")
        finally:
            service.kill()


def say(text: str) -> None:
    """One step."""
    print(f"==> {time.strftime('%H:%M:%S')} {' '.join(text.split())}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
