#!/usr/bin/env bash
# A newcomer's first hour in ~/My Projects (2026)/: README's two commands, wrong words, Ctrl-C, a kill, the lines printed.
# Takes some minutes on a fresh clone; needs no root, uses its own ENGINE_HOME beside the clone and port 8765.
set -euo pipefail
cd "$(dirname "$0")/../.."
HOME_OF_HOUR=$(mktemp -d "${TMPDIR:-/tmp}/first hour (1).XXXXXX")
export ENGINE_HOME="$HOME_OF_HOUR/engine home" API_PORT=8765
PYTHON=.venv/bin/python out="$HOME_OF_HOUR/out" err="$HOME_OF_HOUR/err"

says() { echo "-- $*"; }
fails() { echo "NOT AS EXPECTED: $*" >&2; tail -n 5 "$out" "$err" >&2; exit 1; }
# run CODE COMMAND...: its exit code is CODE, and it never shows a traceback
run() {
  local want=$1 code=0; shift
  "$@" >"$out" 2>"$err" || code=$?
  [ "$code" = "$want" ] || fails "exit code $code, not $want: $*"
  ! grep -q Traceback "$err" || fails "a traceback: $*"
}
finds() { grep -qE -- "$1" "$out" "$err" || fails "not said: $1"; }
clean_up() {
  for pid in $(jobs -p); do kill -INT -- "-$pid" 2>/dev/null || true; done
  wait || true
  local server; server=$(head -1 "$ENGINE_HOME/postgres/postmaster.pid" 2>/dev/null || true)
  [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true
  rm -rf "$HOME_OF_HOUR"
}
trap clean_up EXIT
set -m # each background job is a group of its own, as in a terminal: Ctrl-C reaches ./run and its Python

says "a dry run on nothing makes nothing"
run 0 ./run --dry-run; finds "nothing was made"; [ ! -e "$ENGINE_HOME" ] || fails "ENGINE_HOME was made"
says "./run"
run 0 ./run; finds "status=completed .*risks=9 "; finds "synthetic sample: no servers are configured"
report=$(sed -n 's/^report: *//p' "$out") map=$(sed -n 's/^map: *//p' "$out")
says "the command for the report, as printed"
run 0 bash -c "$report"; finds "\.html"
says "the command for the map, as printed"
bash -c "exec env $map" >"$out" 2>"$err" & server=$!
for _ in $(seq 120); do "$PYTHON" -c "import httpx; httpx.get('http://127.0.0.1:8765/').raise_for_status()" 2>/dev/null && break; sleep 0.5; done
"$PYTHON" -c "import httpx; assert '<html' in httpx.get('http://127.0.0.1:8765/').text"
kill -INT -- "-$server"; wait "$server" || fails "the service did not end well"
says "README's first assessment: nine risks"
run 0 "$PYTHON" -m jobs.assess --lat 37.5665 --lon 126.978; finds "mean of 9 of the 9 risks"
says "wrong words are refused with the nearest right one"
run 2 "$PYTHON" -m jobs yearli; finds "did you mean yearly"
run 2 ./run --sampel seoul; finds "did you mean --sample"
run 2 ./run --risks wildfre; finds "did you mean wildfire"
says "the list of jobs; helps; a pipe that closes; a terminal without UTF-8"
run 0 "$PYTHON" -m jobs; finds "^  yearly "
for job in yearly assess etl status report serve listen; do run 0 "$PYTHON" -m "jobs.$job" --help; finds "exit codes:"; done
"$PYTHON" -m jobs | head -1 >/dev/null
LC_ALL=C PYTHONUTF8=0 run 0 "$PYTHON" -m jobs.status
# start a run, and stop it as soon as it computes (env: Ctrl-C counts also where this script itself runs in the background)
stopped() {
  env --default-signal=INT ./run --edition 2025-12 >"$out" 2>"$err" & local pid=$! code=0
  for _ in $(seq 600); do grep -q "yearly: computing" "$err" && break; sleep 0.1; done
  [ "$1" = INT ] || { "$PYTHON" -m jobs.status >"$out.2" 2>&1; grep -q "^running: yearly" "$out.2" || fails "not shown as running"; }
  kill "-$1" -- "-$pid"; wait "$pid" 2>/dev/null || code=$?
  [ "$code" = "$2" ] || fails "ended by $1 with $code, not $2"
}
says "Ctrl-C in the middle, and on with the line that it prints"
stopped INT 130; finds "nothing was switched"
line=$(sed -n 's/.*go on with run [0-9]*: //p' "$err"); run 3 bash -c "$line"; finds "edition=2025-12"
says "status while a run is going, and after kill -9"
stopped KILL 137; run 0 "$PYTHON" -m jobs.status; finds "^LOST: yearly"
line=$(sed -n 's/^LOST: .*continue with: //p' "$out"); run 3 bash -c "$line"; finds "edition=2025-12"
echo ok
