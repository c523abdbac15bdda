# Sourced by ./run, ./test and .ci/run: a virtual environment with the locked versions, made once.
if [ ! -x .venv/bin/python ]; then
  python3 -m venv .venv || {
    echo "python3 -m venv failed; Debian needs: apt-get install python3-venv" >&2
    exit 1
  }
fi
stamp=.venv/.locked
if ! cmp -s requirements.lock "$stamp"; then
  echo "installing the locked packages into .venv (2.3 GB, some minutes)" >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
  cp requirements.lock "$stamp"
fi
