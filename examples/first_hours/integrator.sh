#!/usr/bin/env bash
# A service integrator's first hour: every call of docs/service.md as it stands there, the milestones of a WebSocket, a workbook
# as a form, HEAD and OPTIONS, a path prefix, the key. From the root of a clone after ./run:
#   bash examples/first_hours/integrator.sh
set -euo pipefail
python=$PWD/.venv/bin/python
port=${PORT:-8051}
[ -x "$python" ] || { echo "run ./run once: it makes .venv and the results of the sample" >&2; exit 1; }
work=$(mktemp -d)
server=
end() { [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; } || true; rm -rf "$work"; }
trap end EXIT
fail() { echo "NOT AS IT SHOULD BE: $*" >&2; tail -5 "$work/log" >&2 || true; exit 1; }
serve() { # OPTIONS...: start the service and wait until it has results to serve
  [ -z "$server" ] || { kill "$server"; wait "$server" || fail "the service ended with code $?"; }
  API_KEY=first-hour-key API_PORT=$port "$python" -P -m jobs.serve "$@" > "$work/log" 2>&1 & server=$!
  for _ in $(seq 120); do command curl -fs "http://localhost:$port${1:+/climate}/health/ready" > "$work/said" && return; sleep 0.5; done
  fail "the service did not get ready"
}
curl() { command curl --silent --show-error --max-time 30 --write-out '\n%{http_code}' -H "X-API-Key: first-hour-key" "$@"; }
field() { "$python" -c "import json, sys; print(json.loads(open(sys.argv[1]).read().rpartition('\n')[0])[sys.argv[2]])" "$work/said" "$1"; }
code() { tail -n 1 "$work/said"; }
follow() { # URL: the milestones of a job
  "$python" - "$1" <<'X'
import json, sys
from websockets.sync.client import connect
with connect(sys.argv[1], additional_headers={"X-API-Key": "first-hour-key"}) as socket:
    said = [json.loads(text) for text in socket]
print(*[state["progress"] for state in said if state["progress"] in (0, 10, 50, 80, 95, 100)], said[-1]["status"])
X
}
cp docs/examples/sites.csv docs/examples/sites-ko.xlsx "$work/"; cp docs/service.md "$work/calls.md"

echo "1. every call of docs/service.md, as it stands there"
serve
export API_KEY=first-hour-key
sed -n 's/^|.*| `\(curl .*\)` |$/\1/p' "$work/calls.md" | sed "s/localhost:8001/localhost:$port/" > "$work/calls"
[ "$(wc -l < "$work/calls")" -ge 27 ] || fail "docs/service.md has fewer calls than it had"
root=$PWD; cd "$work"
ID=; PORTFOLIO=; FAILED=
while read -r call; do
  eval "$call" > "$work/said" < /dev/null || fail "$call"
  case "$call" in
    */retry) expected=409 ;; # that one has not failed
    *calculate* | *portfolio\?* | *file=@*) expected=202 ;;
    *) expected=200 ;;
  esac
  [ "$(code)" = "$expected" ] || fail "$(code) instead of $expected: $call"
  case "$call" in
    */v1/risk-assessment/calculate) ID=$(field request_id); FAILED=$ID; url=$(field websocket_url)
      [ "$(follow "$url")" = "0 10 50 80 95 100 completed" ] || fail "milestones of $url" ;;
    *portfolio\?name*) PORTFOLIO=$(field request_id); follow "$(field websocket_url)" > /dev/null ;;
  esac
done < "$work/calls"
[ "$(head -c 4 totals.parquet)" = PAR1 ] || fail "totals.parquet is no Parquet"

echo "2. a workbook as a form, a torn one, HEAD and OPTIONS, without the key"
curl -F file=@sites-ko.xlsx "http://localhost:$port/api/v1/risk-assessment/portfolio" > "$work/said"
[ "$(code)" = 202 ] && [ "$(follow "$(field websocket_url)")" = "0 10 50 80 95 100 completed" ] || fail "the workbook"
head -c 3000 sites-ko.xlsx > torn.xlsx
curl -F file=@torn.xlsx "http://localhost:$port/api/v1/risk-assessment/portfolio" > "$work/said"; [ "$(code)" = 422 ] || fail "the torn workbook"
curl -I "http://localhost:$port/api/v1/map" > "$work/said"; [ "$(code)" = 200 ] || fail "HEAD"
curl -i -X OPTIONS "http://localhost:$port/api/v1/runs" | grep -qi '^allow: GET, HEAD, OPTIONS' || fail "OPTIONS"
[ "$(command curl -s -o said -w '%{http_code}' "http://localhost:$port/api/v1/runs")" = 401 ] || fail "a call without the key"

echo "3. below a path: the page, the links, websocket_url"
cd "$root"; serve --root-path /climate
curl "http://localhost:$port/climate/" | grep -q 'src="/climate/' || fail "links of the page"
curl -X POST -H "Content-Type: application/json" -d '{"latitude": 36, "longitude": 128}' "http://localhost:$port/climate/api/v1/risk-assessment/calculate" > "$work/said"
[ "$(follow "$(field websocket_url)")" = "0 10 50 80 95 100 completed" ] || fail "websocket_url below a path"
! grep -q -e Traceback -e first-hour-key "$work/log" || fail "a stack trace or the key in the log"
echo ok
