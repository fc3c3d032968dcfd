"""The page in a real browser: pictures and boxes in their places, filters, keys, and nothing that escapes."""

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
    chromium.path() is None, reason="There is no Chromium here (Debian: apt-get install chromium)."
)
RED, BLUE, ODD = "n00000001", "n00000002", "n00000003"
HOSTILE = "<img src=x onerror=hit()>&'\"#%? é"
MANY = 50_000
MOST_MILLISECONDS = 5_000
"""Until a small page is there, also on a slow machine; the work that must not be done takes minutes."""
SOME_NODES = 4_000
"""What a window of 1200 x 800 and its surroundings may hold, whatever the folder has."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Give a browser."""
    with chromium.browser(tmp_path_factory.mktemp("browser")) as page:
        page.call(
            "Page.addScriptToEvaluateOnNewDocument", source="window.hit = () => { window.wasHit = true; }"
        )
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> ResultFolder:
    """Give a result folder with everything that may lie in one."""
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
    """Give the page of that folder, as it opens."""
    return show(browser, folder)


def show(browser: Page, folder: ResultFolder, state: str = "") -> Page:
    """Open a folder's page, and wait until its pictures are there."""
    browser.window(1200, 800)
    browser.open(f"{(folder.root / 'index.html').as_uri()}{state}")
    browser.wait("[...document.images].every(one => one.complete)")
    return browser


def codes(page: Page) -> list[str]:
    """Give the codes of the images that are shown."""
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.tile .code')].map(one => one.textContent)"
    )
    return found


def choose(page: Page, field: str, value: str | bool) -> None:
    """Set a field of the bar as a user does."""
    how = "checked" if isinstance(value, bool) else "value"
    page.evaluate(
        f"document.getElementById('{field}').{how} = {json.dumps(value)};"
        f"document.getElementById('{field}').dispatchEvent(new Event('input', {{bubbles: true}}))"
    )


def opened(page: Page) -> str:
    """Give the title of the enlarged image; empty if none is."""
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


def check_places(found: dict[str, Any], boxes: list[tuple[int, int, int, int]]) -> None:
    """Check that boxes lie where they belong on a picture that fits into its element, to half a pixel."""
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
def test_boxes_lie_where_they_belong(page: Page, width: int, height: int, phone: bool) -> None:
    """On tiles and on the enlarged image, in windows large and small, also after the window has changed."""
    page.window(width, height, phone=phone)
    choose(page, "category", "red")
    page.evaluate("document.getElementById('grid').scrollIntoView()")
    page.wait("[...document.querySelectorAll('.tile img')].every(one => one.complete)")
    for image_code, boxes in ((f"{RED}_1", FIRST), (f"{RED}_2", [(0, 0, 399, 24)])):
        check_places(page.evaluate(f"{PLACES}({TILE.format(image_code)})"), boxes)
    page.evaluate(f"{TILE.format(f'{RED}_1')}.click()")
    page.wait("document.querySelector('#stage img').complete && !!document.querySelector('#stage svg')")
    check_places(page.evaluate(f"{PLACES}(document.querySelector('#stage figure'))"), FIRST)
    assert not page.evaluate("document.documentElement.scrollWidth > innerWidth")


def test_every_image_is_shown(page: Page) -> None:
    """Each has its picture, which is loaded, and says in words what is on it."""
    assert len(codes(page)) == 17
    assert page.evaluate("[...document.querySelectorAll('.tile img')].every(one => one.naturalWidth > 0)")
    assert page.evaluate("[...document.querySelectorAll('.tile img')].every(one => one.loading === 'lazy')")
    assert (
        page.evaluate(f"{TILE.format(f'{RED}_1')}.querySelector('img').alt")
        == f"red, {RED}_1, boxes: red; blue"
    )
    assert page.evaluate("document.getElementById('count').textContent") == "17 images with 17 boxes."


def test_a_click_enlarges_and_keys_move(page: Page) -> None:
    """Click and Enter open, arrows go on and back, Escape closes and comes back to the tile."""
    shown = codes(page)
    page.click(".tile")
    assert opened(page).startswith(f"{shown[0]} · ")
    page.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert opened(page).startswith(f"{shown[1]} · ")
    page.press("End")
    assert opened(page).startswith(f"{shown[-1]} · ")
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
    assert opened(page).startswith(f"{shown[2]} · ")


