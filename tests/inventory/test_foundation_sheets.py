"""Lists as Excel files: read back by another library, and by the page that checks files."""

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from django.test import Client
from django.utils import timezone
from openpyxl.utils.escape import unescape

from inventory.foundation.errors import InvalidInput
from inventory.foundation.files import Origin
from inventory.foundation.models import Project, User
from inventory.foundation.sheets import ROWS_AT_MOST, TooManyRows, write_sheet, xlsx_file
from inventory.foundation.tables import MoneyColumn, PortalTable, TextColumn, WhenColumn
from inventory.foundation.verification import Verdict, verify
from tests.inventory.test_foundation_lists import AUDIT, entries, signed_in

MADE = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Lines(PortalTable):
    """A table of plain rows."""

    caption = "Lines: all/of them"
    text = TextColumn()
    amount = MoneyColumn(currency="currency")
    currency = TextColumn()
    at = WhenColumn()
    yes = TextColumn()


def made(rows: list[dict[str, Any]]) -> io.BytesIO:
    """Return the rows as an Excel file."""
    file = io.BytesIO()
    origin = Origin("http://testserver/lines/", MADE, "Europe/Berlin", (("Billing zone", "UTC"),))
    with timezone.override("Europe/Berlin"):
        write_sheet(Lines(rows), file=file, origin=origin)
    file.seek(0)
    return file


def read(file: io.BytesIO) -> list[list[Any]]:
    """Return the lines of the first sheet as another library reads them."""
    sheet = openpyxl.load_workbook(file, read_only=True).worksheets[0]
    found = [[cell.value for cell in row] for row in sheet.iter_rows()]
    file.seek(0)
    return found


def checked(file: io.BytesIO) -> Verdict:
    """Check a file."""
    return verify(file=file)


def differing(file: io.BytesIO) -> set[str]:
    """Return what the check finds wrong, by the first word."""
    return {check.label.split()[0] for check in checked(file).checks if not check.agrees}


def changed(file: io.BytesIO, name: str, old: str, new: str) -> io.BytesIO:
    """Return the file with a text in one of its parts replaced."""
    copy = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(copy, "w") as target:
        for part in source.namelist():
            content = source.read(part).decode()
            if part == name:
                assert old in content
                content = content.replace(old, new, 1)
            target.writestr(part, content)
    copy.seek(0)
    return copy


SHEET = "xl/worksheets/sheet1.xml"


def test_numbers_are_numbers_times_are_times_and_texts_are_never_run() -> None:
    rows = [
        {"text": text, "amount": Decimal("12.34"), "currency": "EUR", "yes": True}
        for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "http://a.b/", "007", " both ends ")
    ]
    summer = datetime(2026, 7, 1, 10, 30, 15, 999, tzinfo=UTC)
    night = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # the second 02:30 of that night in Berlin
    rows += [{"text": "summer", "at": summer}, {"text": "night", "at": night}]
    rows += [{"text": "day", "at": date(2026, 2, 28)}, {"text": "old", "at": date(1811, 1, 1)}]
    file = made(rows)
    found = read(file)

    assert found[0][:5] == ["Text", "Amount", "Currency", "At", "Yes"]
    assert [line[0] for line in found[1:9]] == [row["text"] for row in rows[:8]]
    assert {type(line[1]) for line in found[1:9]} == {float}
    assert found[1][4] == "yes"
    assert found[9][3].isoformat() == "2026-07-01T12:30:15"
    assert found[10][3].isoformat() == "2026-10-25T02:30:00"
    assert found[11][3].isoformat()[:10] == "2026-02-28"
    assert found[12][3] == "1811-01-01"
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["Lines  all of them"]
    cells = book.worksheets[0]
    assert cells["D10"].number_format == 'yyyy-mm-dd hh:mm:ss "+02:00"'
    assert cells["D11"].number_format == 'yyyy-mm-dd hh:mm:ss "+01:00"'
    assert {cell.data_type for cell in cells["A"]} == {"s"}
    file.seek(0)
    assert checked(file).agrees


