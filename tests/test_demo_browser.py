"""The demo in a browser: clicks, its console, three widths, light and dark, and axe-core."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import browser
from support.accessibility import violations
from support.servers import Server, serving

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "demo" / "serve.py"
WIDTHS = (390, 768, 1280)

pytestmark = [pytest.mark.served, pytest.mark.engine("granian")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = {"ATILA_DEMO_DATA": str(tmp_path_factory.mktemp("data"))}
    with serving("granian", SCRIPT, environment=data) as server:
        yield server


@pytest.fixture(scope="module")
def page() -> Iterator[browser.Page]:
    path = browser.executable()
    if path is None:
        pytest.skip("there is no Chromium: apt install chromium")
    with browser.browsing(path) as page:
        yield page


CHART = """(() => {
  const spans = [...document.querySelectorAll("#three .bar .track span")];
  const bars = spans.map((span) => span.getBoundingClientRect());
  const left = document.querySelector("#three .track").getBoundingClientRect().left;
  const tasks = bars.slice(0, 3);
  return [
    tasks.map((bar) => bar.left - left),
    tasks.map((bar) => bar.right - left),
    ...bars.slice(3).map((bar) => bar.width),
  ];
})()"""
"""When the bars of the tasks begin and end, and how long the two of them all are, in pixels."""


def test_every_part_works(server: Server, page: browser.Page) -> None:
    page.open(server.url("/"), width=1280)
    page.wait_for("document.querySelectorAll('#three .bar').length === 5")
    began, ended, together, in_turn = page.evaluate(CHART)
    # They overlap: together they take less than one after the other would.
    assert max(ended) - min(began) < sum(ended) - sum(began)
    assert max(ended) - 1 <= together < in_turn
    page.fill("#hello [name=greeting]", "Good morning")
    page.click("#hello button")
    page.wait_for("document.querySelector('#hello output').textContent === 'Good morning, Ada!'")
    for way, text in (("socket", "first"), ("events", "second")):
        page.wait_for(f"!document.querySelector('[data-way={way}] h3 span').innerText.match(/con/)")
        page.fill(f"[data-way={way}] input", text)
        page.click(f"[data-way={way}] button")
        for window in ("socket", "events"):
            log = f"document.querySelector('[data-way={window}] .log').innerText"
            page.wait_for(f"{log}.includes('{text}')")
    page.click("#live button")
    page.wait_for(
        "document.querySelector('[data-chart=rate] path')?.getAttribute('d').includes('L')"
    )
    # What was drawn stays; the figure beside it is gone with the next second without a request.
    page.wait_for("document.querySelector('#live path.mean')?.getAttribute('d').startsWith('M')")
    page.wait_for("document.querySelector('[data-most=slow]').textContent.includes(' ms')")
    assert not page.complaints


def test_two_windows_share_the_chat(server: Server, page: browser.Page) -> None:
    page.open(server.url("/"), width=1280)
    with page.another() as second:
        second.open(server.url("/"), width=390)
        for window in (page, second):
            for way in ("socket", "events"):
                status = f"document.querySelector('[data-way={way}] h3 span').innerText"
                window.wait_for(f"!{status}.match(/con/)")
        for window, way, text in (
            (page, "socket", "from the first"),
            (second, "events", "and back"),
        ):
            window.fill(f"[data-way={way}] input", text)
            window.click(f"[data-way={way}] button")
            for other in (page, second):
                log = f"document.querySelector('[data-way={way}] .log').innerText"
                other.wait_for(f"{log}.includes('{text}')")
        assert not page.complaints + second.complaints


def test_the_form_has_its_faults_in_place(server: Server, page: browser.Page) -> None:
    page.open(server.url("/"), width=1280)
    page.click("#order button")
    page.wait_for("document.querySelectorAll('#order [aria-invalid=true]').length === 3")
    assert page.evaluate("document.activeElement.name") == "name"
    for name, value in (("name", "Ada"), ("seats", "2"), ("day", "2030-01-31")):
        page.fill(f"#order [name={name}]", value)
    page.click("#order button")
    page.wait_for("document.querySelector('.done').textContent.startsWith('A table for 2')")
    assert not page.evaluate("document.querySelectorAll('#order [aria-invalid]').length")
    # Browsers note an answer of 400 there, whatever the page does with it.
    noted = [each for each in page.complaints if "status of 400" not in each]
    page.complaints.clear()
    assert not noted


def test_without_javascript(server: Server, page: browser.Page) -> None:
    page.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        page.open(server.url("/account"), width=390)
        assert page.evaluate("location.pathname") == "/login"
        page.fill("[name=password]", "analytical engine")
        page.click("button")
        page.wait_for("location.pathname === '/account' && document.readyState === 'complete'")
        page.open(server.url("/"), width=390)
        page.fill("#guestbook [name=signer]", "Grace")
        page.fill("#guestbook [name=text]", "No script was here")
        page.click("#guestbook form button")
        entries = "document.querySelector('.entries')?.innerText"
        page.wait_for(f"{entries}?.includes('No script was here')")
        page.click("#order button")
        page.wait_for("document.querySelectorAll('#order [aria-invalid=true]').length === 3")
    finally:
        page.call("Emulation.setScriptExecutionDisabled", value=False)
        page.complaints.clear()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_from_using_it(server: Server, page: browser.Page, scheme: str) -> None:
    page.prefer(scheme)
    for path in ("/", "/login", "/hello/Ada", "/guide/tasks"):
        page.open(server.url(path), width=1280)
        assert violations(page) == [], path
    page.complaints.clear()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_window(server: Server, page: browser.Page, width: int) -> None:
    for path in ("/", "/login", "/guide/typed"):
        page.open(server.url(path), width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_it_asks_nobody_else(server: Server, page: browser.Page) -> None:
    page.open(server.url("/docs"), width=1280)
    page.wait_for("document.querySelectorAll('.opblock').length > 5")
    assert not page.complaints
    own = (server.url("/"), "about:", "data:")
    assert page.requested
    assert not [url for url in page.requested if not url.startswith(own)]
