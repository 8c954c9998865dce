"""The figure component's data: one object gives the chart, its table twin and its caption."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Kind = Literal["bar", "stacked", "line", "heatmap"]


@dataclass(frozen=True)
class Series:
    """One line or colour of a figure: a value for each x. `tone` is good, warn, bad or muted."""

    name: str
    values: Sequence[Decimal | int | None]
    tone: str = ""
    dash: str = ""
    step: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart as data. `caption` states the finding, `x` are labels (or ISO dates: x_type "date").

    Values stay exact: they go to the browser as text and into the table as they are.
    """

    id: str
    caption: str
    kind: Kind
    x: Sequence[str]
    series: Sequence[Series]
    x_title: str = ""
    y_title: str = ""
    unit: str = ""
    x_type: Literal["category", "date"] = "category"
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Refuse series that do not fit the axis: a chart must never lie by a shift."""
        if any(len(series.values) != len(self.x) for series in self.series):
            message = "each series of a figure needs one value for each x"
            raise ValueError(message)
        object.__setattr__(self, "names", tuple(series.name for series in self.series))

    @property
    def data_id(self) -> str:
        """Return the id of the element that holds the JSON."""
        return f"{self.id}-data"

    @property
    def rows(self) -> list[tuple[str, list[Decimal | int | None]]]:
        """Return the table twin: (x, the values of all series)."""
        return [
            (label, [series.values[index] for series in self.series])
            for index, label in enumerate(self.x)
        ]

    @property
    def spec(self) -> dict[str, Any]:
        """Return what `static/js/charts.js` draws, as plain JSON values."""
        return {
            "kind": self.kind,
            "x": list(self.x),
            "x_type": self.x_type,
            "y_title": self.y_title,
            "unit": self.unit,
            "series": [
                {
                    "name": series.name,
                    "values": [None if value is None else str(value) for value in series.values],
                    "tone": series.tone,
                    "dash": series.dash,
                    "step": series.step,
                }
                for series in self.series
            ],
        }
