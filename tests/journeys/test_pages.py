"""Every page that anybody can reach: in both themes, wide and narrow, and under the policy."""

import re
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve, reverse
from playwright.sync_api import Page, expect

from orchestra.demo import PEOPLE
from tests.journeys.axe import accessibility_findings, sideways
from tests.journeys.conftest import Enter

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("street")]

# Pages that show much in one state and little in another are looked at more than once.
LOOKS = {
    "billing:correction": 2,
    "billing:price": 2,
    "billing:price-change": 2,
    "foundation:project": 3,
    "foundation:project-request": 2,
    "foundation:projects": 2,
    "foundation:role": 2,
    "orchestra:application": 2,
    "orchestra:defaults-of": 2,
    "orchestra:freeze": 2,
    "orchestra:request": 6,
    "orchestra:run": 3,
}
# Of these a list's first rows show none: closed projects, work that went wrong. Their lists lead
# there, the archive by a link and the other by its filter, so the walk begins with them.
NARROWED = ("/projects/?archive=only", "/progress/?state=needs_operator")
STARTS = (*NARROWED, "/", "/find/?q=web")
FILES = re.compile(r"\.csv|/log/|[?&]format=|/exports/|/logout/")
# Everybody comes in through it, and is led away from it afterwards.
DOOR = "foundation:login"
CLOSER = "fiona"
VIEWS = [(dark, width) for width in (1280, 320) for dark in (False, True)]


@dataclass
class Walk:
    """What was seen on the way through the portal."""

    shown: Counter[str] = field(default_factory=Counter)
    offered: set[str] = field(default_factory=set)
    looked_at: set[str] = field(default_factory=set)
    findings: list[str] = field(default_factory=list)


def name_of(path: str) -> str:
    """Return the name of the page at a path; empty where there is none."""
    try:
        return resolve(path).view_name or ""
    except Resolver404:
        return ""


def links(page: Page) -> list[str]:
    """Return the addresses that the page leads to within the portal, in order."""
    found = page.eval_on_selector_all("a[href]", "all => all.map(one => one.href)")
    here = urlsplit(page.url).netloc
    parts = [urlsplit(one) for one in found if urlsplit(one).netloc == here]
    return [one.path + (f"?{one.query}" if one.query else "") for one in parts]


def offers(page: Page) -> set[str]:
    """Return the names of what the page's forms, scripts and links to files ask for."""
    found = page.evaluate(
        """() => ['action', 'formaction', 'hx-get', 'hx-post'].flatMap(name =>
            [...document.querySelectorAll(`[${name}]`)].map(one => one.getAttribute(name)))"""
    )
    files = [address for address in links(page) if FILES.search(address)]
    return {name_of(urlsplit(address).path) for address in (*found, *files)} - {""}


def last_number(address: str) -> int:
    """Return the number that an address ends with."""
    return int(re.findall(r"\d+", address)[-1])


def look(page: Page, who: str) -> list[str]:
    """Run axe on the page in both themes, wide and narrow; return what is wrong."""
    wrong = []
    for dark, width in VIEWS:
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(50)
        found = accessibility_findings(page)
        if width == 320:
            found += sideways(page)
        where = f"{who} {page.url} {'dark' if dark else 'light'} {width}"
        wrong += [f"{where}: {one}" for one in found]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})
    return wrong


def walk(page: Page, who: str, seen: Walk) -> None:
    """Follow the first links to each kind of page; look closely at those not looked at yet."""
    shown: Counter[str] = Counter()
    ahead = [*STARTS]
    been = set()
    while ahead:
        address = ahead.pop(0)
        name = name_of(urlsplit(address).path)
        is_ours = name and not name.startswith(("admin:", "api:")) and not FILES.search(address)
        if address in been or not is_ours or shown[name] >= LOOKS.get(name, 1):
            continue
        been.add(address)
        page.goto(address)
        shown[name] += 1
        seen.shown[name] += 1
        seen.offered |= offers(page)
        ahead += links(page)
        if name == "billing:running" and who == CLOSER:
            # The demo's ended months are closed, so no link leads there; a look does no harm.
            ahead.append(reverse("billing:close", args=[last_number(address)]))
        if shown[name] > sum(one.startswith(f"{name} ") for one in seen.looked_at):
            seen.looked_at.add(f"{name} {address}")
            seen.findings += look(page, who)


def keep_view(page: Page) -> None:
    """Save a list as it is looked at under a name, so that there is a view to look at."""
    page.goto("/requests/?environment=test")
    page.locator(".list-menu summary").first.click()
    page.get_by_role("link", name="Save this view").click()
    page.get_by_label("Name", exact=True).fill("Only for tests")
    page.get_by_label("Pin it in my navigation").check()
    page.get_by_role("button", name="Save the view").click()
    expect(page.get_by_role("link", name="Only for tests").first).to_be_visible()


def all_pages() -> set[str]:
    """Return the names of the portal's addresses, without the API and the administration."""
    names = set()

    def gather(resolver: URLResolver, prefix: str) -> None:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLPattern):
                names.add(f"{prefix}{pattern.name}")
            elif pattern.namespace not in {"admin", "api"}:
                inner = f"{pattern.namespace}:" if pattern.namespace else prefix
                gather(pattern, inner)

    gather(get_resolver(), "")
    return {name for name in names if ":" in name}


def test_every_page_for_everybody(enter: Enter) -> None:
    """No axe finding, no sideways scroll at 320 px, nothing in the console, nothing refused."""
    seen = Walk()
    for person in PEOPLE:
        visitor = enter(person.username)
        if not seen.shown:
            keep_view(visitor.page)
        walk(visitor.page, person.username, seen)
        seen.findings += [f"{person.username}: {one}" for one in visitor.watched.findings]
        visitor.page.context.close()
    assert not seen.findings, f"{len(seen.findings)} findings\n" + "\n".join(seen.findings)
    unseen = sorted(all_pages() - {DOOR} - set(seen.shown) - seen.offered)
    assert not unseen, f"neither a link nor a form leads to {', '.join(unseen)}"


def test_the_documentation_of_the_api_keeps_the_policy(enter: Enter) -> None:
    """Swagger's own markup is not ours to mend: only the policy and the console are judged."""
    mia = enter("mia")
    mia.page.goto("/api/v1/docs/")
    mia.page.locator("#operations-tag-orders").click()
    expect(mia.page.locator("#swagger-ui")).to_contain_text("/api/v1/orders/")
    mia.watched.assert_clean()


def test_the_administration_keeps_the_policy(enter: Enter) -> None:
    """The index, each list, and the first row of each."""
    admin = enter("admin")
    page = admin.page
    page.goto("/admin/")
    lists = page.eval_on_selector_all(
        "#content-main th[scope=row] a", "all => all.map(one => one.href)"
    )
    assert len(lists) > 20
    for address in lists:
        page.goto(address)
        first = page.locator("#result_list th a").first
        if first.count():
            page.goto(str(first.evaluate("one => one.href")))
    admin.watched.assert_clean()
