"""Cost and benefit of a measure: what it saves a year against what it costs, in money of today.

The saving of a year is the same in each year of the horizon and comes at its end; the cost is paid at the start, the
upkeep with each year. Sources: present value of an annuity, Brealey, Myers and Allen, Principles of Corporate Finance,
ch. 2; benefit-cost ratio, net present value and discounted pay-back as in HM Treasury, The Green Book (2022), ch. 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

#: social discount rate of Korean preliminary feasibility studies since 2017, a year
DISCOUNT_RATE = 0.045
#: years over which a measure is judged where none are stated
YEARS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a measure costs.

    amount        : once, at the start, money
    upkeep        : a year, money
    discount_rate : a year, 0 or more, below 1
    years         : horizon, 1 or more
    """

    amount: float
    upkeep: float = 0.0
    discount_rate: float = DISCOUNT_RATE
    years: int = YEARS


def annuity(rate: float, years: int) -> float:
    """Value today of 1 at the end of each of `years` years. rate: a year, 0 or more; returns: years where it is 0"""
    return float(years) if rate == 0 else -math.expm1(-years * math.log1p(rate)) / rate


def simple_payback(amount: float, net: float) -> float | None:
    """Years until the savings have paid the cost, without interest.

    amount  : cost, money; net: saving of a year less upkeep, money
    returns : years, a fraction of the last one included; None where they never do
    """
    if amount == 0:
        return 0.0
    return amount / net if net > 0 else None


def discounted_payback(amount: float, net: float, rate: float) -> float | None:
    """The same with savings at their value of today: n with `net x annuity(rate, n) = amount`.

    returns : years; None where all savings of all time are worth less than the cost
    """
    if amount == 0 or rate == 0:
        return simple_payback(amount, net)
    if net <= 0 or amount * rate >= net:
        return None
    return -math.log1p(-amount * rate / net) / math.log1p(rate)


def benefit_cost_ratio(saving: float, cost: Cost) -> float | None:
    """Savings of the horizon over cost and upkeep, both at their value of today; None where it costs nothing."""
    worth = annuity(cost.discount_rate, cost.years)
    spent = cost.amount + cost.upkeep * worth
    return saving * worth / spent if spent > 0 else None


def net_present_value(saving: float, cost: Cost) -> float:
    """Savings of the horizon less cost and upkeep, money of today."""
    return (saving - cost.upkeep) * annuity(cost.discount_rate, cost.years) - cost.amount


def appraised(saving: float, low: float | None, high: float | None, cost: Cost) -> dict[str, Any]:
    """All figures of a measure for a saving of a year, money, and the ends of its 90 % interval.

    returns : `cost`, `upkeep`, `discount_rate`, `years`, `net_saving`, `simple_payback_years`,
              `discounted_payback_years`, `benefit_cost_ratio` with `_low`, `_high`, `net_present_value` with the same;
              None where there is no such figure
    """
    net = saving - cost.upkeep
    told: dict[str, Any] = {
        "cost": cost.amount,
        "upkeep": cost.upkeep,
        "discount_rate": cost.discount_rate,
        "years": cost.years,
        "net_saving": net,
        "simple_payback_years": simple_payback(cost.amount, net),
        "discounted_payback_years": discounted_payback(cost.amount, net, cost.discount_rate),
    }
    for end, each in (("", saving), ("_low", low), ("_high", high)):
        told[f"benefit_cost_ratio{end}"] = None if each is None else benefit_cost_ratio(each, cost)
        told[f"net_present_value{end}"] = None if each is None else net_present_value(each, cost)
    return told
