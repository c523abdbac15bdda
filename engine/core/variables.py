"""The climate variables: table, grain, unit, and the provider's element name. The only such list."""

from __future__ import annotations

from dataclasses import dataclass

from engine.core.errors import SettingsError
from engine.core.names import unknown

YEARLY, MONTHLY = 1, 12


@dataclass(frozen=True, slots=True)
class Variable:
    """One climate variable. `steps` a year is 1 (table keyed by `year`) or 12 (by `observation_date`)."""

    name: str
    steps: int
    unit: str
    meaning: str
    element: str
    #: read by a probability of edition 2025-11; the active cells are those with values in every such table
    required: bool = False
    #: not shipped by default: its table exists only when the variable has been loaded
    optional: bool = False

    @property
    def table(self) -> str:
        """Name of the warehouse table."""
        return f"{self.name}_data"

    @property
    def monthly(self) -> bool:
        """True for 12 values a year."""
        return self.steps == MONTHLY

    @property
    def time_column(self) -> str:
        """`observation_date` (first of the month) or `year`."""
        return "observation_date" if self.monthly else "year"


_ALL = (
    Variable("ta", MONTHLY, "degC", "mean air temperature", "TA", required=True),
    Variable("rn", MONTHLY, "mm/month", "precipitation sum", "RN", required=True),
    Variable("ws", MONTHLY, "m/s", "mean wind speed at 10 m", "WS", required=True),
    Variable("rhm", MONTHLY, "%", "mean relative humidity", "RHM", required=True),
    Variable("si", MONTHLY, "MJ/m2/day", "global solar radiation, mean of daily sums", "SI", required=True),
    Variable(
        "spei12",
        MONTHLY,
        "1",
        "standardised precipitation-evapotranspiration index over 12 months",
        "SPEI12",
        required=True,
    ),
    Variable("wsdi", YEARLY, "days", "warm-spell duration", "WSDI", required=True),
    Variable("csdi", YEARLY, "days", "cold-spell duration", "CSDI", required=True),
    Variable("rx1day", YEARLY, "mm", "largest 1-day precipitation", "RX1DAY", required=True),
    Variable("rx5day", YEARLY, "mm", "largest 5-day precipitation", "RX5DAY", required=True),
    Variable("cdd", YEARLY, "days", "longest run of days below 1 mm", "CDD"),
    Variable("rain80", YEARLY, "days", "days with at least 80 mm", "RAIN80"),
    Variable("sdii", YEARLY, "mm/day", "mean precipitation of wet days", "SDII"),
    Variable("ta_yearly", YEARLY, "degC", "annual mean temperature", "TA"),
    Variable("hw33", YEARLY, "days", "days with Tmax >= 33 degC", "HW33", optional=True),
    Variable("tr25", YEARLY, "days", "nights with Tmin >= 25 degC", "TR25", optional=True),
    Variable("tx90p", YEARLY, "days", "days above the 90th percentile of Tmax", "TX90P", optional=True),
    Variable("tn10p", YEARLY, "days", "days below the 10th percentile of Tmin", "TN10P", optional=True),
    Variable("fd0", YEARLY, "days", "frost days", "FD0", optional=True),
    Variable("tnn", YEARLY, "degC", "annual minimum temperature", "TNN", optional=True),
    Variable("tamax", MONTHLY, "degC", "monthly mean of daily maximum temperature", "TAMAX", optional=True),
    Variable("tamin", MONTHLY, "degC", "monthly mean of daily minimum temperature", "TAMIN", optional=True),
)
VARIABLES: dict[str, Variable] = {variable.name: variable for variable in _ALL}
BY_TABLE: dict[str, Variable] = {variable.table: variable for variable in _ALL}


def variable(name: str) -> Variable:
    """Look a variable up by name; refuses an unknown one."""
    if name not in VARIABLES:
        raise SettingsError(unknown("variable", name, VARIABLES))
    return VARIABLES[name]
