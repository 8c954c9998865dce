"""The figure component: one object gives the chart (Plotly's JSON), its table twin and its caption.

Values stay exact in the table and in the file. They become floats here, at the edge, and only for
the place of a mark on the screen: nothing reads them back. Colours are CSS variables, which
`static/js/charts.js` resolves, so that a chart follows the theme.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

import plotly.graph_objects as go
from django.utils.formats import get_format, number_format

Kind = Literal["bar", "stacked", "line", "heatmap"]
Value = Decimal | int | None
COLOURS = 6  # `--chart-1` to `--chart-6` of tokens.css
TALL_FROM = 16  # rows of a heat map that need more height than the usual
CLEAR = "rgba(0,0,0,0)"


@dataclass(frozen=True)
class Series:
    """One line or colour of a figure: a value for each x. `tone` is good, warn, bad or muted.

    `is_line` draws it as a line over the bars of the others (a budget, a limit).
    """

    name: str
    values: Sequence[Value]
    tone: str = ""
    dash: str = ""
    step: bool = False
    is_line: bool = False


@dataclass(frozen=True)
class Figure:
    """A chart as data. `caption` states the finding, `x` are labels (or ISO dates: x_type "date").

    `as_of` says up to when its data goes, where that is not self-evident. Of a heat map each series
    is a row, and its values are shares in per cent.
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
    as_of: datetime | None = None
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
    def is_empty(self) -> bool:
        """Say whether there is nothing to draw: then only the caption is shown."""
        return not any(value for series in self.series for value in series.values)

    @property
    def is_tall(self) -> bool:
        """Say whether a heat map has so many rows that it needs more height."""
        return self.kind == "heatmap" and len(self.series) > TALL_FROM

    @property
    def head(self) -> list[str]:
        """Return the titles of the table twin, with the unit; a heat map's rows are its series."""
        if self.kind == "heatmap":
            return [self.y_title, *self.x]
        unit = f" ({self.unit})" if self.unit else ""
        return [self.x_title, *(f"{name}{unit}" for name in self.names)]

    @property
    def rows(self) -> list[tuple[str, list[Value]]]:
        """Return the table twin: label of the row, its values."""
        if self.kind == "heatmap":
            return [(series.name, list(series.values)) for series in self.series]
        return [
            (label, [series.values[index] for series in self.series])
            for index, label in enumerate(self.x)
        ]

    @property
    def spec(self) -> dict[str, Any]:
        """Return what the browser draws: Plotly's own JSON, `data` and `layout`."""
        figure = go.Figure(data=list(self._traces()), layout=self._layout())
        drawn: dict[str, Any] = figure.to_plotly_json()
        drawn["layout"].pop("template", None)
        return drawn

    def _traces(self) -> Iterator[Any]:
        if self.kind == "heatmap":
            yield self._heat_map()
            return
        for index, series in enumerate(self.series):
            colour = f"var(--{series.tone}-mark)" if series.tone else f"var(--chart-{place(index)})"
            common = {
                "name": series.name,
                "x": list(self.x),
                "y": [drawn_at(value) for value in series.values],
                "customdata": [self._text(value) for value in series.values],
                "hovertemplate": "%{x}<br>%{customdata}<extra>%{fullData.name}</extra>",
            }
            if self.kind == "line" or series.is_line:
                line = {
                    "color": colour,
                    "width": 2.5,
                    "shape": "hv" if series.step else "linear",
                    "dash": series.dash or "solid",
                }
                # One point alone has no line to be seen by.
                mode = "lines" if len(self.x) > 1 else "markers"
                yield go.Scatter(mode=mode, line=line, marker={"color": colour}, **common)
            else:
                yield go.Bar(marker={"color": colour}, **common)

    def _heat_map(self) -> Any:
        return go.Heatmap(
            x=list(self.x),
            y=list(self.names),
            z=[[drawn_at(value) for value in series.values] for series in self.series],
            customdata=[[self._text(value) for value in one.values] for one in self.series],
            hovertemplate="%{y}<br>%{x}<br>%{customdata}<extra></extra>",
            hoverongaps=False,
            zmin=0,
            zmax=100,
            colorscale=[[0, "var(--surface-soft)"], [1, "var(--chart-1)"]],
            showscale=False,
            xgap=2,
            ygap=2,
        )

    def _layout(self) -> Any:
        is_heat = self.kind == "heatmap"
        decimal, thousand = get_format("DECIMAL_SEPARATOR"), get_format("THOUSAND_SEPARATOR")
        axis = {"automargin": True, "fixedrange": True}
        y_axis: dict[str, Any] = {"type": "category", "autorange": "reversed", "gridcolor": CLEAR}
        if not is_heat:
            y_axis = {
                "rangemode": "tozero",
                "tickformat": ",",
                "title": {"text": self.y_title},
                "gridcolor": "var(--chart-grid)",
                "zerolinecolor": "var(--chart-grid)",
            }
        return go.Layout(
            template="none",
            barmode="relative" if self.kind == "stacked" else "group",
            bargap=0.35,
            separators=f"{decimal}{thousand}",
            paper_bgcolor=CLEAR,
            plot_bgcolor=CLEAR,
            margin={"l": 8, "r": 8, "t": 8, "b": 8},
            font={"size": 13, "color": "var(--ink-soft)"},
            showlegend=len(self.series) > 1 and not is_heat,
            legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
            hoverlabel={
                "bgcolor": "var(--surface)",
                "bordercolor": "var(--line)",
                "font": {"color": "var(--ink)"},
            },
            xaxis=axis
            | {"type": self.x_type, "gridcolor": CLEAR, "linecolor": "var(--chart-grid)"},
            yaxis=axis | y_axis,
        )

    def _text(self, value: Value) -> str:
        """Return a value as the hover shows it: exact, in the viewer's number format."""
        if value is None:
            return ""
        shown = number_format(value, use_l10n=True, force_grouping=True)
        return f"{shown} {self.unit}".strip()


def place(index: int) -> int:
    """Return the number of a series' colour; they begin anew after the last."""
    return index % COLOURS + 1


def drawn_at(value: Value) -> float | None:
    """Return where on the axis a value is drawn."""
    return None if value is None else float(value)
