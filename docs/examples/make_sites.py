"""Writes the two example portfolios beside this file: python docs/examples/make_sites.py"""

from pathlib import Path

import xlsxwriter

HERE = Path(__file__).parent
#: id, name, latitude, longitude, value in 100 million KRW, m2, age in years, structure, use, floors below and above, %
SITES = [
    ("S-001", "본사", 37.5665, 126.978, 500, 12_000, 28, "철근콘크리트", "업무시설", 3, 15, 30),
    ("S-002", "부산 물류센터", 35.1796, 129.0756, 120, 8_500, 11, "철골", "창고", 0, 3, 20),
    ("S-003", "대전 공장", 36.3504, 127.3845, 280, 21_000, 19, "철골", "공장", 1, 2, 25),
]
FIELDS = (
    "site_id,name,latitude,longitude,total_asset_value,floor_area,building_age,structure,main_purpose,floors_below,"
    "floors_above,insurance_coverage_rate"
)
KOREAN = (
    *(
        "사업장번호",
        "사업장명",
        "위도",
        "경도",
        "자산가액(억원)",
        "연면적(㎡)",
        "건물연령",
        "구조",
        "용도",
        "지하층수",
        "지상층수",
    ),
    "부보율(%)",
)


def main() -> None:
    """Write sites.csv with the names of the fields, and sites-ko.xlsx with Korean headings below a title."""
    lines = [FIELDS]
    for site in SITES:
        value, area, *rest, insured = site[4:]
        lines.append(",".join(map(str, [*site[:4], value * 10**8, area, *rest, insured / 100])))
    (HERE / "sites.csv").write_text("\n".join(lines) + "\n", "utf-8-sig")
    with xlsxwriter.Workbook(str(HERE / "sites-ko.xlsx")) as book:
        sheet = book.add_worksheet("자산목록")
        sheet.write(0, 0, "자산 목록 (예시)")
        sheet.write_row(2, 0, KOREAN, book.add_format({"bold": True}))
        for place, site in enumerate(SITES, 3):
            sheet.write_row(place, 0, site)
        sheet.set_column(0, len(KOREAN) - 1, 14)


if __name__ == "__main__":
    main()
