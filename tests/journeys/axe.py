"""What every page must keep in a real browser: no axe finding, no broken policy, no stray request.

Journeys call `watch(page)` once, before the first address, and `assert_accessible(page)` on each
page they come to. axe-core runs over the DevTools protocol: the page's own policy stays in force.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Page

AXE = Path(__file__).parent.parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
CHROMIUM = "/usr/bin/chromium"
CHROMIUM_ARGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")
VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => console.error(
  `policy violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`
));
"""


RUN_AXE = """
axe.run(document, {resultTypes: ["violations"]}).then((found) => JSON.stringify(found.violations))
"""


@dataclass
class Watch:
    """What went wrong in a browser page since the watch began; `hosts` may be asked for things."""

    hosts: frozenset[str]
    allowed_statuses: set[int] = field(default_factory=set)
    findings: list[str] = field(default_factory=list)

    def assert_clean(self) -> None:
        """Fail with everything that was seen, and begin anew."""
        found, self.findings = self.findings, []
        assert not found, "\n".join(found)


def watch(page: Page, *, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> Watch:
    """Note policy violations, console errors, page errors, failed and foreign requests.

    Put a status into `allowed_statuses` before a page that answers with it on purpose.
    """
    noted = Watch(hosts=frozenset(hosts))
    page.add_init_script(VIOLATIONS)

    def on_console(message: Any) -> None:
        if message.type != "error":
            return
        # The browser repeats each failed request here; on_response judges it by its status.
        if "Failed to load resource" not in message.text:
            noted.findings.append(f"console: {message.text} ({page.url})")

    def on_response(response: Any) -> None:
        if response.status >= 400 and response.status not in noted.allowed_statuses:
            noted.findings.append(f"status {response.status}: {response.url}")

    def on_request(request: Any) -> None:
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob", "about"} and address.hostname not in noted.hosts:
            noted.findings.append(f"foreign request: {request.url}")

    def on_failed(request: Any) -> None:
        # A page that is left while it loads cancels its requests; nothing is wrong then.
        if request.failure != "net::ERR_ABORTED":
            noted.findings.append(f"failed request: {request.url} {request.failure}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: noted.findings.append(f"page error: {error} ({page.url})"))
    page.on("response", on_response)
    page.on("request", on_request)
    page.on("requestfailed", on_failed)
    return noted


def accessibility_findings(page: Page) -> list[str]:
    """Run axe-core with its default rules (WCAG A, AA and best practices); one line a finding."""
    session = page.context.new_cdp_session(page)
    try:
        if not page.evaluate("Boolean(window.axe)"):
            session.send("Runtime.evaluate", {"expression": AXE.read_text()})
        answer = session.send(
            "Runtime.evaluate",
            {"expression": RUN_AXE, "awaitPromise": True, "returnByValue": True},
        )
    finally:
        session.detach()
    if "exceptionDetails" in answer:
        raise RuntimeError(str(answer["exceptionDetails"]))
    return [
        f"{finding['id']} ({finding['impact']}): {finding['help']}: {node['html'][:160]}"
        f" {node['failureSummary']}"
        for finding in json.loads(answer["result"]["value"])
        for node in finding["nodes"]
    ]


def assert_accessible(page: Page) -> None:
    """Fail with every finding of axe-core on the page as it stands."""
    found = accessibility_findings(page)
    assert not found, f"{page.url}\n" + "\n".join(found)


def sideways(page: Page) -> list[str]:
    """Return a finding when the page scrolls sideways at its present width (WCAG 1.4.10)."""
    wide, shown = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    return [f"{page.url} is {wide} px wide in a window of {shown} px"] if wide > shown else []


def assert_reflows(page: Page) -> None:
    """Fail when the page scrolls sideways at its present width."""
    assert not sideways(page), sideways(page)
