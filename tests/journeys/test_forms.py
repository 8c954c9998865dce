"""Forms and figures in a real browser: nothing typed is lost, and charts draw under the policy."""

import pytest
from playwright.sync_api import Route, expect

from tests.journeys.axe import assert_accessible, assert_reflows
from tests.journeys.conftest import Enter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("street")]

DRAFT = "You have a draft of this form"


def test_a_request_half_typed_waits_for_its_writer(enter: Enter) -> None:
    """Typed, left without sending, found again on another device, continued, discarded."""
    mia = enter("mia")
    page = mia.page
    page.goto("/catalogue/")
    page.locator(".tile-foot a").first.click()
    address = page.url
    page.get_by_label("Name", exact=True).fill("half-done")
    page.get_by_label("Business reason").fill("Because the old one is slow")
    expect(page.locator("[data-draft-kept]")).to_contain_text("Draft kept")
    assert_accessible(page)
    page.goto("/")

    elsewhere = enter("mia", viewport={"width": 320, "height": 900}, color_scheme="dark")
    there = elsewhere.page
    there.goto(address)
    expect(there.get_by_text(DRAFT)).to_be_visible()
    expect(there.get_by_label("Name", exact=True)).to_have_value("")
    assert_accessible(there)
    assert_reflows(there)
    there.get_by_role("link", name="Continue the draft").press("Enter")
    expect(there.get_by_label("Name", exact=True)).to_have_value("half-done")
    expect(there.get_by_label("Business reason")).to_have_value("Because the old one is slow")
    assert_accessible(there)

    elsewhere.watched.allowed_statuses.add(400)
    there.get_by_label("Name", exact=True).fill("Not Right")
    there.get_by_role("button", name="Show what will happen").press("Enter")
    summary = there.locator("[data-error-summary]")
    expect(summary).to_be_focused()
    expect(there.get_by_label("Name", exact=True)).to_have_value("Not Right")
    summary.get_by_role("link", name="Name:").press("Enter")
    expect(there.get_by_label("Name", exact=True)).to_be_focused()
    there.get_by_label("Name", exact=True).press_sequentially("-at-all")
    expect(there.locator("[data-draft-kept]")).to_contain_text("Draft kept")
    # What arrives while one types (the price, the kept draft) leaves the focus where it is.
    expect(there.get_by_label("Name", exact=True)).to_be_focused()
    assert_accessible(there)

    there.goto(address)
    there.get_by_role("button", name="Discard the draft").press("Enter")
    expect(there.get_by_text(DRAFT)).to_have_count(0)
    mia.watched.assert_clean()
    elsewhere.watched.assert_clean()


def test_what_a_field_offers_follows_from_the_others(enter: Enter) -> None:
    """The server draws it anew: what is typed meanwhile stays, and so does the focus."""
    mia = enter("mia")
    page = mia.page
    page.goto("/catalogue/")
    page.locator(".tile-foot a").first.click()
    ends, environment = page.locator("#id_end_at_helptext"), page.get_by_label("Environment")
    pool = page.get_by_role("combobox", name="Pool")
    expect(ends).to_contain_text("Test and development end after 90 days")
    expect(pool.locator("option")).not_to_have_count(1)
    pool.select_option(index=1)
    chosen = pool.input_value()

    # The answer is held back until something was typed that it cannot know of.
    held: list[Route] = []
    page.route(
        "**/request/**",
        lambda route: (
            held.append(route) if "draw=1" in (route.request.post_data or "") else route.continue_()
        ),
    )
    environment.focus()
    environment.select_option("production")
    page.get_by_label("Start").fill("2030-01-01T08:00")
    page.get_by_label("End").fill("2030-03-01T10:00")
    expect(ends).to_contain_text("Test and development end")
    held.pop().continue_()
    expect(ends).to_contain_text("production is confirmed anew every 12 months")
    expect(page.get_by_label("End")).to_be_focused()
    expect(page.get_by_label("End")).to_have_value("2030-03-01T10:00")
    expect(page.get_by_label("Start")).to_have_value("2030-01-01T08:00")
    expect(pool).to_have_value(chosen)
    expect(environment).to_have_value("production")
    page.unroute("**/request/**")
    environment.select_option("test")
    expect(ends).to_contain_text("A test ends after 90 days")
    assert_accessible(page)
    mia.watched.assert_clean()


def test_without_a_script_a_button_draws_it_anew(enter: Enter) -> None:
    mia = enter("mia", java_script_enabled=False)
    page = mia.page
    page.goto("/catalogue/")
    page.locator(".tile-foot a").first.click()
    page.get_by_label("Environment").select_option("production")
    page.get_by_label("Business reason").fill("Because")
    page.get_by_role("button", name="Show what can be chosen now").click()
    expect(page.locator("#id_end_at_helptext")).to_contain_text("production is confirmed anew")
    expect(page.get_by_label("Business reason")).to_have_value("Because")
    expect(page.get_by_label("Environment")).to_have_value("production")
    expect(page.locator("[data-error-summary]")).to_have_count(0)
    page.get_by_role("button", name="Show what will happen").click()
    expect(page.locator("[data-error-summary]")).to_have_count(1)  # now it was meant: no name yet
    expect(page.get_by_label("Business reason")).to_have_value("Because")


def test_figures_draw_in_both_themes_and_their_numbers_can_be_read(enter: Enter) -> None:
    """The chart follows the theme without a reload; the table beneath it holds the numbers."""
    fiona = enter("fiona")
    page = fiona.page
    page.goto("/costs/")
    figure = page.locator("figure#year")
    figure.scroll_into_view_if_needed()
    expect(figure.locator(".main-svg").first).to_be_attached()
    light = figure.locator(".bars path").first.evaluate("one => getComputedStyle(one).fill")

    page.emulate_media(color_scheme="dark")
    expect(figure.locator(".bars path").first).not_to_have_css("fill", light)

    assert page.locator(".modebar").count() == 0
    figure.get_by_text("Show the numbers").press("Enter")
    expect(figure.get_by_role("table")).to_be_visible()
    assert_accessible(page)
    with page.expect_download() as file:
        figure.get_by_role("link", name="CSV").click()
    assert file.value.suggested_filename.startswith("year-")
    fiona.watched.assert_clean()