def test_below_the_rows_stands_what_a_csv_states() -> None:
    rows = [
        {"text": "a", "amount": Decimal("1.10"), "currency": "EUR"},
        {"text": "b", "amount": Decimal("2.20"), "currency": "EUR"},
        {"text": "c", "amount": Decimal("4"), "currency": "USD"},
    ]
    file = made(rows)
    foot = {tuple(line[:1] + line[3:4]): line for line in read(file)[4:]}

    assert foot["# Address", None][1] == "http://testserver/lines/"
    assert foot["# Zone", None][1] == "Europe/Berlin"
    assert foot["# Billing zone", None][1] == "UTC"
    assert foot["# Rows", None][1] == 3
    assert foot["# Total", "EUR"][:5] == ["# Total", "Amount", 3.3, "EUR", "Currency"]
    assert foot["# Total", "USD"][2] == 4
    verdict = checked(file)
    assert verdict.agrees
    assert verdict.address == "http://testserver/lines/"
    assert [check.label for check in verdict.checks][-2:] == [
        "SHA-256 of every cell",
        "Seal of this installation",
    ]


def test_a_number_that_excel_cannot_keep_is_rounded_and_said_so() -> None:
    rows = [
        {"text": "long", "amount": Decimal("12345678.1234567891"), "currency": "EUR"},
        {"text": "whole", "amount": 2**60, "currency": "EUR"},
        {"text": "fits", "amount": Decimal("12345.1234567890"), "currency": "EUR"},
    ]
    file = made(rows)
    found = {line[0]: line[1:] for line in read(file)}

    assert found["long"][0] == 12345678.1234568
    assert found["# Rounded"][0] == 2
    # The sum of what is written has more digits than a number of Excel: it is a text, and exact.
    assert found["# Total"][1] == str(
        Decimal("12345678.1234568") + Decimal(1152921504606850000) + Decimal("12345.123456789")
    )
    assert checked(file).agrees


def test_texts_that_the_format_escapes_come_back_as_they_were() -> None:
    texts = ["a\r\nb", "_x0041_", "<&>\"'", "é 漢 🚀", "x" * 40_000, " _x000D_\x01"]
    file = made([{"text": text, "yes": "end"} for text in texts])

    assert [unescape(line[0]) for line in read(file)[1:5]] == texts[:4]
    assert checked(file).agrees


def test_what_was_changed_in_a_sheet_is_told() -> None:
    rows = [{"text": f"row {n}", "amount": Decimal(n), "currency": "EUR"} for n in range(1, 8)]
    file = made(rows)
    assert differing(changed(file, SHEET, "row 3", "row 4")) == {"SHA-256", "Seal"}
    assert differing(changed(file, SHEET, "<v>3</v>", "<v>4</v>")) == {"Total", "SHA-256", "Seal"}
    assert differing(changed(file, SHEET, 'r="A8"', 'r="A9"')) == set()  # its line says where it is
    assert differing(changed(file, SHEET, "<sheetData>", "<sheetData> ")) == set()


def test_a_spreadsheet_that_saves_the_file_again_does_not_break_it() -> None:
    rows = [
        {"text": f"row {n} <&>", "amount": Decimal(n) / 7, "currency": "EUR", "at": MADE}
        for n in range(1, 30)
    ]
    book = openpyxl.Workbook()
    for line in openpyxl.load_workbook(made(rows)).worksheets[0].iter_rows():
        for cell in line:
            book.worksheets[0][cell.coordinate].value = cell.value
            book.worksheets[0][cell.coordinate].number_format = cell.number_format
    again = io.BytesIO()
    book.save(again)  # other styles and another spelling of numbers
    assert checked(again).agrees

    shared = with_shared_texts(again)
    with zipfile.ZipFile(shared) as parts:
        assert "xl/sharedStrings.xml" in parts.namelist()
    assert checked(shared).agrees

    book.worksheets[0]["B5"] = 1_000
    forged = io.BytesIO()
    book.save(forged)
    assert differing(forged) == differing(with_shared_texts(forged)) == {"Total", "SHA-256", "Seal"}


