# Sourced by ./run, ./test and .ci/lint with a lock file and its size installed: a virtual environment with these
# versions, made once. requirements-dev.lock holds all of requirements.lock: where it is installed, both are.
lock=$1 size=$2
stamp=.venv/.locked
installer=pip
if command -v uv >/dev/null; then installer=uv; fi

if [ ! -x .venv/bin/python ]; then
  without=
  if [ "$installer" = uv ]; then without=--without-pip; fi  # which takes seconds, and Debian's python3-venv
  python3 -m venv $without .venv || {
    echo "python3 -m venv failed; Debian needs: apt-get install python3-venv" >&2
    exit 1
  }
fi
if ! cmp -s "$lock" "$stamp" && ! cmp -s requirements-dev.lock "$stamp"; then
  count=$(grep -o '^[a-z0-9._-]*==' "$lock" | sort -u | wc -l)
  echo "installing $count packages of $lock into .venv with $installer (about $size on disk)" >&2
  if [ "$installer" = uv ]; then
    install="uv pip install --quiet --python .venv/bin/python"
  else
    .venv/bin/python -m pip --version >/dev/null 2>&1 || .venv/bin/python -m ensurepip >/dev/null  # made with uv before
    install=".venv/bin/python -m pip install --quiet --disable-pip-version-check"
  fi
  rm -f "$stamp"
  $install --require-hashes --requirement "$lock"
  $install --no-deps --editable .
  cp "$lock" "$stamp"
fi
