"""The report in headless Chromium, opened from disk: it plays, sorts, filters, links and asks for nothing. Skipped without Chromium."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline import report
from tests.reporting.results import write_run

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (requirements/dev.txt)")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed (requirements/dev.txt)")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)"),
]
EVIL = '</script><script>window.evil = 1</script><img src=x onerror="window.evil=2">'
PLAYABLE = "speak-pt/00006"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a small run; utterance 0 has markup in its transcript and in the hypotheses."""
    root = write_run(tmp_path_factory.mktemp("browser") / "run", clips=2, audio_mb=0.1)
    for file in sorted((root / "data/transcribe").glob("*.parquet")):
        table = pd.read_parquet(file)
        table.loc[0, ["reference", "hypothesis", "hypothesis_served"]] = [EVIL, EVIL + " casa", EVIL + " casa"]
        table.to_parquet(file)
    test = root / "data/split/portuguese/test.parquet"
    table = pd.read_parquet(test)
    table.loc[0, "transcript"] = EVIL
    table.to_parquet(test)
    report.run(root)
    return root / "data/report/index.html"


@pytest.fixture(scope="module")
def tab() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"])
        tab = chromium.new_page()
        tab.set_default_timeout(15_000)
        yield tab
        chromium.close()


@dataclass
class Opened:
    """A page that is open in a browser, with what it printed and asked for."""

    tab: Any
    file: Path
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def open(self, fragment: str = "", name: str = "index.html") -> Any:
        self.tab.goto("about:blank")
        self.tab.goto(self.file.with_name(name).as_uri() + fragment)
        return self.tab

    def wait(self, expression: str) -> None:
        """Wait until an expression is true in the page. Playwright's own wait evaluates it in the page, which the page's policy forbids."""
        deadline = time.monotonic() + 15
        while not self.tab.evaluate(expression):
            assert time.monotonic() < deadline, expression
            self.tab.wait_for_timeout(20)

    def column(self, name: str) -> list[str]:
        """Return the shown cells of a column by its title."""
        titles = [text.strip() for text in self.tab.locator("#utterance-table thead th").all_inner_texts()]
        place = next(index for index, title in enumerate(titles) if title.split(" ↓")[0].split(" ↑")[0] == name)
        return [row.split("\t")[place] for row in self.tab.locator("#utterance-table tbody tr").all_inner_texts()]

    def search(self, query: str) -> str:
        """Return what the page prints about a filter."""
        self.tab.fill("#filter", query)
        self.tab.press("#filter", "Enter")
        return str(self.tab.inner_text("#filter-status"))


@pytest.fixture
def opened(tab: Any, page_file: Path) -> Iterator[Opened]:
    """The page in a tab; a message on its console, an error or a request fails the test."""
    found = Opened(tab, page_file)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(color_scheme="light")
    listeners: dict[str, Callable[[Any], None]] = {
        "console": lambda message: found.messages.append(message.text),
        "pageerror": lambda error: found.messages.append(str(error)),
        "request": lambda request: found.requests.append(request.url),
    }
    for event, listener in listeners.items():
        tab.on(event, listener)
    yield found
    for event, listener in listeners.items():
        tab.remove_listener(event, listener)
    timing = page_file.parent.parent / "timing/timing.js"
    beside = {page_file.as_uri(), page_file.with_name("data.html").as_uri(), timing.as_uri(), "about:blank", "data:,"}
    asked = [url for url in found.requests if url.split("#")[0] not in beside and not url.startswith(("blob:", "data:"))]
    assert not asked
    assert [text for text in found.messages if "timing.js" not in text and "ERR_FILE_NOT_FOUND" not in text] == []


def test_a_click_on_a_title_sorts_and_a_second_one_reverses(opened: Opened) -> None:
    tab = opened.open()
    tab.click("#utterance-table thead button:has-text('Seconds')")
    assert opened.column("Seconds") == sorted(opened.column("Seconds"), reverse=True)
    assert tab.get_attribute("#utterance-table th[aria-sort]", "aria-sort") == "descending"
    tab.click("#utterance-table thead button:has-text('Seconds')")
    assert opened.column("Seconds") == sorted(opened.column("Seconds")) and len(set(opened.column("Seconds"))) == 5


