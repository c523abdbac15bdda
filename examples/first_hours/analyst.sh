#!/usr/bin/env bash
# A bank's risk analyst with spreadsheets: a Korean workbook in, a workbook out, and the files that people really have.
# Runs ./run first (a minute; some more on a fresh clone); everything is made in a folder of its own and removed.
set -euo pipefail
cd "$(dirname "$0")/../.."
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/analyst (1).XXXXXX")
export ENGINE_HOME="${ENGINE_HOME:-$FOLDER/engine}" FOLDER
PYTHON=.venv/bin/python out="$FOLDER/stdout" err="$FOLDER/stderr"
says() { echo "-- $*"; }
fails() { echo "NOT AS EXPECTED: $*" >&2; tail -n 5 "$out" "$err" >&2; exit 1; }
# run CODE COMMAND...: its exit code is CODE, and it never shows a traceback
run() {
  local want=$1 code=0; shift
  "$@" >"$out" 2>"$err" || code=$?
  [ "$code" = "$want" ] || fails "exit code $code, not $want: $*"
  ! grep -q Traceback "$err" || fails "a traceback: $*"
}
finds() { grep -qF -- "$1" "$out" "$err" || fails "not said: $1"; }
assess() { local code=$1 file=$2; shift 2; run "$code" "$PYTHON" -m jobs.assess --sites "$FOLDER/$file" --out "$FOLDER/out ${file%.*}" "$@"; }
clean_up() { # ends the server that this hour has started
  local server; server=$(head -1 "$FOLDER/engine/postgres/postmaster.pid" 2>/dev/null || true)
  [ -z "$server" ] || kill -INT "$server" 2>/dev/null || true
  rm -rf "$FOLDER"
}
trap clean_up EXIT

says "./run, once"; run 0 ./run
says "the files: titles, Korean headings, 억, own ids, own columns, a row without a place, one abroad; and broken ones"
"$PYTHON" - <<'EOF'
import csv, os, xlsxwriter; folder = os.environ["FOLDER"]
HEAD = ["자산번호", "자산명", "위도", "경도", "자산가액", "보험가입률", "담당지점"]
ROWS = [
    ["A-1", "서울 본점", 37.5665, 126.978, "500억", "30%", "종로"], ["A-2", "부산 창고", 35.1796, 129.0756, "1조 2,000억", 0.2, "부산"],
    ["A-2", "대전 공장", 36.3504, 127.3845, 28_000_000_000, "25%", "대전"], ["A-4", "주소 미확인", "", "", "80억", 0, "인천"],
    ["A-5", "도쿄 지사", 35.6812, 139.7671, "100억", 0, "해외"],
]  # fmt: skip
def book(name, *sheets):
    with xlsxwriter.Workbook(f"{folder}/{name}") as made:
        for title, rows in sheets:
            sheet = made.add_worksheet(title)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
book("ko.xlsx", ("표지", [["리스크관리부"]]), ("담보", [["담보 자산 목록"], ["단위: 원"], [], HEAD, *ROWS]))
book("near.xlsx", ("s", [["ID", "Lattitude", "Longtitude", "자산가액"], ["A", 37.5665, 126.978, "5억"]]))
book("swapped.xlsx", ("s", [["위도", "경도"], [126.978, 37.5665], [129.0756, 35.1796]]))
book("empty.xlsx", ("s", []))
for name, mixed in (("cp949.csv", False), ("commas.csv", True)):
    with open(f"{folder}/{name}", "w", encoding="cp949", newline="") as file:
        rows = [[str(each).replace(".", ",") if mixed and isinstance(each, float) else each for each in row] for row in ROWS]
        csv.writer(file, delimiter=";").writerows([HEAD, *rows])
EOF
says "the workbook: partial (3), for one row has no place and one is abroad"
assess 3 ko.xlsx; finds "its header stands in row 4"; finds "read sheet '담보'"; finds "row 8: latitude: Missing"; finds "not calibrated on losses"
says "one figure in workbook, CSV, JSON and Parquet; each loss with its note; all rows and own columns are there"
"$PYTHON" - <<'EOF'
import json, os, polars as pl
from pathlib import Path
text = ((out := Path(os.environ["FOLDER"]) / "out ko") / "sites.csv").read_bytes()
assert text.startswith(b"\xef\xbb\xbf"), "Excel needs the mark to show Hangul"
sheet, lines = (pl.read_excel(out / "portfolio.xlsx", sheet_name=name) for name in ("sites", "losses"))
table = pl.read_csv(text)
loss, note = ([name for name in table.columns if name.startswith(word)][0] for word in ("expected loss", "loss note"))
total = json.loads((out / "portfolio.json").read_text("utf-8"))["results"][0]
parts = [table[loss].sum(), sheet[loss].sum(), lines["expected loss KRW a year"].sum(), total["total_expected_loss"],
         pl.read_parquet(out / "totals.parquet")["total_expected_loss"].sum(), pl.read_parquet(out / "aal.parquet")["expected_loss"].sum()]  # fmt: skip
assert len({int(part) for part in parts}) == 1 and parts[0] > 0, parts
for each, money, words in ((table, loss, note), (sheet, loss, note), (lines, "expected loss KRW a year", "loss note")):
    assert each.filter(pl.col(money).is_not_null())[words].str.contains("not calibrated on losses").all(), words
assert table["담당지점"].to_list() == sheet["담당지점"].to_list() == ["종로", "부산", "대전", "인천", "해외"]
assert table["row"].to_list() == [5, 6, 7, 8, 9] and table["asset value KRW"][1] == 1_200_000_000_000
EOF
says "the same as cp949 with semicolons; among decimal commas 2,000억 is asked about, not divided by a thousand"
assess 3 cp949.csv; finds "cp949, separated by semicolons"; finds "1,278,000,000,000 KRW of the 3 sites"
assess 3 commas.csv; finds "with a decimal comma"; finds "row 3: total_asset_value"
says "headings nearly right are asked about; the answer works as it is proposed"; assess 2 near.xlsx; finds "is 'Lattitude' the latitude?"
assess 0 near.xlsx --columns "$(sed -n "s/.*add --columns '\(.*\)'.*/\1/p" "$err")"
says "exchanged coordinates and an empty sheet are refused in one sentence"
assess 2 swapped.xlsx; finds "are the two columns swapped?"; assess 2 empty.xlsx; finds "it is empty"
echo ok
