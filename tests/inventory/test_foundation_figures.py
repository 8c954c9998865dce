"""A figure is one object: chart, table twin, file and caption say the same, to the last digit."""

import csv
import io
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import RequestFactory

from inventory.foundation.figures import Figure, Series
from inventory.foundation.pages import figure_file

ROOT = Path(__file__).parents[2]
EXACT = Decimal("0.1000000000000000055511151231")
CAPTION = "Most of it <b>was</b> memory."


def stacked() -> Figure:
    return Figure(
        id="costs",
        caption=CAPTION,
        kind="stacked",
        x=["May", "June"],
        series=[
            Series("Memory", [EXACT, None]),
            Series("Closed", [1234, 0], tone="muted"),
            Series("Budget", [2000, 2000], tone="bad", dash="dash", step=True, is_line=True),
        ],
        x_title="Month",
        unit="EUR",
    )


def component(figure: Figure) -> str:
    """Return the component as a page of that address shows it."""
    request = RequestFactory().get("/x/?over=year&page=2")
    request.user = AnonymousUser()
    return render_to_string("components/figure.html", {"figure": figure}, request=request)


def heat() -> Figure:
    rows = [Series(f"host-{number}", [Decimal("12.5"), None]) for number in range(20)]
    return Figure(
        id="hosts", caption="c", kind="heatmap", x=["a", "b"], series=rows, y_title="Host", unit="%"
    )


def test_the_chart_is_plotlys_json_with_colours_of_the_theme() -> None:
    spec = stacked().spec

    memory, closed, budget = spec["data"]
    assert (memory["type"], closed["type"], budget["type"]) == ("bar", "bar", "scatter")
    assert memory["marker"]["color"] == "var(--chart-1)"
    assert closed["marker"]["color"] == "var(--muted-mark)"
    assert budget["line"] == {
        "color": "var(--bad-mark)",
        "dash": "dash",
        "shape": "hv",
        "width": 2.5,
    }
    assert memory["y"] == [0.1, None]
    assert spec["layout"]["barmode"] == "relative"
    assert "template" not in spec["layout"]
    assert json.loads(json.dumps(spec)) == spec


def test_hovering_shows_the_exact_number_and_no_name_is_read_as_a_template() -> None:
    trace = stacked().spec["data"][0]

    assert trace["customdata"] == [f"{EXACT} EUR", ""]
    assert "Memory" not in trace["hovertemplate"]


@pytest.mark.django_db
def test_the_table_twin_and_the_file_hold_what_is_drawn_but_exact() -> None:
    figure = stacked()

    content = b"".join(figure_file(figure)).decode()  # type: ignore[arg-type]
    rows = list(csv.reader(io.StringIO(content)))

    assert figure.head == ["Month", "Memory (EUR)", "Closed (EUR)", "Budget (EUR)"]
    assert figure.rows == [("May", [EXACT, 1234, 2000]), ("June", [None, 0, 2000])]
    assert rows == [figure.head, ["May", str(EXACT), "1234", "2000"], ["June", "", "0", "2000"]]
    drawn = [trace["y"] for trace in figure.spec["data"]]
    assert [list(row) for row in zip(*drawn, strict=True)] == [
        [None if value is None else float(value) for value in values] for _x, values in figure.rows
    ]


def test_a_heat_map_has_its_rows_in_the_table_too() -> None:
    figure = heat()

    (trace,) = figure.spec["data"]
    assert trace["z"] == [[12.5, None]] * 20
    assert (trace["zmin"], trace["zmax"]) == (0, 100)
    assert figure.head == ["Host", "a", "b"]
    assert figure.rows[0] == ("host-0", [Decimal("12.5"), None])
    assert figure.is_tall


def test_the_page_says_the_finding_and_escapes_it() -> None:
    page = component(stacked())

    assert page.count("Most of it &lt;b&gt;was&lt;/b&gt; memory.") >= 2
    assert CAPTION not in page
    assert '<script id="costs-data" type="application/json">' in page
    assert 'href="?over=year&amp;figure=costs&amp;format=csv"' in page


def test_where_there_is_nothing_only_the_caption_is_shown() -> None:
    figure = Figure(
        id="none", caption="Nothing yet.", kind="bar", x=["a"], series=[Series("s", [None])]
    )

    page = component(figure)

    assert figure.is_empty
    assert "Nothing yet." in page
    assert "<script" not in page
    assert "data-figure" not in page


def test_a_series_that_does_not_fit_the_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="one value for each x"):
        Figure(id="x", caption="", kind="bar", x=["a", "b"], series=[Series("s", [1])])


def test_workers_and_the_administration_do_without_plotly() -> None:
    """Only who draws a page pays for it: the traces' modules load at the first figure."""
    code = (
        "import sys, django; django.setup(); import orchestra.tasks, billing.tasks; "
        "assert 'plotly' not in sys.modules; import orchestra.urls; "
        "assert 'plotly.graph_objs._bar' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "orchestra.settings"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
