"""Chromium without a screen, told what to do through a pipe by the DevTools protocol.

Nothing but the browser is needed: neither a driver nor a package of Python.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
TIMEOUT_S = 60.0
SWITCHES = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # root, in a container
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
)


def find_chromium():
    """The program; None if it is not installed."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Chromium:
    """A browser, closed with the block.

    Args:
        folder: For its profile.
    """

    def __init__(self, folder: Path):
        commands, self._to_browser = os.pipe()
        self._from_browser, answers = os.pipe()
        program = [find_chromium(), *SWITCHES, f"--user-data-dir={folder}", "about:blank"]
        # It reads its file descriptor 3 and writes to 4.
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "-", *program],
            pass_fds=(commands, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._received = b""
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        os.close(self._to_browser)
        os.close(self._from_browser)

    def call(self, method, session=None, **parameters):
        """Call a method of the protocol; its result, with the events until then in ``events``."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to_browser, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, method, session):
        """Read events until one of this kind has come."""
        while not any(
            event["method"] == method and event.get("sessionId") == session for event in self.events
        ):
            self.events.append(self._next())

    def _next(self):
        deadline = time.monotonic() + TIMEOUT_S
        while b"\0" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from_browser], [], [], left)[0]:
                raise TimeoutError("the browser does not answer")
            block = os.read(self._from_browser, 1 << 20)
            if not block:
                raise RuntimeError(f"the browser has ended with {self._process.wait()}")
            self._received += block
        message, _, self._received = self._received.partition(b"\0")
        return json.loads(message)


class Page:
    """A page that has been loaded.

    Args:
        browser: Where.
        address: Of the page.
        width: Of the window, in CSS pixels.
        scheme: "light" or "dark", as the reader prefers it.

    Attributes:
        requests: Addresses asked for, the page's own included.
        complaints: What the browser would show in its console.
    """

    def __init__(self, browser: Chromium, address: str, width: int = 1200, scheme: str = "light"):
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        attached = browser.call("Target.attachToTarget", targetId=target, flatten=True)
        self._browser, self._session = browser, attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        preference = {"name": "prefers-color-scheme", "value": scheme}
        self._call("Emulation.setEmulatedMedia", features=[preference])
        self._call("Page.navigate", url=address)
        browser.wait_for("Page.loadEventFired", self._session)
        self.evaluate("new Promise(done => setTimeout(done, 100))")  # for what is late

    @property
    def requests(self):
        return [event["request"]["url"] for event in self._events("Network.requestWillBeSent")]

    @property
    def complaints(self):
        entries = [event["entry"]["text"] for event in self._events("Log.entryAdded")]
        called = [str(event["args"]) for event in self._events("Runtime.consoleAPICalled")]
        thrown = [
            event["exceptionDetails"]["text"] for event in self._events("Runtime.exceptionThrown")
        ]
        return entries + called + thrown

    def evaluate(self, expression):
        """The value of an expression of JavaScript, a promise's when it is kept."""
        result = self._call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return result["result"].get("value")

    def save_screenshot(self, path: Path):
        """Write a PNG of the whole page."""
        shot = self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method, **parameters):
        return self._browser.call(method, self._session, **parameters)

    def _events(self, method):
        return [
            event["params"]
            for event in self._browser.events
            if event["method"] == method and event.get("sessionId") == self._session
        ]
