"""The report's page in a real browser: quiet, self-contained, and readable on a phone."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.profiling.comparison import Named

from ..chromium import Chromium, Page, find_chromium
from ..page_checks import CONTRAST, CUT, LEAST_CONTRAST, OVERLAPS, SIZES, SMALLEST_TEXT
from ..records import configuration, many, outcome, record

pytest.importorskip("matplotlib", reason="a report as HTML needs matplotlib")
pytest.importorskip("jinja2", reason="a report as HTML needs Jinja2")

PHONE, DESK = 360, 1200
LONG = record(
    outcome(given=configuration(model="somebody/whisper-with-a-long-name-" + "x" * 80)),
    labels=("without_a_space_" * 12,),
)
# As fast as the bundled model is on a desktop: figures with many digits.
FAST = record(outcome(0.0023, spread=0.4), outcome(0.0125, configuration("float32"), spread=0.4))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_chromium() is None:
        pytest.skip("no Chromium; run: sudo apt-get install chromium-headless-shell")
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def addresses(tmp_path_factory):
    from whisperq_edge.edge.reports.html import write_report

    folder = tmp_path_factory.mktemp("reports")
    pages = {
        "many": [Named("many.json", many())],
        "two": [Named("before.json", many()), Named("after.json", record(outcome(0.1)))],
        "fast": [Named("fast.json", FAST)],
        "long": [Named("a" * 100 + ".json", LONG)],
    }
    for name, records in pages.items():
        write_report(records, folder / f"{name}.html")
    return {name: (folder / f"{name}.html").as_uri() for name in pages}


@pytest.fixture(params=["many", "two", "fast", "long"])
def address(request, addresses):
    return addresses[request.param]


def test_nothing_is_asked_for_and_nothing_complains(browser, address):
    page = Page(browser, address)
    assert page.requests == [address]
    assert page.complaints == []


def test_the_browser_would_hear_complaints(browser, tmp_path):
    """What the test above rests on."""
    path = tmp_path / "bad.html"
    path.write_text(
        "<script>console.log('said'); fetch('http://127.0.0.1:9/none'); oh()</script>"
        "<meta http-equiv='Content-Security-Policy' content=\"img-src 'none'\"><img src='x.png'>"
    )
    page = Page(browser, path.as_uri())
    assert "http://127.0.0.1:9/none" in page.requests
    complaints = " ".join(page.complaints)
    for expected in ("said", "Uncaught", "net::ERR_", "Content Security Policy"):
        assert expected in complaints


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_does_not_scroll_sideways(browser, address, width):
    page = Page(browser, address, width)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("innerWidth") == width  # a phone zooms out where something is wider


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_text_is_seen_in_both_schemes(browser, address, width, scheme):
    page = Page(browser, address, width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    contrast, text = page.evaluate(CONTRAST)
    assert contrast >= LEAST_CONTRAST, text


def test_the_schemes_differ(browser, addresses):
    grounds = [
        Page(browser, addresses["many"], PHONE, scheme).evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    assert len(set(grounds)) == 2


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_plots_are_whole_and_legible(browser, address, width):
    page = Page(browser, address, width)
    sizes = page.evaluate(SIZES)
    assert sizes and min(sizes) >= SMALLEST_TEXT
    assert page.evaluate(CUT) == []
    assert page.evaluate(OVERLAPS) == []


def test_every_plot_has_a_name_and_a_table(browser, address):
    page = Page(browser, address)
    figures = page.evaluate(
        "[...document.querySelectorAll('figure')].map(one => ["
        "one.querySelector('svg[role=img]').getAttribute('aria-label'),"
        "one.querySelectorAll('tbody tr').length])"
    )
    assert figures
    assert all(name and n_rows for name, n_rows in figures)


def test_wide_tables_are_reached_by_the_keyboard(browser, address):
    page = Page(browser, address, PHONE)
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every(one => one.parentElement.tabIndex === 0"
        " && one.parentElement.getAttribute('aria-label'))"
    )
