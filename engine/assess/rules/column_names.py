"""Names that columns of other people's tables have, field by field, compared without capitals, blanks and signs between
words (`columns`)."""

from __future__ import annotations

#: what is no field, and is read all the same
NAME, COMPLETED = "name", "completion_year"

#: names that may mean a field and nothing else, the field's own name left out
ALIASES: dict[str, tuple[str, ...]] = {
    "latitude": ("lat", "위도", "위도좌표", "latitude wgs84", "lat wgs84", "lat deg"),
    "longitude": ("lon", "lng", "long", "경도", "경도좌표", "longitude wgs84", "lon wgs84", "lon deg"),
    "building_age": ("건물연령", "건물나이", "건축연령", "경과연수", "경과년수", "건물경과연수", "age of building"),
    COMPLETED: (
        *(
            "준공연도",
            "준공년도",
            "준공일",
            "준공일자",
            "준공연월",
            "준공년월",
            "사용승인일",
            "사용승인연도",
            "사용승인년도",
        ),
        *(
            "건축연도",
            "건축년도",
            "신축연도",
            "신축년도",
            "year built",
            "built year",
            "completion year",
            "completion date",
        ),
        *("construction year", "year of construction", "year completed"),
    ),
    "structure": ("구조", "건물구조", "주구조", "주요구조", "구조형식", "structure type", "construction type"),
    "main_purpose": (*("용도", "주용도", "건물용도", "주요용도", "building use", "main use", "occupancy type"),),
    "floors_below": (
        *("지하층수", "지하층", "지하", "basement floors", "basements", "underground floors", "floors below ground"),
        *("below ground floors", "floors underground"),
    ),
    "floors_above": (
        *("지상층수", "지상층", "지상", "층수", "floors above ground", "above ground floors", "number of storeys"),
        *("number of stories", "number of floors", "storeys", "stories"),
    ),
    "has_piloti": ("필로티", "필로티여부", "필로티유무", "piloti"),
    "has_seismic_design": ("내진설계", "내진설계여부", "내진설계유무", "내진여부", "seismic design"),
    "fire_access": ("소방접근", "소방접근성", "소방차진입", "소방차진입가능", "소방차진입여부", "소방차진입가능여부"),
    "elevation": ("고도", "해발고도", "표고", "altitude", "elev"),
    "admin_code": ("행정구역코드", "행정코드", "법정동코드"),
    "total_asset_value": (
        *(
            "자산가액",
            "자산가치",
            "총자산가액",
            "자산평가액",
            "자산금액",
            "자산가",
            "총자산가치",
            "asset value",
        ),
        "value of asset",
    ),
    "insurance_coverage_rate": (
        *(
            "보험가입률",
            "보험가입비율",
            "부보율",
            "부보비율",
            "보험보장률",
            "보험보장비율",
            "보험보전율",
        ),
        *("insurance coverage", "insured share"),
    ),
    "floor_area": ("연면적", "총연면적", "건물연면적", "gross floor area", "total floor area", "gfa"),
    "site_id": (
        *("자산번호", "자산코드", "자산id", "사업장번호", "사업장코드", "사업장id", "물건번호", "관리번호", "asset id"),
        *("location id", "asset no", "site no", "site code"),
    ),
    NAME: (
        *("사업장명", "자산명", "시설명", "건물명", "물건명", "사업장", "명칭", "이름", "site name", "asset name"),
        *("building name", "facility name", "location name"),
    ),
    "risk_types": ("위험유형", "리스크유형", "재해유형"),
    "scenario_ids": ("시나리오", "scenarios"),
    "time_periods": ("분석기간", "평가기간", "time period"),
    "distance_to_river_m": ("하천거리", "하천까지거리", "하천과의거리", "distance to river", "river distance"),
    "distance_to_coast_m": ("해안거리", "해안까지거리", "해안선거리", "distance to coast", "coast distance"),
    "distance_to_forest_m": ("산림거리", "산림까지거리", "distance to forest", "forest distance"),
    "imperviousness_ratio": ("불투수율", "불투수면적률", "불투수면비율", "imperviousness"),
    "vegetation_ratio": ("식생비율", "식생률", "녹지율", "vegetation"),
    "landcover_type": ("토지피복", "토지피복유형", "land cover"),
    "annual_rainfall_mm": ("연강수량", "연간강수량", "annual rainfall"),
    "cdd_days": ("연속무강수일수", "consecutive dry days"),
    "in_flood_zone": ("침수구역", "침수구역여부", "홍수위험구역", "홍수위험구역여부", "flood zone"),
    "first_floor_height_m": ("1층높이", "1층바닥높이", "first floor height"),
    "has_water_tank": ("물탱크", "물탱크여부", "저수조", "저수조여부", "water tank"),
    "water_supply_available": ("급수가능", "급수여부", "상수도여부", "water supply"),
}
#: names that mean a field where no other column does, and else something of the file's owner
WEAK: dict[str, tuple[str, ...]] = {
    "latitude": ("y", "y좌표", "y coordinate", "ycoord"),
    "longitude": ("x", "x좌표", "x coordinate", "xcoord"),
    "site_id": ("id",),
    "floors_above": ("floors",),
}
#: names that may mean a field or another quantity: whoever has them is asked
ASKED: dict[str, tuple[str, ...]] = {
    "total_asset_value": (
        *(
            "건물가액",
            "감정가",
            "감정가액",
            "감정평가액",
            "평가액",
            "장부가",
            "장부가액",
            "담보가액",
            "보험가액",
            "공시가격",
            "자산총액",  # of a company's balance sheet
        ),
        *("시가", "가액", "value", "tiv", "building tiv", "total insured value", "insured value", "property value"),
        *("book value", "market value", "appraisal value", "replacement value", "asset price"),
    ),
    "floor_area": ("면적", "건축면적", "바닥면적", "전용면적", "area", "building area"),
    "main_purpose": ("use", "usage", "building type", "purpose", "occupancy"),  # of a loan; a share that is let
    "structure": ("construction",),
    "floors_above": ("총층수", "전체층수", "number of storeys total"),
    "building_age": ("age", "연식"),
    "admin_code": ("행정동코드", "우편번호"),
    # premium rates, and ratios of collateral
    "insurance_coverage_rate": ("보험료율", "보험비율", "insurance rate", "coverage rate", "coverage ratio"),
    "risk_types": ("위험", "리스크", "risk", "risks"),  # grades
    "time_periods": ("기간", "시기", "period", "periods"),  # of loans and leases
    "cdd_days": ("무강수일수", "cdd"),  # all dry days of a year; cooling degree days
}
