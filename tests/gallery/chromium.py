"""Headless Chromium for tests, controlled by its DevTools protocol over two pipes."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
TIMEOUT = 30.0
LAUNCHER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts a browser that reads commands from descriptor 3 and writes answers to 4. The first pipe must have
the lower descriptors, so that the first `dup2` does not close the second pipe."""
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--hide-scrollbars", "--force-color-profile=srgb", "--lang=en"),
)


def executable() -> str | None:
    """Find a browser; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class BrowserError(Exception):
    """The browser, or a script in its page, reported an error."""


class Page:
    """A page in the browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._number = 0
        self._session: str | None = None
        self._read = b""
        self.events: list[Mapping[str, Any]] = []

    def attach(self) -> None:
        """Open a tab, and enable its events."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, address: str) -> None:
        """Open a URL, and wait until the page and its first images are loaded."""
        self.call("Page.navigate", url="about:blank")  # or a new fragment would not reload the page
        self.wait("location.href === 'about:blank'")
        self.events.clear()
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def reload(self) -> None:
        """Reload the page."""
        self.evaluate("window.old = true")
        self.call("Page.reload")
        self.wait("document.readyState === 'complete' && !window.old")

    def evaluate(self, expression: str) -> Any:
        """Evaluate an expression in the page."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until an expression becomes true; fail after `TIMEOUT` seconds."""
        deadline = time.monotonic() + TIMEOUT
        while not self._is_true(expression):
            assert time.monotonic() < deadline, f"timeout: {expression}"
            time.sleep(0.02)

    def press(self, *keys: str) -> None:
        """Press keys one after another, e.g. `ArrowRight`."""
        codes = {"Enter": 13, "Escape": 27, "Home": 36, "End": 35, "Tab": 9}
        codes |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}
        for key in keys:
            about = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
            text = {"text": "\r"} if key == "Enter" else {}
            self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        x, y = self.evaluate(
            f"(() => {{ const at = document.querySelector({json.dumps(selector)});"
            "at.scrollIntoView({block: 'nearest'}); const box = at.getBoundingClientRect();"
            "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def window(self, width: int, height: int, *, phone: bool = False) -> None:
        """Set the size of the window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )

    def screenshot(self) -> bytes:
        """Return a PNG of the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])

    def requested_urls(self) -> list[str]:
        """Return the URLs requested since the page was opened."""
        self.evaluate("0")  # events arrive before the answer
        found = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in found]

    def errors(self) -> list[str]:
        """Return exceptions, errors and policy violations since the page was opened."""
        self.evaluate("0")
        thrown = [one["params"] for one in self.events if one.get("method") == "Runtime.exceptionThrown"]
        logged = [one["params"] for one in self.events if one.get("method") == "Log.entryAdded"]
        return [str(one["exceptionDetails"].get("exception", one)) for one in thrown] + [
            one["entry"]["text"] for one in logged
        ]

    def _is_true(self, expression: str) -> bool:
        try:
            return bool(self.evaluate(expression))
        except BrowserError:  # the page is being replaced
            return False

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._read:
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise BrowserError("the browser has exited")
            self._read += data
        message, _, self._read = self._read.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Start a browser with its profile in `folder`, and yield a page."""
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()
    about = (f"--user-data-dir={folder}", "--remote-debugging-pipe")
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            LAUNCHER,
            str(from_us),
            str(to_us),
            executable() or "chromium",
            *FLAGS,
            *about,
        ],
        pass_fds=(from_us, to_us),
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        os.close(from_us)
        os.close(to_us)
        page = Page(commands, answers)
        try:
            page.attach()
            yield page
        finally:
            page._session = None
            page.call("Browser.close")
            process.wait(TIMEOUT)
            os.close(commands)
            os.close(answers)