def test_links(page: Page) -> None:
    """The source is a link only if it is one of the web, and does not tell where it was followed from."""
    for image_code, href in ((f"{RED}_1", "https://a.example/"), (f"{ODD}_1", None)):
        page.evaluate(f"{TILE.format(image_code)}.click()")
        link = page.evaluate(
            "(one => [one.getAttribute('href'), one.hidden, one.rel])(document.getElementById('source'))"
        )
        assert link == [href, href is None, "noopener noreferrer"]
        assert page.evaluate("document.getElementById('file').href").endswith(f"/Images/{image_code}.jpg")
    assert page.evaluate("document.getElementById('origin').textContent") == "javascript:hit()"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("category", "red", {f"{RED}_1", f"{RED}_2", f"{RED}_3"}),
        ("label", "red", {f"{RED}_1", f"{RED}_2"}),
        ("boxes", "without", {f"{RED}_3"}),
        ("q", " N00000002_1", {f"{BLUE}_1", f"{BLUE}_10", f"{BLUE}_11"}),
        ("q", "nothing", set()),
        ("category", HOSTILE, {f"{ODD}_1", f"{ODD}_2"}),
    ],
)
def test_filters(page: Page, folder: ResultFolder, field: str, value: str, expected: set[str]) -> None:
    """Each filter leaves what fits it; a reload keeps it, and another is shown by its address."""
    choose(page, field, value)
    assert set(codes(page)) == expected
    page.reload()
    page.wait("document.getElementById('count').textContent")
    assert set(codes(page)) == expected
    page.click("#reset")
    assert len(codes(page)) == 17


def test_the_address_says_what_is_shown(browser: Page, folder: ResultFolder) -> None:
    """Filters, switches and the enlarged image are kept in it."""
    page = show(browser, folder)
    choose(page, "boxes", "with")
    choose(page, "names", False)
    choose(page, "size", "300")
    page.click(".legend button")
    page.click(".tile")
    title, hidden = opened(page), page.evaluate("document.querySelector('[aria-pressed=false]').textContent")
    page.reload()
    page.wait("document.getElementById('viewer').open")
    assert opened(page) == title
    assert page.evaluate("document.querySelector('[aria-pressed=false]').textContent") == hidden
    fields = "['boxes', 'size'].map(id => document.getElementById(id).value)"
    assert page.evaluate(fields) == ["with", "300"]
    assert page.evaluate("document.getElementById('names').checked") is False
    page.evaluate("location.hash = '#category=red&label=no such&size=x'")
    page.wait("!document.getElementById('viewer').open")
    assert set(codes(page)) == {f"{RED}_1", f"{RED}_2", f"{RED}_3"}


def test_what_is_drawn_can_be_chosen(page: Page) -> None:
    """Boxes of a label, all boxes, and names are drawn or not; a label's colour is the same everywhere."""
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
    choose(page, "names", False)
    assert page.evaluate("document.querySelectorAll('.tile text').length") == 0
    choose(page, "draw", False)
    assert page.evaluate("document.querySelectorAll('.tile svg').length") == 0


def test_charts_follow_the_category(page: Page) -> None:
    """The numbers are those of the category that was chosen, and say whose they are."""
    note = "document.querySelector('.chart p').textContent"
    whose = "document.getElementById('whose').textContent"
    choose(page, "label", "red")
    assert page.evaluate(whose) == "Statistics of the whole folder"
    assert page.evaluate(note) == "20 URLs considered"
    page.evaluate(
        "[...document.querySelectorAll('.scroll a')].find(one => one.textContent === 'red').click()"
    )
    page.wait(f"{note} === '6 URLs considered'")
    assert page.evaluate(whose) == "Statistics of red"
    assert "http 4043" in page.evaluate("document.querySelector('.chart').textContent")
    assert page.evaluate("document.getElementById('category').value") == "red"


FATES = (Reason.TIMEOUT, Reason.CORRUPT, Reason.TRUNCATED, Reason.TOO_SMALL, Reason.DNS_ERROR)


def test_fates_add_up(browser: Page, tmp_path: Path) -> None:
    """Every URL is in one bar of what became of them, called as on the screen, with its whole name."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1")
    made.fail(red, Reason.CONNECTION_REFUSED, times=2)
    for reason in FATES:
        made.fail(red, reason)
    for number, status, why in (
        (1, Status.SKIPPED, Reason.FILLED),
        (2, Status.NOT_ATTEMPTED, Reason.INTERRUPTED),
    ):
        row = UrlRow(9_000 + number, f"{RED}_9{number}", "http://a.example/")
        Journal(red.journal).append(Outcome(row, status, why, "No."))
    made.write()
    page = show(browser, made)
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


def test_a_long_label_is_cut(browser: Page, tmp_path: Path) -> None:
    """A label of any length costs no time, and is shown by its beginning; it is chosen like any other."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    label = "y" * 100_000
    made.image(red, f"{RED}_1", Box(label, 0, 0, 63, 47), Box("red", 5, 5, 20, 20))
    made.image(red, f"{RED}_2", Box("red", 5, 5, 20, 20))
    made.write()
    page = show(browser, made)
    assert page.evaluate("document.body.textContent.length") < 50_000
    names = page.evaluate("[...document.querySelectorAll('.tile text')].map(one => one.textContent)")
    assert any(name.startswith("yyy") and name.endswith("y…") for name in names)
    work = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert work < MOST_MILLISECONDS
    choose(page, "label", label)
    assert codes(page) == [f"{RED}_1"]


