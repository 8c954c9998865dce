"""From a request to a downloaded bill, as people do it: real browser, portal, worker, scheduler."""

import csv
import re
import subprocess
import time
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.axe import assert_accessible
from tests.journeys.conftest import Enter, Street, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("street")]
VALIDATOR = Path(__file__).resolve().parents[3] / "shared" / "tools" / "focus_1_2.sh"
VALIDATOR_HOME = Path.home() / ".cache" / "focus-validator-venv"
DELIVERED_MS = 90_000


def fill_request(page: Page, *, name: str, copies: int, environment: str = "production") -> None:
    """Fill in the form of a machine with 100 GiB."""
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Copies").fill(str(copies))
    page.get_by_label("Application").fill(name)
    page.get_by_label("Environment").select_option(environment)
    page.get_by_label("Business reason").fill("More visitors in winter")
    page.get_by_label("Storage in GiB").fill("100")


def ask(visitor: Visitor, service: str) -> Page:
    """Go through the catalogue to the form of a service."""
    page = visitor.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Services").click()
    page.get_by_role("link", name=service).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(service))
    return page


def until_done(page: Page) -> None:
    """Watch the progress without touching the page."""
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("Done", timeout=DELIVERED_MS)


def in_order(visitor: Visitor) -> None:
    """Fail on an axe finding on this page, or anything wrong in the browser so far."""
    assert_accessible(visitor.page)
    visitor.watched.assert_clean()


def test_request_approve_watch_bill_download(street: Street, enter: Enter, tmp_path: Path) -> None:
    mia = enter("mia")
    page = ask(mia, "Linux M")
    in_order(mia)

    # The price thinks while she types.
    fill_request(page, name="winter", copies=1)
    price = page.locator("#estimate .price")
    expect(price).to_contain_text(re.compile(r"\d"))
    one = price.inner_text()
    page.get_by_label("Copies").fill("2")
    expect(price).not_to_have_text(one)
    assert amount(price.inner_text()) == pytest.approx(2 * amount(one), abs=Decimal("0.01"))
    expect(page.locator("#estimate")).to_contain_text("winter-1")
    expect(page.locator("#estimate")).to_contain_text("Needs approval")
    in_order(mia)
    promised = amount(price.inner_text())

    page.get_by_role("button", name="Show what will happen").click()
    expect(page.locator("#plan")).to_contain_text("Together")
    assert promised == amount(page.locator("#plan tfoot td.number").first.inner_text())
    in_order(mia)
    page.get_by_role("button", name="Send for approval").click()
    expect(page.locator("main")).to_contain_text("Waiting for an approver")
    expect(page.locator("main")).to_contain_text("Ana Approver")
    in_order(mia)
    request = page.url

    ana = enter("ana")
    ana.page.get_by_role("navigation", name="Main").get_by_role("link", name="Approvals").click()
    in_order(ana)
    ana.page.get_by_role("row", name=re.compile("winter")).get_by_role("link").first.click()
    expect(ana.page.locator("main")).to_contain_text("What it would change")
    in_order(ana)
    ana.page.get_by_label("Reason").fill("Winter is our best time.")
    ana.page.get_by_role("button", name="Approve", exact=True).click()
    expect(ana.page.locator("main")).to_contain_text("Winter is our best time.")
    in_order(ana)

    page.goto(request)
    page.get_by_role("link", name="Progress").last.click()
    until_done(page)
    expect(page.locator("main")).to_contain_text("How to connect")
    assert street.machines("winter") == ["winter-1", "winter-2"]
    in_order(mia)

    page.get_by_role("link", name="Application").last.click()
    expect(page.locator("main")).to_contain_text("How to connect")
    in_order(mia)
    page.get_by_role("link", name="winter-1").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("winter-1")
    in_order(mia)

    # The worker prices the open month; seconds of a machine are worth less than a cent.
    street.ring("billing.rate_open_periods")
    charges = page.locator("main table")
    for _ in range(60):
        page.goto("/charges/?q=winter-1")
        if charges.count():
            break
        time.sleep(0.5)
    expect(charges).to_contain_text("winter-1")
    in_order(mia)
    page.goto("/costs/?by=application")
    expect(page.locator("main")).to_contain_text("winter")
    in_order(mia)
    fiona_takes_the_bill_away(enter, tmp_path)


