"""Places by name: regions of the warehouse, and the search box of the map."""

import psycopg
import pytest
from playwright.sync_api import expect

from engine.io.sites import place_names
from tests.service.conftest import LAND

#: code, name, level, place; two of one name, one without a place, one whose name holds signs of a pattern
REGIONS = [
    ("4600000000", "전라남도", 1, LAND),
    ("1100000000", "서울특별시", 1, (35.2, 127.1)),
    ("4615000000", "순천시", 2, (35.1, 127.1)),
    ("1114000000", "중구", 2, (35.2, 127.2)),
    ("1111000000", "종로구", 2, (35.2, 127.0)),
    ("4611000000", "목포시", 2, None),
    ("4615010100", "중앙동", 3, LAND),
    ("4615010200", "100%_동", 3, (35.0, 127.2)),
]


@pytest.fixture(scope="module")
def regions(databases):
    with psycopg.connect(databases[0]) as connection:
        for code, name, level, place in REGIONS:
            connection.execute(
                "INSERT INTO location_admin (admin_code, admin_name, sido_code, sigungu_code, emd_code, level,"
                " latitude, longitude) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                (code, name, code[:2], code[:5] if level > 1 else None, code if level > 2 else None, level)
                + (place or (None, None)),
            )
    yield
    with psycopg.connect(databases[0]) as connection:
        connection.execute("DELETE FROM location_admin")


def test_a_region_is_told_with_those_that_hold_it_in_both_languages(regions, databases):
    with psycopg.connect(databases[0]) as connection:
        told = place_names.paths(connection, ["1114000000", "4615010100", "4600000000", None, "9999999999"])
    assert told == {
        "1114000000": {"ko": "서울특별시 중구", "en": "Jung-gu, Seoul"},
        "4615010100": {"ko": "전라남도 순천시 중앙동", "en": "중앙동, Suncheon-si, Jeollanam-do"},
        "4600000000": {"ko": "전라남도", "en": "Jeollanam-do"},
    }


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("순천", ["순천시"]),
        ("전라남도", ["전라남도"]),  # the last word is of its own name, not of a region that holds it
        ("중", ["중구", "중앙동"]),  # large before small
        ("동", ["100%_동", "중앙동"]),
        ("순천 동", ["100%_동", "중앙동"]),
        ("전라남도 순천시 중앙동", ["중앙동"]),
        ("서울 중", ["중구"]),
        ("jongno", ["종로구"]),
        ("SEOUL Jongno-gu", ["종로구"]),
        ("jongnogu", ["종로구"]),
        ("seoul", ["서울특별시"]),
        ("%", ["100%_동"]),
        ("\\", []),
        ("목포시", []),  # it has no place to go to
        ("   ", []),
    ],
)
def test_a_region_is_found_by_its_name_and_by_those_that_hold_it(regions, client, asked, expected):
    told = client.get("/api/v1/places", params={"q": asked}).json()
    assert [place["name"] for place in told["places"]] == expected
    assert told["held"] == {"province": 2, "municipality": 3, "town": 2}


def test_a_place_says_where_it_is_and_a_town_has_no_english_name(regions, client):
    town, city = (
        client.get("/api/v1/places", params={"q": name}).json()["places"][0] for name in ("중앙동", "suncheon")
    )
    assert town == {"code": "4615010100", "name": "중앙동", "english": None, "level": "town",
                    "within": ["전라남도", "순천시"], "within_english": ["Jeollanam-do", "Suncheon-si"],
                    "latitude": LAND[0], "longitude": LAND[1]}  # fmt: skip
    assert (city["name"], city["english"], city["within"]) == ("순천시", "Suncheon-si", ["전라남도"])
    assert client.get("/api/v1/places", params={"q": "a\0"}).status_code == 422
    assert client.get("/api/v1/places").status_code == 422


def test_the_keyboard_finds_a_place_by_its_name(regions, page):
    box, options = page.locator("#search"), page.locator("#suggestions [role=option]")
    box.press_sequentially("중")
    expect(options).to_have_text(["Jung-gu (중구), Seoulmunicipality", "중앙동, Suncheon-si, Jeollanam-dotown"])
    expect(page.locator("#searched")).to_have_text("Places found: 2")
    expect(box).to_have_attribute("aria-expanded", "true")
    box.press("ArrowDown")
    box.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(box).to_have_attribute("aria-activedescendant", "suggestion-1")
    box.press("Enter")
    expect(page.locator("#place")).to_contain_text(f"at {LAND[0]} N, {LAND[1]} E")
    expect(options).to_have_count(0)
    assert page.evaluate("location.search").count("at=35.1,127.2") == 1
    box.fill("nowhere")
    expect(page.locator("#searched")).to_contain_text("Towns are found by their Korean name only.")
    box.press("Escape")
    expect(page.locator("#searched")).to_be_empty()


def test_a_coordinate_goes_into_the_same_field_and_a_click_takes_a_place(regions, page):
    page.fill("#search", "35.2, 127.1")
    page.locator("#search").press("Enter")
    expect(page.locator("#place")).to_contain_text("at 35.2 N, 127.1 E")
    page.fill("#search", "suncheon")
    page.click("#suggestions li")
    expect(page.locator("#place")).to_contain_text("at 35.1 N, 127.1 E")


def test_names_of_provinces_are_on_the_map_and_those_of_cities_when_it_is_enlarged(regions, page, client):
    told = [each["name"] for each in client.get("/api/v1/map/labels").json()]
    assert told == ["서울특별시", "전라남도", "종로구", "중구", "순천시"]
    page.reload()
    labels = page.locator("#labels text")
    expect(labels).to_have_text(["Seoul", "Jeollanam-do"])
    page.locator("#map").focus()
    for _ in range(3):
        page.keyboard.press("+")
    expect(labels).to_have_text(["Jeollanam-do", "Jung-gu"])


def test_a_warehouse_without_regions_says_so(page):
    none = {"places": [], "held": {"province": 0, "municipality": 0, "town": 0}}
    page.route("**/api/v1/places?*", lambda route: route.fulfill(json=none))
    page.fill("#search", "서울")
    expect(page.locator("#searched")).to_have_text("No names of regions are loaded: type a coordinate.")
