"""A warehouse and results for a lattice of 4 x 5 cells at 35.0 N 127.0 E, 0.1 degrees, the last three of them sea."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import date

import numpy as np
import polars as pl
import psycopg
import shapely

from engine.assess import AssessConfig
from engine.assess.job.assessor import Assessor
from engine.assess.rules.offered import RISKS
from engine.io.db import frames, postgres
from engine.io.files.packed import Limits
from engine.io.queue import batch_jobs
from engine.io.sites import site_inputs
from tests.warehouses import fill

TODAY = date(2026, 7, 1)
#: a site in cell 7 (35.1 N 127.1 E), 40 m from a river; the coast is a meridian to the west
LATITUDE, LONGITUDE = 35.12, 127.13
RIVER = shapely.LineString([(127.13, 35.0), (127.13, 35.11964)])
COAST = shapely.LineString([(126.9, 34.5), (126.9, 36.0)])


def fill_warehouse(url, variables=("rn", "cdd")):
    """Rain, dry spells, attributes, coast, one river, one flood zone, regions of three levels."""
    filled = fill(url, variables=variables)
    with psycopg.connect(url) as connection:
        layers = {"coastline": COAST, "river": RIVER, "flood_zone": shapely.box(127.2, 35.2, 127.25, 35.25)}
        for layer, geometry in layers.items():
            connection.execute(
                "INSERT INTO map_feature VALUES (%s, 1, NULL, NULL, %s, %s, %s, %s, %s)",
                (layer, *shapely.bounds(geometry).tolist(), shapely.to_wkb(geometry)),
            )
        regions = [
            ("5100000000", "강원", 1, None, shapely.box(126.9, 34.9, 127.6, 35.6), 1_000_000),
            ("5111000000", "춘천시", 2, "51110", shapely.box(127.0, 35.0, 127.3, 35.3), None),
            ("5111010100", "봉의동", 3, "51110", shapely.box(127.1, 35.1, 127.15, 35.15), None),
            ("5111010200", "요선동", 3, "51110", shapely.box(127.2, 35.2, 127.3, 35.3), None),
        ]
        for code, name, level, city, polygon, people in regions:
            x, y = polygon.centroid.x, polygon.centroid.y
            connection.execute(
                "INSERT INTO location_admin (admin_code, admin_name, sido_code, sigungu_code, level, latitude,"
                " longitude, geom_wkb, population_2020, population_2050) VALUES (%s, %s, '51', %s, %s, %s, %s, %s, %s,"
                " %s)",
                (code, name, city, level, y, x, shapely.to_wkb(polygon), people, people and people // 2),
            )
    return filled


def add_building(connection, number, latitude, longitude, **columns):
    """A row of the register."""
    values = {"mgm_bld_pk": number, "sigungu_cd": "51110", "bjdong_cd": "10100", **columns}
    values |= {"latitude": latitude, "longitude": longitude}
    names, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    connection.execute(f"INSERT INTO api_buildings ({names}) VALUES ({marks})", list(values.values()))


def fill_results(url, cells=range(1, 18), seed=1):
    """Hazard and AAL of cells for all risks, scenarios and periods, with the run that published them."""
    rng = np.random.default_rng(seed)
    keys = pl.DataFrame({"grid_id": list(cells)}).join(pl.DataFrame({"risk_type": RISKS}), how="cross")
    detail = keys.join(pl.DataFrame({"scenario_id": [1, 2, 3, 4]}), how="cross").join(
        pl.DataFrame({"time_period": ["short_term", "mid_term", "long_term"]}), how="cross"
    )
    detail = detail.with_columns(
        score=pl.Series(rng.random(detail.height)).round(4), aal=pl.Series(rng.random(detail.height) * 0.1)
    )
    keys = keys.with_columns(
        latitude=35.0 + ((pl.col("grid_id") - 1) // 5) * 0.1, longitude=127.0 + ((pl.col("grid_id") - 1) % 5) * 0.1
    )
    pair = ["grid_id", "risk_type", "scenario_id", "time_period"]
    place, made = ["grid_id", "risk_type", "latitude", "longitude", "run_id"], ["aal", "n_samples", "method"]
    made += ["aal_low", "aal_high"]
    put = {
        "modelops_hazard_scores": (detail, [*pair, "score"]),
        "modelops_probability_scores": (detail, [*pair, *made]),
        "hazard_results": (keys, [*place, "hazard_score", "hazard_score_100", "hazard_level"]),
        "probability_results": (keys, [*place, *made, "bin_data"]),
    }
    with psycopg.connect(url) as connection:
        for table, (frame, columns) in put.items():
            rows = frame.with_columns(
                hazard_score=0.5,
                hazard_score_100=50.0,
                hazard_level=pl.lit("MEDIUM"),
                run_id=1,
                n_samples=80,
                method=pl.lit("kde"),
                bin_data=pl.lit("[]"),
                **({} if "aal" in frame.columns else {"aal": pl.lit(0.01)}),
            ).with_columns(aal_low=pl.col("aal") / 2, aal_high=pl.col("aal") * 2)
            frames.copy(connection, table, columns, rows)
    publish(url)
    return detail


def publish(url):
    """Note that a run has been published just now."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO result_runs (job_type, scope, edition, edition_checksum, source_fingerprint, baseline,"
            " published_at) VALUES ('yearly', 'full', '', repeat('0', 64), repeat('0', 64), '', clock_timestamp())"
        )


@contextmanager
def assessor(warehouse, results, **settings):
    """An assessor on two databases; the lattice is the warehouse's."""
    with postgres.connect(warehouse) as one, postgres.connect(results) as other:
        config = AssessConfig(grid=site_inputs.grid_definition(one), **settings)
        yield Assessor(
            warehouse=one, application=other, config=config, limits=Limits(10**6, 1000), chunk_size=7, today=TODAY
        )


def run_site(the_assessor, **request):
    """Queue, take and run a job for one site."""
    application = the_assessor.application
    parameters = {"latitude": LATITUDE, "longitude": LONGITUDE, **request}
    number = batch_jobs.create(application, batch_jobs.SITE, parameters)
    return the_assessor.run_job(batch_jobs.start(application, number))
