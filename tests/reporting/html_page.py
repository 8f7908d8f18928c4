"""A parser for pages in tests."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

from pipeline.reporting.inputs import read_inputs
from pipeline.reporting.page import render


class Page(HTMLParser):
    """The elements of a page in order, with their attributes, and its text; an element that is not closed is an error."""

    VOID = ("meta", "link", "br", "input")
    INLINE = ("strong", "code", "mark", "ins", "del")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag not in self.INLINE:
            self.words.append(" ")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"
        if tag not in self.INLINE:
            self.words.append(" ")

    def handle_data(self, data: str) -> None:
        kept = {"style": self.styles, "script": self.scripts}.get(self.open[-1] if self.open else "", self.words)
        kept.append(data)

    @property
    def text(self) -> str:
        """Return the text with single spaces."""
        return " ".join("".join(self.words).replace("\N{NO-BREAK SPACE}", " ").split())

    def values(self, name: str) -> list[str]:
        """Return the values of an attribute, in order."""
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def page_of(root: Path) -> Page:
    """Return the report on a run."""
    return Page(render(read_inputs(root / "data"), clips=8, audio_mb=0))