def with_shared_texts(file: io.BytesIO) -> io.BytesIO:
    """Return a workbook with the same cells, its texts in one place as Excel keeps them."""
    copy = io.BytesIO()
    with xlsxwriter.Workbook(copy) as book:
        sheet = book.add_worksheet()
        for line in openpyxl.load_workbook(file).worksheets[0].iter_rows():
            for cell in line:
                style = book.add_format({"num_format": cell.number_format})
                if isinstance(cell.value, str):
                    sheet.write_string(cell.row - 1, cell.column - 1, cell.value)
                elif cell.value is not None:
                    sheet.write(cell.row - 1, cell.column - 1, cell.value, style)
    copy.seek(0)
    return copy


@pytest.mark.parametrize(
    "content",
    [
        b"PK\x03\x04",
        b"PK\x03\x04" + b"\x00" * 500,
        pytest.param({"a.txt": b"hello"}, id="no sheet"),
        pytest.param({SHEET: b"<worksheet><row>"}, id="broken"),
        pytest.param(
            {SHEET: b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet>&b;</worksheet>'}, id="entities"
        ),
        pytest.param({SHEET: b'<worksheet><row><c r="A1" t="s"><v>5</v></c></row></worksheet>'}),
        pytest.param({SHEET: b'<worksheet><row><c r="ZZZZZ1"><v>5</v></c></row></worksheet>'}),
        pytest.param({SHEET: b'<worksheet><row><c r="A1"><v>1e999</v></c></row></worksheet>'}),
        pytest.param({SHEET: b'<worksheet><row><c r="A1"><v>x</v></c></row></worksheet>'}),
        pytest.param({SHEET: b"<worksheet></worksheet>"}, id="empty"),
        pytest.param(
            {SHEET: b"<worksheet>" + b" " * 5_000_000 + b"<row><c><v>1</v></c></row></worksheet>"}
        ),
    ],
)
def test_what_is_no_sheet_of_ours_is_refused(content: bytes | dict[str, bytes]) -> None:
    file = io.BytesIO(content if isinstance(content, bytes) else b"")
    if isinstance(content, dict):
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, part in content.items():
                archive.writestr(name, part)
    with pytest.raises(InvalidInput) as refused:
        verify(file=file)
    assert "file" in refused.value.fields


@pytest.mark.django_db
def test_a_list_longer_than_a_sheet_is_refused_with_the_cure() -> None:
    origin = Origin("http://testserver/lines/", MADE, "UTC")
    with pytest.raises(TooManyRows, match="1,048,001") as refused:
        xlsx_file(Lines([]), name="lines", count=ROWS_AT_MOST + 1, origin=origin)
    assert "CSV" in refused.value.message
    assert xlsx_file(Lines([]), name="lines", count=ROWS_AT_MOST, origin=origin).status_code == 200


@pytest.mark.django_db
def test_the_list_offers_the_sheet_and_the_page_checks_it(auditor: User, project: Project) -> None:
    entries(project, auditor, 60)
    client: Client = signed_in(auditor)
    page = client.get(AUDIT, {"sort": "at", "page": "2", "action": "order"}).text
    assert 'href="?sort=at&amp;action=order&amp;format=xlsx"' in page
    assert client.get(AUDIT, {"since": "never", "format": "xlsx"}).status_code == 400

    answer = client.get(AUDIT, {"sort": "at", "format": "xlsx"})
    assert answer["Content-Type"].endswith("spreadsheetml.sheet")
    assert answer["X-Row-Count"] == "60"
    assert answer["Content-Disposition"].endswith('-60-rows.xlsx"')
    file = io.BytesIO(answer.getvalue())
    lines = read(file)
    reasons = [line[lines[0].index("Reason")] for line in lines[1:61]]
    assert reasons == [None, "=1+1"] * 30
    file.name = "audit.xlsx"
    told = client.post("/files/check/", {"file": file})
    assert "audit.xlsx is whole" in told.text
    assert 'href="/audit/?sort=at"' in told.text
