"""The page in a real browser: images, boxes, filters, keyboard and security."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.pictures import jpeg
from tests import pictures
from tests.gallery import chromium
from tests.gallery.chromium import Page
from tests.gallery.test_colours import linear
from tests.result_folder import ResultFolder
from utils.models.images import Box
from utils.models.rows import UrlRow
from utils.models.tasks import Outcome
from utils.reasons import Reason, Status
from utils.results.journal import Journal

pytestmark = pytest.mark.skipif(
    chromium.executable() is None, reason="Chromium is not installed (Debian: apt-get install chromium)."
)
RED, BLUE, ODD = "n00000001", "n00000002", "n00000003"
HOSTILE = "<img src=x onerror=hit()>&'\"#%? é"
MANY = 50_000
MAX_NODES = 4_000
"""Elements of the document, for a window of 1200 x 800."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Start a browser."""
    with chromium.browser(tmp_path_factory.mktemp("browser")) as page:
        page.call(
            "Page.addScriptToEvaluateOnNewDocument", source="window.hit = () => { window.wasHit = true; }"
        )
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ResultFolder:
    """Make a result folder with images, boxes, failures and hostile names."""
    made = ResultFolder(tmp_path_factory.mktemp("made") / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(
        red, f"{RED}_1", Box("red", 10, 20, 49, 39), Box("blue", 0, 0, 63, 47), url="https://a.example/"
    )
    made.image(red, f"{RED}_2", Box("red", 0, 0, 399, 24), size=(400, 50))  # wider than any tile
    made.image(red, f"{RED}_3", size=(48, 64))
    made.fail(red, Reason.HTTP_STATUS, http_status=404, times=3)
    blue = made.category(BLUE, "blue")
    for number in range(12):
        made.image(blue, f"{BLUE}_{number}", Box("blue", 1, 1, 30, 30))
    odd = made.category(ODD, HOSTILE.replace("/", ""), HOSTILE)
    made.image(odd, f"{ODD}_1", Box(HOSTILE, 5, 5, 20, 20), url="javascript:hit()")
    made.image(
        odd, f"{ODD}_2", Box(HOSTILE, 5, 5, 20, 20), url=f'https://a.example/"onclick="hit()"{HOSTILE}'
    )
    made.write()
    return made


@pytest.fixture
def page(browser: Page, folder: ResultFolder) -> Page:
    """Open the page of that folder."""
    return open_page(browser, folder)


def open_page(browser: Page, folder: ResultFolder, state: str = "") -> Page:
    """Open the page of a folder, and wait for its images."""
    browser.window(1200, 800)
    browser.open(f"{(folder.root / 'index.html').as_uri()}{state}")
    browser.wait("[...document.images].every(one => one.complete)")
    return browser


def shown_codes(page: Page) -> list[str]:
    """Return the codes of the images shown."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.tile .code')].map(one => one.textContent)"
    )
    return found


def set_field(page: Page, field: str, value: str | bool) -> None:
    """Set a field of the filter bar like a user."""
    how = "checked" if isinstance(value, bool) else "value"
    page.evaluate(
        f"document.getElementById('{field}').{how} = {json.dumps(value)};"
        f"document.getElementById('{field}').dispatchEvent(new Event('input', {{bubbles: true}}))"
    )


def viewer_title(page: Page) -> str:
    """Return the title of the viewer; empty if it is closed."""
    title: str = page.evaluate(
        "document.getElementById('viewer').open ? document.getElementById('viewer-title').textContent : ''"
    )
    return title


PLACES = """
(holder => {
  const rectangle = ({x, y, width, height}) => [x, y, width, height];
  const image = holder.querySelector('img'), screen = holder.querySelector('svg').getScreenCTM();
  const edges = [...holder.querySelectorAll('rect.edge')].map(rect => {
    const box = rect.getBBox();
    const {a, d, e, f} = screen;
    return [e + box.x * a, f + box.y * d, box.width * a, box.height * d];
  });
  const natural = [image.naturalWidth, image.naturalHeight];
  return {image: rectangle(image.getBoundingClientRect()), natural, edges};
})"""


def check_boxes(found: dict[str, Any], boxes: list[tuple[int, int, int, int]]) -> None:
    """Check the positions of boxes on an image to half a pixel."""
    left, top, width, height = found["image"]
    across, down = found["natural"]
    scale = min(width / across, height / down)
    left, top = left + (width - across * scale) / 2, top + (height - down * scale) / 2
    assert len(found["edges"]) == len(boxes)
    for edge, (xmin, ymin, xmax, ymax) in zip(found["edges"], boxes, strict=True):
        right = [
            left + xmin * scale,
            top + ymin * scale,
            (xmax + 1 - xmin) * scale,
            (ymax + 1 - ymin) * scale,
        ]
        assert edge == pytest.approx(right, abs=0.5)


TILE = "document.querySelector('.tile:has(img[src$=\"{}.jpg\"])')"
FIRST = [(10, 20, 49, 39), (0, 0, 63, 47)]


@pytest.mark.parametrize(("width", "height", "phone"), [(1200, 800, False), (390, 844, True)])
def test_box_positions(page: Page, width: int, height: int, phone: bool) -> None:
    """Boxes are at the right pixels of tiles and viewer, in large and small windows."""
    page.window(width, height, phone=phone)
    set_field(page, "category", "red")
    page.evaluate("document.getElementById('grid').scrollIntoView()")
    page.wait("[...document.querySelectorAll('.tile img')].every(one => one.complete)")
    for image_code, boxes in ((f"{RED}_1", FIRST), (f"{RED}_2", [(0, 0, 399, 24)])):
        check_boxes(page.evaluate(f"{PLACES}({TILE.format(image_code)})"), boxes)
    page.evaluate(f"{TILE.format(f'{RED}_1')}.click()")
    page.wait("document.querySelector('#stage img').complete && !!document.querySelector('#stage svg')")
    check_boxes(page.evaluate(f"{PLACES}(document.querySelector('#stage figure'))"), FIRST)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_every_image_is_shown(page: Page) -> None:
    """Every image has a tile that is loaded lazily and described in words."""
    assert len(shown_codes(page)) == 17
    assert page.evaluate("[...document.querySelectorAll('.tile img')].every(one => one.naturalWidth > 0)")
    assert page.evaluate("[...document.querySelectorAll('.tile img')].every(one => one.loading === 'lazy')")
    assert (
        page.evaluate(f"{TILE.format(f'{RED}_1')}.querySelector('img').alt")
        == f"red, {RED}_1, boxes: red; blue"
    )
    assert page.evaluate("document.getElementById('count').textContent") == "17 images with 17 boxes."


def test_classes(browser: Page, tmp_path: Path) -> None:
    """Images of a class can be filtered; captions, descriptions, viewer and statistics name it."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    for code, folder, name in ((RED, "red", HOSTILE), (BLUE, "blue", HOSTILE), (ODD, "cup", "")):
        made.image(made.category(code, folder, class_name=name), f"{code}_1", Box("red", 1, 1, 30, 30))
    made.write()
    page = open_page(browser, made)
    assert shown_codes(page) == [f"{BLUE}_1 · {HOSTILE}", f"{ODD}_1", f"{RED}_1 · {HOSTILE}"]
    options = "[...document.getElementById('class').options].map(one => one.value)"
    assert page.evaluate(options) == ["", HOSTILE]
    set_field(page, "class", HOSTILE)
    assert shown_codes(page) == [f"{BLUE}_1 · {HOSTILE}", f"{RED}_1 · {HOSTILE}"]
    statistics = page.evaluate("document.getElementById('whose').textContent")
    assert statistics == f"Statistics of the class {HOSTILE}"
    chosen = "[...document.querySelectorAll('tr.chosen a')].map(one => one.textContent)"
    assert page.evaluate(chosen) == ["blue", "red"]
    description = page.evaluate(f"{TILE.format(f'{RED}_1')}.querySelector('img').alt")
    assert description == f"red, class {HOSTILE}, {RED}_1, boxes: red"
    page.click(".tile")
    assert viewer_title(page) == f"{BLUE}_1 · blue · {HOSTILE}"
    page.press("Escape")
    page.wait("!location.hash.includes('image=')")
    page.reload()
    page.wait("document.querySelectorAll('.tile').length === 2")
    page.click("#reset")
    assert len(shown_codes(page)) == 3
    assert not page.evaluate("!!window.wasHit")


def test_no_classes(page: Page) -> None:
    """Without classes there is no filter for them."""
    assert page.evaluate("document.getElementById('class-filter').offsetParent === null")


def test_viewer_and_keys(page: Page) -> None:
    """Click and Enter open the viewer, arrow keys move, and Escape returns to the tile."""
    shown = shown_codes(page)
    page.click(".tile")
    assert viewer_title(page).startswith(f"{shown[0]} · ")
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert viewer_title(page).startswith(f"{shown[1]} · ")
    page.press("End")
    assert viewer_title(page).startswith(f"{shown[-1]} · ")
    page.press("Home", "ArrowRight", "Escape")
    page.wait("!document.getElementById('viewer').open")
    focused = "document.activeElement.querySelector('.code').textContent"
    page.wait(f"{focused} === '{shown[1]}'")
    page.press("ArrowRight")
    assert page.evaluate(focused) == shown[2]
    page.press("ArrowDown")
    below = page.evaluate(focused)
    assert shown.index(below) > 2
    page.press("ArrowUp", "Enter")
    assert viewer_title(page).startswith(f"{shown[2]} · ")


def test_links(page: Page) -> None:
    """The source is a link only if it is an http URL, and it sends no referrer."""
    for image_code, href in ((f"{RED}_1", "https://a.example/"), (f"{ODD}_1", None)):
        page.evaluate(f"{TILE.format(image_code)}.click()")
        link = page.evaluate(
            "(one => [one.getAttribute('href'), one.hidden, one.rel])(document.getElementById('source'))"
        )
        assert link == [href, href is None, "noopener noreferrer"]
        assert page.evaluate("document.getElementById('file').href").endswith(f"/Images/{image_code}.jpg")
    assert page.evaluate("document.getElementById('origin').textContent") == "javascript:hit()"


FILTERS: list[tuple[str, str, set[str]]] = [
    ("category", "red", {f"{RED}_1", f"{RED}_2", f"{RED}_3"}),
    ("label", "red", {f"{RED}_1", f"{RED}_2"}),
    ("boxes", "without", {f"{RED}_3"}),
    ("q", " N00000002_1", {f"{BLUE}_1", f"{BLUE}_10", f"{BLUE}_11"}),
    ("q", "nothing", set()),
    ("category", HOSTILE, {f"{ODD}_1", f"{ODD}_2"}),
]
"""Field, value, and the images that are shown."""


def test_filters(page: Page) -> None:
    """Each filter shows the matching images, and a reload keeps it."""
    for field, value, expected in FILTERS:
        set_field(page, field, value)
        assert set(shown_codes(page)) == expected
        page.reload()
        page.wait("document.getElementById('count').textContent")
        assert set(shown_codes(page)) == expected
        page.click("#reset")
        assert len(shown_codes(page)) == 17


def test_state_in_the_url(browser: Page, folder: ResultFolder) -> None:
    """Filters, switches and the image in the viewer are kept in the URL."""
    page = open_page(browser, folder)
    set_field(page, "boxes", "with")
    set_field(page, "names", False)
    set_field(page, "size", "300")
    page.click(".legend button")
    page.click(".tile")
    title, hidden = (
        viewer_title(page),
        page.evaluate("document.querySelector('[aria-pressed=false]').textContent"),
    )
    page.reload()
    page.wait("document.getElementById('viewer').open")
    assert viewer_title(page) == title
    assert page.evaluate("document.querySelector('[aria-pressed=false]').textContent") == hidden
    fields = "['boxes', 'size'].map(id => document.getElementById(id).value)"
    assert page.evaluate(fields) == ["with", "300"]
    assert page.evaluate("document.getElementById('names').checked") is False
    page.evaluate("location.hash = '#category=red&label=no such&size=x'")
    page.wait("!document.getElementById('viewer').open")
    assert set(shown_codes(page)) == {f"{RED}_1", f"{RED}_2", f"{RED}_3"}


def test_switches(page: Page) -> None:
    """Boxes of a label, all boxes, and names can be hidden; a label has the same colour everywhere."""
    colour = "getComputedStyle(document.querySelector('.legend i')).backgroundColor"
    first = page.evaluate("document.querySelector('.legend button').firstChild.nextSibling.textContent")
    assert first == "blue"  # the most frequent
    edges = f"{TILE.format(f'{RED}_1')}.querySelectorAll('rect.edge')"
    strokes = f"[...{edges}].map(one => getComputedStyle(one).stroke)"
    assert page.evaluate(strokes)[1] == page.evaluate(colour)
    assert page.evaluate(f"{edges}.length") == 2
    page.click(".legend button")
    assert page.evaluate(f"{edges}.length") == 1
    assert page.evaluate("document.querySelectorAll('.tile text').length") > 0
    set_field(page, "names", False)
    assert page.evaluate("document.querySelectorAll('.tile text').length") == 0
    set_field(page, "draw", False)
    assert page.evaluate("document.querySelectorAll('.tile svg').length") == 0


def test_charts_follow_the_category(page: Page) -> None:
    """Charts show the numbers of the selected category, and name it."""
    note = "document.querySelector('.chart p').textContent"
    whose = "document.getElementById('whose').textContent"
    set_field(page, "label", "red")
    assert page.evaluate(whose) == "Statistics of the whole folder"
    assert page.evaluate(note) == "20 URLs considered"
    page.evaluate(
        "[...document.querySelectorAll('.scroll a')].find(one => one.textContent === 'red').click()"
    )
    page.wait(f"{note} === '6 URLs considered'")
    assert page.evaluate(whose) == "Statistics of red"
    assert "http 4043" in page.evaluate("document.querySelector('.chart').textContent")
    assert page.evaluate("document.getElementById('category').value") == "red"


REASONS = (Reason.TIMEOUT, Reason.CORRUPT, Reason.TRUNCATED, Reason.TOO_SMALL, Reason.DNS_ERROR)


def test_status_chart(browser: Page, tmp_path: Path) -> None:
    """Every URL is counted in one bar, and names are not cut."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1")
    made.fail(red, Reason.CONNECTION_REFUSED, times=2)
    for reason in REASONS:
        made.fail(red, reason)
    for number, status, why in (
        (1, Status.SKIPPED, Reason.FILLED),
        (2, Status.NOT_ATTEMPTED, Reason.INTERRUPTED),
    ):
        row = UrlRow(9_000 + number, f"{RED}_9{number}", "http://a.example/")
        Journal(red.journal).append(Outcome(row, status, why, "No."))
    made.write()
    page = open_page(browser, made)
    bars = page.evaluate(
        "[...document.querySelector('.chart').querySelectorAll('tr')]"
        ".map(row => [...row.cells].map(one => one.textContent))"
    )
    counts = {name: int(count) for name, _, count in bars}
    assert sum(counts.values()) == 10
    assert counts.items() >= {"1 other reason": 1, "not needed": 1, "not attempted": 1}.items()
    page.window(1280, 900)
    cut = (
        "[...document.querySelectorAll('.chart th')].filter(one => one.scrollWidth > one.clientWidth).length"
    )
    assert page.evaluate(cut) == 0


def test_long_label(browser: Page, tmp_path: Path) -> None:
    """A very long label is truncated, and can be selected."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    label = "y" * 100_000
    made.image(red, f"{RED}_1", Box(label, 0, 0, 63, 47), Box("red", 5, 5, 20, 20))
    made.image(red, f"{RED}_2", Box("red", 5, 5, 20, 20))
    made.write()
    page = open_page(browser, made)
    assert page.evaluate("document.body.textContent.length") < 50_000
    names = page.evaluate("[...document.querySelectorAll('.tile text')].map(one => one.textContent)")
    assert any(name.startswith("yyy") and name.endswith("y…") for name in names)
    set_field(page, "label", label)
    assert shown_codes(page) == [f"{RED}_1"]


def test_names_of_boxes(browser: Page, tmp_path: Path) -> None:
    """Names are placed next to each other where there is room."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    low = [Box("Siberian_husky", left, 260, left + 80, 330) for left in (150, 290, 410)]
    made.image(red, f"{RED}_1", Box("sky", 0, 0, 499, 140), *low, size=(500, 375))
    made.write()
    page = open_page(browser, made)
    page.window(390, 844, phone=True)
    page.evaluate("document.querySelector('.tile').click()")
    page.wait("document.querySelectorAll('#stage text').length")
    names = page.evaluate("[...document.querySelectorAll('#stage text')].map(one => one.textContent)")
    assert sorted(names) == [*["Siberian husky"] * 3, "sky"]


def test_table_on_a_phone(page: Page) -> None:
    """The table scrolls in one direction, and rows and dates are not broken."""
    page.window(390, 844, phone=True)
    page.evaluate("document.getElementById('numbers').open = document.getElementById('table').open = true")
    assert page.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.scroll'))")
    heights = page.evaluate("[...document.querySelectorAll('.scroll tbody tr')].map(one => one.offsetHeight)")
    assert max(heights) < 40
    assert page.evaluate("document.querySelector('.date').getClientRects().length") == 1


def test_hostile_names(browser: Page, folder: ResultFolder) -> None:
    """Hostile names and URLs run no script, and only files of the folder are requested."""
    page = open_page(browser, folder)
    for image_code in (f"{ODD}_1", f"{ODD}_2"):
        page.evaluate(f"{TILE.format(image_code)}.click()")
        page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate("window.wasHit") is None
    home = folder.root.as_uri()
    assert len(page.requested_urls()) >= 17
    assert [one for one in page.requested_urls() if not one.startswith(home)] == []
    assert page.errors() == []


def test_security_policy(page: Page) -> None:
    """An injected script does not run, and an image of another host is not requested."""
    page.evaluate(
        "for (const [tag, more] of [['script', {textContent: 'hit()'}], ['img', {src: 'http://127.0.0.1:9/x.png'}]])"
        "document.body.append(Object.assign(document.createElement(tag), more))"
    )
    page.evaluate("new Promise(later => setTimeout(later, 100))")
    assert page.evaluate("window.wasHit") is None
    assert sum("Content Security Policy" in one for one in page.errors()) == 2


def test_without_javascript(browser: Page, folder: ResultFolder) -> None:
    """Without JavaScript the page shows a notice and the table."""
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.window(1200, 800)
        browser.open((folder.root / "index.html").as_uri())
        text = browser.evaluate("document.body.innerText")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert "need JavaScript, which is off here" in text
    assert "http_404 3" in text
    assert "Image code" not in text


def test_exif_orientation(browser: Page, tmp_path: Path) -> None:
    """If the browser rotates an image, its boxes are not drawn."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 0, 0, 10, 10), size=pictures.SIZE, data=pictures.rotated_by_exif())
    made.write()
    page = open_page(browser, made)
    natural = page.evaluate(
        "(one => [one.naturalWidth, one.naturalHeight])(document.querySelector('.tile img'))"
    )
    drawn = page.evaluate("document.querySelectorAll('.tile rect.edge').length")
    assert drawn == (1 if natural == list(pictures.SIZE) else 0)


def test_contrast(page: Page) -> None:
    """Text has the contrast of WCAG level AA, in light and dark mode."""
    for scheme in ("light", "dark"):
        page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        for words, ground in (("ink", "paper"), ("ink", "sheet"), ("faint", "paper"), ("faint", "sheet")):
            assert contrast(page, words, ground) >= 4.5, (scheme, words, ground)
        for words in ("accent", "faint"):
            assert contrast(page, words, "well") >= 4.5, (scheme, words)
        for mark in ("good", "fair", "bad"):
            assert contrast(page, mark, "sheet") >= 3, (scheme, mark)
    page.call("Emulation.setEmulatedMedia", features=[])


def contrast(page: Page, words: str, ground: str) -> float:
    """Compute the contrast of two colours of the style sheet, as defined by WCAG."""
    light, dark = sorted((luminance(page, words), luminance(page, ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(page: Page, name: str) -> float:
    """Compute the relative luminance of a colour of the style sheet."""
    text = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
    red, green, blue = linear(text)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_many_images(browser: Page, tmp_path: Path) -> None:
    """With 50,000 images only those near the window are in the document."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 1, 2, 30, 40), data=jpeg())
    made.write()
    (image,) = made.images()
    one = json.dumps(image, separators=(",", ":"))
    page_of_many = made.page.replace(one, ",".join([one] * MANY))
    (made.root / "index.html").write_text(page_of_many, encoding="utf-8")
    page = open_page(browser, made)
    nodes = "document.querySelectorAll('*').length"
    counts = []
    for part in (0, 0.3, 0.7, 1, 0.5):
        page.evaluate(f"scrollTo(0, {part} * document.documentElement.scrollHeight)")
        page.wait("[...document.querySelectorAll('.tile')].some(one => one.getBoundingClientRect().top > 0)")
        counts.append(page.evaluate(nodes))
    assert max(counts) < MAX_NODES
    page.evaluate("document.querySelector('.tile').focus()")
    page.press("End")
    page.wait(f"document.activeElement.dataset.index === '{MANY - 1}'")
    assert page.evaluate("document.activeElement.parentElement.getAttribute('aria-posinset')") == str(MANY)


def test_own_photos(browser: Page, tmp_path: Path) -> None:
    """Photos of the user's own are shown and found by their names, and have no link to a URL."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", url="https://a.example/")
    (red.images / "my größer cat #1.jpg").write_bytes(jpeg(seed=3))
    made.write()
    page = open_page(browser, made)
    assert shown_codes(page) == [f"{RED}_1", "my größer cat #1"]
    assert page.evaluate("[...document.images].every(one => one.naturalWidth === 64)")
    set_field(page, "q", "Größer CAT")
    assert shown_codes(page) == ["my größer cat #1"]
    page.evaluate("document.querySelector('.tile').click()")
    assert viewer_title(page) == "my größer cat #1 · red"
    assert page.evaluate("document.getElementById('source').hidden")
    assert page.evaluate("document.getElementById('origin').textContent") == "Your own photo"
    chart = page.evaluate("document.querySelector('.chart').textContent")
    assert "own photos among them1" in chart
