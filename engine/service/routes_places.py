"""Places by name, for the search box of the map."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from engine.io.sites import place_names
from engine.service import models
from engine.service.context import Shared

router = APIRouter(tags=["map"])
Level = Literal["province", "municipality", "town"]


class Place(BaseModel):
    """A region and a point inside it."""

    code: str = Field(description="legal code, ten digits", examples=["1111000000"])
    name: str = Field(examples=["종로구"])
    english: str | None = Field(description="null of a town: there is none", examples=["Jongno-gu"])
    level: Level
    within: list[str] = Field(description="regions that hold it, the largest first", examples=[["서울특별시"]])
    within_english: list[str] = Field(
        description="the same in English, where they have such names", examples=[["Seoul"]]
    )
    latitude: float
    longitude: float


class Places(BaseModel):
    """Regions whose name fits, the best first."""

    places: list[Place]
    held: dict[Level, int] = Field(description="regions of the warehouse that can be found, by level")


class Label(BaseModel):
    """A name to be written on the map."""

    name: str
    english: str | None
    level: Level
    latitude: float
    longitude: float


@router.get("/api/v1/map/labels")
def read_labels(context: Shared) -> list[Label]:
    """Names of provinces, then of cities and counties, each with a point inside; empty where none are loaded."""
    with context.climate() as connection:
        found = place_names.labels(connection)
    return [Label.model_validate(place._asdict()) for place in found]


@router.get("/api/v1/places")
def read_places(
    context: Shared,
    q: Annotated[str, Query(min_length=1, max_length=100, examples=["종로구", "seoul jongno"])],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> Places:
    """Provinces, cities and counties, and towns by name: the last word is part of the name, words before it of the
    regions that hold it. Provinces, cities and counties are also found by their English names."""
    models.require_text(q, "q")
    with context.climate() as connection:
        found = place_names.search(connection, q, limit)
        held = place_names.held(connection)
    return Places.model_validate({"places": [place._asdict() for place in found], "held": held})