FILTERS = {
    "": 48, "locale=pt-PT": 24, "locale!=pt-PT gender=female": 12, "duration>1.35": 9, "duration>=1.3 duration<1.4": 9, "speaker~s003": 4,
    "ref=relógio": 6, '"da praça"': 5, "id=speak-pt/00007": 1, "audio=yes": 12, "wer>300%": 0, "WORDS>0 words<3": 0,
}


def test_a_filter_keeps_what_it_names(opened: Opened) -> None:
    tab = opened.open()
    assert {query: tab.evaluate("query => vizinho.filter(query).length", query) for query in FILTERS} == FILTERS
    assert opened.search("locale=pt-PT gender=female").startswith("12 of 48 utterances; their WER: ")
    assert len(opened.column("Locale")) == 12 and set(opened.column("Locale")) == {"pt-PT"}


def test_the_filter_reads_the_selected_systems(opened: Opened) -> None:
    tab = opened.open()
    assert tab.inner_text("#system-a option:checked") == "transfer" and tab.inner_text("#system-b option:checked") == "champion = donor"
    before = opened.search("wer<wer2")
    assert "a number is expected" in before
    kept = int(opened.search("change<0").split()[0])
    tab.select_option("#system-a", label="champion = donor")
    tab.select_option("#system-b", label="transfer")
    assert int(opened.search("change>0").split()[0]) == kept > 30
    assert "no column wrr" in opened.search("wrr>0.5")


def test_a_deep_link_opens_an_utterance_with_its_alignment_and_audio(opened: Opened) -> None:
    tab = opened.open(f"#utterance/{PLAYABLE}")
    assert PLAYABLE in tab.inner_text(".detail .facts >> nth=0")
    rows = tab.locator(".aligned .labels > div").all_inner_texts()
    assert rows == ["reference", "transfer", "champion = donor"]
    reference = [text for text in tab.locator(".aligned .column > div:first-child").all_inner_texts() if text.strip()]
    assert " ".join(reference) == "o médico pediu vinte e cinco reais pela consulta"
    assert tab.locator(".aligned .column :is(mark, del, ins)").count() > 3
    opened.wait("document.querySelector('.detail audio').duration > 1")
    drawn = """() => [...document.querySelector('.wave > div').shadowRoot.querySelectorAll('canvas')].filter(canvas =>
        new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size > 8).length >= 2"""
    opened.wait(drawn)
    tab.evaluate("location.hash = '#utterance/' + encodeURIComponent('speak-pt/00005')")
    opened.wait("document.querySelector('.detail .facts').innerText.includes('speak-pt/00005')")
    assert tab.locator(".detail").count() == 1


def test_words_are_marked_as_they_are_spoken_and_a_click_on_one_plays_from_there(opened: Opened) -> None:
    tab = opened.open(f"#utterance/{PLAYABLE}")
    opened.wait("document.querySelector('.detail audio').readyState >= 2")
    seek = "second => { document.querySelector('.detail audio').currentTime = second; }"
    marked = "[...document.querySelectorAll('.aligned .spoken')].map(word => [word.dataset.start, word.dataset.end])"
    tab.evaluate(seek, 0.7)
    opened.wait(f"{marked}.length > 0")
    assert {tuple(times) for times in tab.evaluate(marked)} == {("0.5", "1")}
    assert len(tab.evaluate(marked)) == 2, "a word of each system"
    tab.evaluate(seek, 0.1)
    opened.wait(f"{marked}.some(times => times[0] === '0')")
    tab.locator(".aligned [data-start='1']").first.click()
    opened.wait("document.querySelector('.detail audio').currentTime >= 1")
    assert "0.50 to 1.00" in tab.locator(".aligned [data-start='0.5']").first.get_attribute("title")