def fiona_takes_the_bill_away(enter: Enter, folder: Path) -> None:
    """Explain one line of a closed month, then take the month away as CSV and FOCUS file."""
    fiona = enter("fiona")
    page = fiona.page
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Statements").click()
    in_order(fiona)
    page.locator("main").get_by_role("link", name=re.compile(r"ST\d+-\d+")).first.click()
    expect(page.locator("main")).to_contain_text("It ties")
    in_order(fiona)
    total = amount(page.locator("main tfoot td.number").last.inner_text())
    with page.expect_download() as lines:
        page.get_by_role("link", name="Lines as CSV").click()
    with lines.value.path().open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 2
    with page.expect_download() as export:
        page.get_by_role("button", name="FOCUS file").click()
    focus = folder / "focus.csv"
    export.value.save_as(focus)

    page.locator("main table a.row-link").first.click()
    in_order(fiona)
    page.locator("main table a.row-link").first.click()
    expect(page.locator("main")).to_contain_text("0.00")
    in_order(fiona)

    with focus.open(encoding="utf-8", newline="") as file:
        billed = sum(Decimal(row["BilledCost"]) for row in csv.DictReader(file))
    assert round(billed, 2) == total
    if VALIDATOR.exists() and (VALIDATOR_HOME / "bin" / "focus-validator").exists():
        said = subprocess.run(
            [VALIDATOR, focus], capture_output=True, text=True, timeout=300, check=False
        )
        assert said.returncode == 0, said.stdout + said.stderr


def amount(text: str) -> Decimal:
    """Return the first amount of money in a text."""
    found = re.search(r"\d[\d,]*\.\d+", text)
    assert found, text
    return Decimal(found[0].replace(",", ""))


def press_until(page: Page, what: str, key: str = "Tab", most: int = 120) -> None:
    """Press a key until the element with the focus is named so."""
    for _ in range(most):
        page.keyboard.press(key)
        if focused(page) == what:
            return
    raise AssertionError(f"{what!r} is not reached by {key}; the focus is on {focused(page)!r}")


def focused(page: Page) -> str:
    """Return the name of what has the focus: its label's text, or its own."""
    return str(
        page.evaluate(
            """() => {
              const one = document.activeElement;
              const label = one.labels && one.labels[0];
              const text = one.getAttribute("aria-label") || (label || one).innerText || "";
              return text.replace(/\\s+/g, " ").replace(/ optional$/, "").trim();
            }"""
        )
    )


def test_request_by_keyboard_only(street: Street, enter: Enter) -> None:
    """No mouse from the start page to a sent request."""
    mia = enter("mia")
    page = mia.page
    press_until(page, "Skip to the content")
    page.keyboard.press("Enter")
    press_until(page, "Request a service")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("/catalogue/$"))
    press_until(page, "Skip to the content")
    page.keyboard.press("Enter")
    for _ in range(60):
        page.keyboard.press("Tab")
        if "linux-m/request" in (page.evaluate("document.activeElement.href || ''")):
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("linux-m/request/"))
    press_until(page, "Name")
    page.keyboard.type("by-keyboard")
    for label, text in (
        ("Copies", None),
        ("Application", "by-keyboard"),
        ("Environment", "Prod"),
        ("Business reason", "The mouse is at home."),
        ("Storage in GiB", None),
    ):
        press_until(page, label, most=3)
        if text:
            page.keyboard.type(text)
    expect(page.locator("#estimate .price")).to_be_visible()
    press_until(page, "Show what will happen", most=20)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/requests/\d+/$"))
    press_until(page, "Send for approval")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("Waiting for an approver")
    in_order(mia)


def test_small_things_need_no_approver(street: Street, enter: Enter) -> None:
    """Cheap, short and within budget: sent, begun and delivered, approved by the rule."""
    mia = enter("mia")
    page = ask(mia, "Linux S")
    fill_request(page, name="tiny", copies=1, environment="test")
    expect(page.locator("#estimate")).to_contain_text("Approved by rule")
    page.get_by_role("button", name="Show what will happen").click()
    expect(page).to_have_url(re.compile(r"/requests/\d+/$"))
    in_order(mia)
    page.get_by_role("button", name="Send and start").click()
    page.get_by_role("link", name="Progress").last.click()
    until_done(page)
    in_order(mia)
    assert street.machines("tiny") == ["tiny-1"]
    page.get_by_role("link", name="Request", exact=True).first.click()
    expect(page.locator("main")).to_contain_text("Cheap, short and within budget")
    in_order(mia)


def test_a_killed_worker_leaves_no_trace(street: Street, enter: Enter) -> None:
    """Kill -9 workers while they make machines: three machines, not four."""
    noah = enter("noah")
    page = ask(noah, "Linux S")
    page.get_by_label("Project").select_option(label="Research")
    fill_request(page, name="sturdy", copies=3, environment="test")
    page.get_by_label("Storage in GiB").fill("50")
    expect(page.locator("#estimate")).to_contain_text("Approved by rule")
    page.get_by_role("button", name="Show what will happen").click()
    page.get_by_role("button", name="Send and start").click()
    page.get_by_role("link", name="Progress").last.click()
    for _ in range(2):
        expect(page.locator("#run-live")).to_contain_text("Running", timeout=DELIVERED_MS)
        street.kill_a_worker()
    until_done(page)
    assert street.machines("sturdy") == ["sturdy-1", "sturdy-2", "sturdy-3"]
    in_order(noah)
    operator = enter("oscar")
    operator.page.goto("/health/")
    in_order(operator)
