"""Words that several parts of the report share: notes beside money, names of scenarios, windows, places, intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.batch.plan import OBSERVED
from engine.core import country
from engine.core.caveats import LOSS_NOTE
from engine.core.interval_words import Interval, share_of_value
from engine.core.scenario import Scenario, label, names_of
from engine.io.etl import regions
from engine.report.committee import numbers
from engine.report.committee.at_risk import Threshold
from engine.report.committee.figures import Pair, Portfolio
from engine.report.committee.texts import Texts


class Words:
    """Words of one portfolio in one language."""

    def __init__(self, portfolio: Portfolio, texts: Texts, threshold: Threshold) -> None:
        self.portfolio, self.texts, self.threshold = portfolio, texts, threshold
        self.names = names_of(portfolio.summary)
        # what was written before other currencies were possible is in KRW
        self.currency = country.money_in(country.currency_of(portfolio.summary))
        self.observed = portfolio.summary["scope"] == OBSERVED

    def amount(self, value: float | None) -> str:
        """Money without its currency."""
        return numbers.amount(value, self.texts.language, self.currency)

    def money(self, value: float | None) -> str:
        """Money with its currency."""
        return numbers.money(value, self.texts.language, self.currency)

    def scenario(self, scenario: Scenario) -> str:
        """Its code; an observed record is none."""
        return self.texts("observed_record") if self.observed else label(scenario, self.names)

    def storm(self, told: Mapping[str, Any]) -> str:
        """Name of a storm; of one that the record leaves unnamed, its year and id. told: object of `storms.largest`"""
        return told["name"] or self.texts("storm_unnamed", year=str(told["date"])[:4], id=told["storm_id"])

    def years(self, span: str) -> str:
        """`2041–2060` of `2041-2060`."""
        return span.replace("-", numbers.DASH[self.texts.language])

    def at(self, pair: Pair) -> dict[str, str]:
        """`scenario` and `years` of a pair within a sentence."""
        within = "observed_within" if self.observed else "scenario_within"
        return {"scenario": self.texts(within, code=label(pair.scenario, self.names)), "years": self.years(pair.years)}

    def window(self, period: str) -> dict[str, str]:
        """`period` and `years` of a window."""
        return {"period": self.texts(f"period_{period}"), "years": self.years(self.portfolio.years(period))}

    def note(self, told: Mapping[str, Any]) -> str:
        """What must stand in the line of a sum over risks. told: object with `total_expected_loss...`"""
        if told["loss_note"] is None:
            return self.texts("calibrated")
        return self.texts("loss_note" if told["total_expected_loss_calibrated"] is None else "partly")

    def note_of(self, loss_note: str | None) -> str:
        """What must stand in the line of a loss that carries this note, or none."""
        return self.texts("calibrated" if loss_note is None else "loss_note" if loss_note == LOSS_NOTE else "partly")

    def share_of(self, pair: Pair) -> str:
        """Sentence for the expected loss as a share of value, with its interval and note."""
        ends = pair.of_value("total_expected_loss_low"), pair.of_value("total_expected_loss_high")
        value = pair.of_value("total_expected_loss")
        interval = Interval(
            0.0 if value is None else value, *ends, None, bool(pair.told["interval_holds_rates"]), self.observed
        )
        return share_of_value(interval, self.texts.language, calibrated=pair.told["loss_note"] is None)

    def within(self, low: float | None, high: float | None) -> str:
        """Ends of an interval of money for a column."""
        return numbers.ends(low, high, self.texts.language, self.currency)

    def shares(self, low: float | None, high: float | None) -> str:
        """Ends of an interval of ratios for a column, per cent."""
        if low is None or high is None:
            return numbers.NONE
        return f"{numbers.share(low)}{numbers.DASH[self.texts.language]}{numbers.share(high)}"

    def place(self, code: str | None, name: str | None) -> str:
        """A province by its code, or a region by its name."""
        if code is None:
            return name or numbers.NONE
        korean = regions.provinces()[code]
        return korean if self.texts.language == "ko" else regions.english_names().get(code, korean)

    def region(self, code: str | None, name: str | None) -> str | None:
        """A region with its province, as far as that is known: several cities have a district of one name."""
        found = regions.with_province(code, name)
        return name if found is None else found[self.texts.language]

    def scope(self) -> str | None:
        """Banner; None for results of the whole warehouse."""
        scope = self.portfolio.summary["scope"]
        if not self.portfolio.summary["runs"] and scope == "full":
            return self.texts("scope_unknown")
        if scope == "full":
            return None
        known = f"scope_{scope.partition(':')[0]}"
        return self.texts(known if known in ("scope_synthetic", "scope_observed") else "scope_sample", scope=scope)

    def rule(self, key: str) -> str:
        """The threshold in words; key: `meets`, `meets_one` or `rule`."""
        stem, one = key.removesuffix("_one"), "_one" if key.endswith("_one") else ""
        if self.threshold.level is None:
            return self.texts(f"{stem}_share{one}", share=f"{100 * (self.threshold.share or 0):g}")
        level = self.texts.level(self.threshold.level)
        return self.texts(f"{stem}_level{one}", level=level, cut=self.threshold.cut)
