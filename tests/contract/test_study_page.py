"""The page of a study in a real browser: quiet, self-contained, and readable on a phone."""

from __future__ import annotations

import msgspec
import pytest

from whisperq_edge.edge.study.output import PAGE, write_output

from ..chromium import Chromium, Page, find_chromium
from ..page_checks import CONTRAST, CUT, LEAST_CONTRAST, OVERLAPS, SIZES, SMALLEST_TEXT
from ..studies import CONFIG, study

pytest.importorskip("matplotlib", reason="a report as HTML needs matplotlib")
pytest.importorskip("jinja2", reason="a report as HTML needs Jinja2")

PHONE, DESK = 360, 1200
HOSTILE = msgspec.structs.replace(CONFIG, title="<script>oh()</script> & " + "long_" * 60)
OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if find_chromium() is None:
        pytest.skip("no Chromium; run: sudo apt-get install chromium-headless-shell")
    with Chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    studies = {"plain": study(), "hostile": study(HOSTILE)}
    folders = {name: tmp_path_factory.mktemp(name) for name in studies}
    for name, one in studies.items():
        write_output(one, folders[name], "whisperq-edge study --config studies/x.toml")
    return folders


@pytest.fixture(params=["plain", "hostile"])
def address(request, folders):
    return (folders[request.param] / PAGE).as_uri()


def test_nothing_is_asked_for_and_nothing_complains(browser, address):
    page = Page(browser, address)
    assert page.requests == [address]
    assert page.complaints == []


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_page_does_not_scroll_sideways(browser, address, width):
    page = Page(browser, address, width)
    page.evaluate(OPEN)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("innerWidth") == width  # a phone zooms out where something is wider


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_text_is_seen_in_both_schemes(browser, address, width, scheme):
    page = Page(browser, address, width, scheme)
    page.evaluate(OPEN)
    contrast, text = page.evaluate(CONTRAST)
    assert contrast >= LEAST_CONTRAST, text


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_pictures_are_whole_and_legible(browser, address, width):
    page = Page(browser, address, width)
    sizes = page.evaluate(SIZES)
    assert sizes and min(sizes) >= SMALLEST_TEXT
    assert page.evaluate(CUT) == []
    assert page.evaluate(OVERLAPS) == []


def test_every_table_is_reached_by_the_keyboard(browser, address):
    page = Page(browser, address, PHONE)
    assert page.evaluate(
        "[...document.querySelectorAll('table')].every(one => one.parentElement.tabIndex === 0"
        " && one.parentElement.getAttribute('aria-label'))"
    )


def test_links_lead_to_files(browser, folders):
    page = Page(browser, (folders["plain"] / PAGE).as_uri())
    links = page.evaluate(
        "[...document.querySelectorAll('a')].map(one => one.getAttribute('href'))"
    )
    assert links
    assert all((folders["plain"] / link).is_file() for link in links)


def test_picture_files_follow_the_scheme(browser, folders):
    """As an image of a page that is not ours: no variable of the page is left open."""
    grounds = []
    for scheme in ("light", "dark"):
        page = Page(browser, (folders["plain"] / "words-size.svg").as_uri(), DESK, scheme)
        assert page.complaints == []
        grounds.append(
            page.evaluate(
                "['background-color', 'color'].map(name =>"
                " getComputedStyle(document.documentElement).getPropertyValue(name)).join()"
            )
        )
    assert len(set(grounds)) == 2
    text = (folders["plain"] / "words-size.svg").read_text()
    used = {part.split(")")[0] for part in text.split("var(")[1:]}
    assert used and all(f"{name}:" in text for name in used)


def test_pictures_are_png_as_well(folders):
    content = (folders["plain"] / "words-latency.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    from matplotlib.image import imread

    image = imread(folders["plain"] / "words-latency.png")
    assert image[2, 2, :3].tolist() == [1.0, 1.0, 1.0]  # by day
    colours = {tuple(pixel) for pixel in (255 * image[..., :3].reshape(-1, 3)).round().astype(int)}
    grid, ink, series = (0xD5, 0xDA, 0xE0), (0x1B, 0x1F, 0x24), (0x0B, 0x6F, 0xB8)
    assert {grid, ink, series} <= colours
    assert not {(1, 2, 3), (1, 2, 4), (1, 2, 16)} & colours  # roles that nobody filled in
