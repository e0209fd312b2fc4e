"""The report's page in a real browser: quiet, self-contained, and readable on a phone."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.profiling.comparison import Named

from ..chromium import Chromium, Page, find_chromium
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
# The darkest and the lightest that text and its ground may be from each other: WCAG 2.2, 1.4.3.
LEAST_CONTRAST = 4.5
SMALLEST_TEXT = 9.0  # CSS pixels

CONTRAST = """
(() => {
  const luminance = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (color !== "rgba(0, 0, 0, 0)") return color;
    }
  };
  let least = [Infinity, ""];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own) continue;
    const style = getComputedStyle(element);
    const ink = element.closest("svg") ? style.fill : style.color;
    const pair = [luminance(ink), luminance(ground(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < least[0]) least = [ratio, element.textContent.trim()];
  }
  return least;
})()
"""
SIZES = """
[...document.querySelectorAll("svg text")].map(text =>
  parseFloat(getComputedStyle(text).fontSize)
  * text.closest("svg").getBoundingClientRect().width / text.closest("svg").viewBox.baseVal.width)
"""
CUT = """
[...document.querySelectorAll("svg text")].filter(text => {
  const inner = text.getBoundingClientRect();
  const outer = text.closest("svg").getBoundingClientRect();
  return inner.left < outer.left - 1 || inner.right > outer.right + 1
      || inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
}).map(text => text.textContent)
"""
# Labels of one drawing that touch each other; a number beside a point may touch another's.
OVERLAPS = """
[...document.querySelectorAll("svg")].flatMap(svg => {
  const boxes = [...svg.querySelectorAll("text")].filter(text => !/^\\d+$/.test(text.textContent)
      || text.closest("[id*=tick]")).map(text => [text.textContent, text.getBoundingClientRect()]);
  return boxes.flatMap(([one, a], index) => boxes.slice(index + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > -2 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3).map(([other]) => [one, other]));
})
"""


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
