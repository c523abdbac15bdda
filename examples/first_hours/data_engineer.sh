#!/usr/bin/env bash
# A data engineer's first hour: two PostgreSQL servers, settings in a file of their own, the cron line, a trigger, a killed run.
# From the root of a clone that ./run has set up, as an ordinary user:  bash examples/first_hours/data_engineer.sh
set -euo pipefail
root=$PWD
python=$root/.venv/bin/python
[ -x "$python" ] || { echo "run ./run once: it makes .venv" >&2; exit 1; }
work=$(mktemp -d)
started=()
end() { kill "${started[@]}" 2>/dev/null || true; wait || true; rm -rf "$work"; }
trap end EXIT
fail() { echo "NOT AS IT SHOULD BE: $*" >&2; exit 1; }
expect() { # CODE WORDS COMMAND...: the exit code, and what the output must hold
  local code=$1 words=$2 got=0; shift 2
  "$@" > "$work/said" 2>&1 || got=$?
  [ "$got" = "$code" ] || { tail -5 "$work/said" >&2; fail "exit code $got instead of $code: $*"; }
  grep -q -- "$words" "$work/said" || { tail -5 "$work/said" >&2; fail "no '$words' from: $*"; }
  ! grep -q Traceback "$work/said" || fail "a stack trace from: $*"
}
wait_for() { for _ in $(seq 240); do grep -q -- "$1" "$2" 2>/dev/null && return; sleep 0.5; done; tail -5 "$2" >&2; fail "no '$1' in $2"; }
address() { "$python" -c "import re, sys; print(re.search(r'postgresql://\S+/$2\S*', open(sys.argv[1]).read())[0])" "$1"; }
job() { local name=$1; shift; (cd "$HOME" && exec "$python" -P -m "jobs.$name" "$@" --env-file "$work/settings.env"); }
export HOME=$work/home; mkdir "$HOME"

echo "1. nothing is configured: --servers refuses the sample and makes nothing"
expect 2 "no servers are configured" env -i HOME="$HOME" PATH=/usr/bin:/bin sh -c "cd && '$python' -P -m jobs.yearly --servers"
[ -z "$(ls -A "$HOME")" ] || fail "something was made in $HOME"
expect 2 "which is no file" "$python" -P -m jobs.yearly --servers --env-file /nowhere/settings.env

echo "2. two servers: two embedded ones stand for them"
for side in warehouse results; do
  ENGINE_HOME=$work/$side "$python" -P -m jobs.embedded > "$work/$side.log" 2>&1 & started+=($!)
done
wait_for skala_datawarehouse "$work/warehouse.log"; wait_for skala_application "$work/results.log"
warehouse=$(address "$work/warehouse.log" skala_datawarehouse); results=$(address "$work/results.log" skala_application)
printf 'DW_URL=%s\nAPP_URL=%s\nENGINE_HOME=%s\nEMBEDDED=false\nSCHEDULED_RUNS=true\n' "$warehouse" "$results" "$work/engine" > "$work/settings.env"
chmod 600 "$work/settings.env"

echo "3. tables and roles; files of the synthetic sample into server A"
expect 0 "rights granted to climate_etl" job schema --roles
(cd "$root" && "$python" -c "from pathlib import Path; from engine.sample import korea; korea.build(Path('$work/data'))")
expect 0 "failed=0" job etl all --data "$work/data"

echo "4. the cron line, from HOME with no environment: results into server B"
expect 0 "status=completed" env -i HOME="$HOME" PATH=/usr/bin:/bin sh -c "cd && '$python' -P -m jobs.yearly --servers --env-file '$work/settings.env'"
expect 0 "all 9 risks" job status

echo "5. what 1 January would meet: a broken edition is said today"
expect 0 "has what it needs" job listen --servers --check
{ cat "$work/settings.env"; echo "EDITION=$work/broken.toml"; } > "$work/broken.env"
echo 'risks = nonsense' > "$work/broken.toml"
expect 1 "line 1" "$python" -P -m jobs.listen --servers --check --env-file "$work/broken.env"

echo "6. the listener: JSON lines, a trigger, kill -9 of the run, resume"
(cd "$HOME" && LOG_FORMAT=json exec "$python" -P -m jobs.listen --servers --env-file "$work/settings.env") > "$work/listen.log" 2>&1 & started+=($!)
wait_for "listening on" "$work/listen.log"
expect 0 "status=queued" job trigger yearly
wait_for "yearly: computing" "$work/listen.log"
kill -9 "$("$python" -c "import json,re,sys; print([re.search(r'yearly started, process (\d+)', json.loads(l)['message']) for l in open('$work/listen.log') if 'yearly started' in l][-1][1])")"
wait_for "ended with code -9" "$work/listen.log"
expect 0 "continue with: python -m jobs.yearly --resume" job status
run=$(grep -o -- '--resume [0-9]*' "$work/said" | head -1)
expect 0 "status=completed" job yearly --servers $run
"$python" -c "import json; [json.loads(line) for line in open('$work/listen.log')]" || fail "a line of the log is no JSON"
echo ok
