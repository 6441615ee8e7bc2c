"""The demo page in a browser: web_page.py <folder of the page> [--screenshot FILE]

Serves the folder on this machine, opens it in headless Chromium by its driver (WebDriver over HTTP, no package needed), lets
the default model tell a story with temperature 0, which must be the text of logits_bits.txt, and stops another one. Without
chromedriver it is a visible skip (77).
"""

from __future__ import annotations

import argparse
import base64
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

EXPECTED = Path(__file__).resolve().parent / "logits_bits.txt"
SHORT = 40  # tokens; the golden story has 48


def golden_story() -> str:
    text = EXPECTED.read_bytes().decode().split("default text ", 1)[1]
    lines = []
    for line in text.split("\n"):  # until the next model's lines; a story has no such word
        if ".gguf " in line:
            break
        lines.append(line)
    return "\n".join(lines).rstrip("\n")


class Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".wasm": "application/wasm"}

    def log_message(self, *_: object) -> None:
        pass


class Browser:
    """As much of the WebDriver protocol as is used here."""

    def __init__(self, driver: str) -> None:
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, text=True)
        self.url = ""
        for line in self.process.stdout:
            if "started successfully on port" in line:
                self.url = f"http://127.0.0.1:{line.split('port')[1].strip(' .' + chr(10))}"
                break
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=900,800"]}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.session = f"/session/{made['sessionId']}"

    def call(self, method: str, path: str, body: object = None) -> object:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)["value"]

    def script(self, text: str) -> object:
        return self.call("POST", self.session + "/execute/sync", {"script": text, "args": []})

    def wait_for(self, condition: str, seconds: float = 90) -> None:
        end = time.monotonic() + seconds
        while not self.script(f"return Boolean({condition})"):
            if time.monotonic() > end:
                status = self.script("return document.getElementById('status').textContent")
                sys.exit(f"not in {seconds} s: {condition}; the page says: {status}")
            time.sleep(0.1)

    def close(self) -> None:
        try:
            self.call("DELETE", self.session)
        finally:
            self.process.terminate()
            self.process.wait()


STATE = "document.body.dataset.state"
STORY = "document.getElementById('story').textContent"


def tell(browser: Browser, tokens: int, temperature: float) -> None:
    browser.script(f"""for (const [id, value] of [["tokens", {tokens}], ["temperature", {temperature}]])
        document.getElementById(id).value = value;
        document.getElementById("tell").click();""")


def check(browser: Browser, page: str, screenshot: str | None) -> None:
    browser.call("POST", browser.session + "/url", {"url": page})
    browser.wait_for(f"{STATE} === 'idle'")
    tell(browser, SHORT, 0)
    browser.wait_for(f"{STATE} === 'idle'")
    story, golden = browser.script(f"return {STORY}"), golden_story()
    if len(story) < 60 or not golden.startswith(story):
        sys.exit(f"the page told {story!r}\nwanted the beginning of {golden!r}")
    status = browser.script("return document.getElementById('status').textContent")
    print(f"{len(story)} characters equal; {status}")
    if screenshot:
        image = browser.call("GET", browser.session + "/screenshot")
        Path(screenshot).write_bytes(base64.b64decode(image))
    tell(browser, 2000, 0.8)
    browser.wait_for(f"{STORY}.length > 40")
    browser.script("document.getElementById('stop').click()")
    browser.wait_for(f"{STATE} === 'idle'")
    status = browser.script("return document.getElementById('status').textContent")
    if "stopped" not in status:
        sys.exit(f"the stop button did nothing: {status}")
    print("stopped when told to")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--screenshot")
    args = parser.parse_args()
    driver = shutil.which("chromedriver")
    if driver is None:
        print("SKIPPED: no chromedriver here (scripts/install-packages cross)")
        sys.exit(77)
    handler = functools.partial(Quiet, directory=args.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = Browser(driver)
        try:
            check(browser, f"http://127.0.0.1:{server.server_address[1]}/index.html", args.screenshot)
        finally:
            browser.close()
            server.shutdown()


if __name__ == "__main__":
    main()