def test_the_keyboard_moves_opens_plays_and_closes(opened: Opened) -> None:
    tab = opened.open()
    tab.keyboard.press("/")
    assert tab.evaluate("document.activeElement.id") == "filter"
    tab.keyboard.type("audio=yes")
    tab.keyboard.press("Enter")
    for key in "jjk":
        tab.keyboard.press(key)
    assert tab.locator("#utterance-table tbody tr").first.get_attribute("aria-current") == "true"
    tab.keyboard.press("Enter")
    assert tab.evaluate("location.hash").startswith("#utterance/speak-pt")
    opened.wait("document.querySelector('.detail audio').readyState >= 2")
    tab.keyboard.press("Space")
    opened.wait("document.querySelector('.detail audio').currentTime > 0.1")
    tab.keyboard.press("Space")
    assert tab.evaluate("document.querySelector('.detail audio').paused")
    before = tab.evaluate("location.hash")
    tab.keyboard.press("j")
    assert tab.locator(".detail").count() == 1 and tab.evaluate("location.hash") != before
    assert tab.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true", "the focus stays on the open utterance"
    tab.keyboard.press("Enter")
    tab.keyboard.press("Enter")
    assert tab.locator(".detail").count() == 1
    tab.keyboard.press("Escape")
    assert tab.locator(".detail").count() == 0 and tab.evaluate("location.hash") == "#utterances"


def test_markup_in_a_transcript_stays_text(opened: Opened) -> None:
    tab = opened.open("#utterance/speak-pt%2F00000")
    assert EVIL.split()[0] in tab.inner_text(".detail")
    assert f"Transcript: {EVIL}" not in tab.inner_text(".detail"), "it equals the reference"
    assert opened.search("<script>window.evil").startswith("1 of 48")
    assert tab.evaluate("window.evil") is None and tab.locator("img").count() == 0


def test_a_word_links_to_its_utterances(opened: Opened) -> None:
    tab = opened.open()
    tab.fill("#word-filter", "relógio")
    assert tab.locator("#word-table tbody tr").count() == 1
    tab.click("#word-table tbody a")
    opened.wait("document.getElementById('filter').value === 'ref=relógio'")
    assert tab.inner_text("#filter-status").startswith("6 of 48")
    tab.click("a:has-text('avô → avó')")
    opened.wait("document.getElementById('filter').value === 'wrong=avô hyp=avó'")


def test_speakers_are_listed_by_their_errors_and_link_to_their_utterances(opened: Opened) -> None:
    tab = opened.open()
    rates = [float(text.rstrip("\u00a0%")) for text in tab.locator("#speaker-table tbody td:nth-child(2)").all_inner_texts()]
    assert rates == sorted(rates, reverse=True) and len(rates) > 1
    name, rate = tab.inner_text("#speaker-table tbody a >> nth=0"), tab.inner_text("#speaker-table tbody td:nth-child(2) >> nth=0")
    tab.click("#speaker-table tbody a >> nth=0")
    opened.wait(f"document.getElementById('filter').value === 'speaker=\"{name}\"'")
    assert f"their WER: {rate}" in tab.inner_text("#filter-status")


def test_a_phone_shows_the_page_without_sideways_scroll(opened: Opened) -> None:
    opened.tab.set_viewport_size({"width": 390, "height": 844})
    tab = opened.open()
    for fragment in ("#utterances", "#speakers", "#words", f"#utterance/{PLAYABLE}"):
        tab.evaluate(f"location.hash = '{fragment}'")
        tab.wait_for_timeout(50)
        assert tab.evaluate("document.documentElement.scrollWidth") == 390, fragment
    assert tab.locator("#utterance-table thead th:visible").all_inner_texts() == ["Reference", "WER", "WER 2"]
    assert opened.open(name="data.html").evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_accessible_in_both_colour_schemes(opened: Opened, scheme: str) -> None:
    opened.tab.emulate_media(color_scheme=scheme)
    tab = opened.open("#filter/ref=pela duration<1.3")   # few rows: axe reads every cell
    tab.fill("#word-filter", "pe")
    tab.click("#utterance-table tbody a >> nth=0")
    assert tab.locator(".detail").is_visible()
    assert not problems(tab, scheme)
    if scheme == "light":  # the other page has the same styles
        assert not problems(opened.open(name="data.html"), scheme)


def problems(tab: Any, scheme: str) -> dict[str, list[str]]:
    """Return what axe-core finds, elements by rule; in dark only what depends on colour."""
    rules = ["wcag2a", "wcag2aa", "wcag21aa"] if scheme == "light" else ["color-contrast"]
    context = {"exclude": ["figure svg"]} if scheme == "dark" else None
    found = axe.Axe().run(tab, context=context, options={"runOnly": rules, "resultTypes": ["violations"]})
    return {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found.response["violations"]}