def test_every_box_with_room_has_its_name(browser: Page, tmp_path: Path) -> None:
    """Beside one another, too: where one name has the place above, the next one stands elsewhere."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    low = [Box("Siberian_husky", left, 260, left + 80, 330) for left in (150, 290, 410)]
    made.image(red, f"{RED}_1", Box("sky", 0, 0, 499, 140), *low, size=(500, 375))
    made.write()
    page = show(browser, made)
    page.window(390, 844, phone=True)
    page.evaluate("document.querySelector('.tile').click()")
    page.wait("document.querySelectorAll('#stage text').length")
    names = page.evaluate("[...document.querySelectorAll('#stage text')].map(one => one.textContent)")
    assert sorted(names) == [*["Siberian husky"] * 3, "sky"]


def test_the_table_on_a_phone(page: Page) -> None:
    """It scrolls one way only, by lines of usual height, and a date is not broken."""
    page.window(390, 844, phone=True)
    page.evaluate("document.getElementById('numbers').open = document.getElementById('table').open = true")
    assert page.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.scroll'))")
    heights = page.evaluate("[...document.querySelectorAll('.scroll tbody tr')].map(one => one.offsetHeight)")
    assert max(heights) < 40
    assert page.evaluate("document.querySelector('.date').getClientRects().length") == 1


def test_nothing_escapes(browser: Page, folder: ResultFolder) -> None:
    """Hostile names and URLs run no script, and nothing is asked for but files of the folder."""
    page = show(browser, folder)
    for image_code in (f"{ODD}_1", f"{ODD}_2"):
        page.evaluate(f"{TILE.format(image_code)}.click()")
        page.evaluate("new Promise(requestAnimationFrame)")
    assert page.evaluate("window.wasHit") is None
    home = folder.root.as_uri()
    assert len(page.requested()) >= 17
    assert [one for one in page.requested() if not one.startswith(home)] == []
    assert page.complaints() == []


def test_the_policy_holds(page: Page) -> None:
    """Even a script that got into the page would not run, and no picture of the web would be asked for."""
    page.evaluate(
        "for (const [tag, more] of [['script', {textContent: 'hit()'}], ['img', {src: 'http://127.0.0.1:9/x.png'}]])"
        "document.body.append(Object.assign(document.createElement(tag), more))"
    )
    page.evaluate("new Promise(later => setTimeout(later, 100))")
    assert page.evaluate("window.wasHit") is None
    assert sum("Content Security Policy" in one for one in page.complaints()) == 2


def test_without_script(browser: Page, folder: ResultFolder) -> None:
    """Where JavaScript is off a sentence says so, and the table is there to be read."""
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


def test_a_picture_that_is_to_be_turned(browser: Page, tmp_path: Path) -> None:
    """Boxes belong to the pixels as they are stored: where the browser turns a picture, they do not lie."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 0, 0, 10, 10), size=pictures.SIZE, data=pictures.rotated_by_exif())
    made.write()
    page = show(browser, made)
    natural = page.evaluate(
        "(one => [one.naturalWidth, one.naturalHeight])(document.querySelector('.tile img'))"
    )
    drawn = page.evaluate("document.querySelectorAll('.tile rect.edge').length")
    assert drawn == (1 if natural == list(pictures.SIZE) else 0)


def test_contrast(page: Page) -> None:
    """Words can be read on what they stand on, in light and dark: WCAG's AA."""
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
    """Give the contrast of two colours of the style sheet, as WCAG defines it."""
    light, dark = sorted((luminance(page, words), luminance(page, ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(page: Page, name: str) -> float:
    """Give the relative luminance of a colour of the style sheet."""
    text = page.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('--{name}').trim()")
    red, green, blue = linear(text)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_many_images(browser: Page, tmp_path: Path) -> None:
    """With 50,000 images the page holds only what is near the window, and its end is reached at once."""
    made = ResultFolder(tmp_path / "partial_imagenet")
    red = made.category(RED, "red")
    made.image(red, f"{RED}_1", Box("red", 1, 2, 30, 40), data=jpeg())
    made.write()
    (image,) = made.images()
    one = json.dumps(image, separators=(",", ":"))
    page_of_many = made.page.replace(one, ",".join([one] * MANY))
    (made.root / "index.html").write_text(page_of_many, encoding="utf-8")
    page = show(browser, made)
    page.wait("performance.getEntriesByName('first-contentful-paint').length")
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"{MANY} images, {len(page_of_many) / 1e6:.1f} MB: first paint after {paint:.0f} ms")
    nodes = "document.querySelectorAll('*').length"
    counts = []
    for part in (0, 0.3, 0.7, 1, 0.5):
        page.evaluate(f"scrollTo(0, {part} * document.documentElement.scrollHeight)")
        page.wait("[...document.querySelectorAll('.tile')].some(one => one.getBoundingClientRect().top > 0)")
        counts.append(page.evaluate(nodes))
    assert max(counts) < SOME_NODES
    page.evaluate("document.querySelector('.tile').focus()")
    page.press("End")
    page.wait(f"document.activeElement.dataset.index === '{MANY - 1}'")
    assert page.evaluate("document.activeElement.parentElement.getAttribute('aria-posinset')") == str(MANY)
