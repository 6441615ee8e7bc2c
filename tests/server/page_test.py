"""The page at /, used in a headless Chromium as people use it, against the running server: page_test.py <server>.

Screenshots of each state are written to the folder $BITNET_SCREENSHOTS, where it is set. Needs chromium and chromedriver
(Debian: apt-get install chromium chromium-driver); skipped where there are none."""
# needs: selenium
# labels: slow

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import server_fixture
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

BEGINNING = "Once upon a time"


class Browser:
    """A Chromium with a window of its own and nothing kept from before."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="bitnet-page-")
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
        for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
                         "--disable-background-networking", "--window-size=1280,900"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        self.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=self.folder.name)

    def cdp(self, command: str, **arguments):
        return self.driver.execute_cdp_cmd(command, arguments)

    def open(self, url: str) -> None:
        """The page as on a first visit: wide, light, nothing stored."""
        self.size(1280, 860)
        self.prefer("light")
        self.network()
        self.cdp("Storage.clearDataForOrigin", origin=url, storageTypes="all")
        self.driver.get(url + "/")
        self.run("sessionStorage.clear()")
        self.driver.get(url + "/")
        self.until(lambda: self.run("return document.querySelectorAll('#model option[value]:not([value=\"\"])').length"
                                    " || document.querySelectorAll('.failure').length"))
        self.until(lambda: self.run("return document.querySelector('input[value=story]').checked"
                                    " || document.querySelectorAll('.failure').length"))

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, text: str) -> None:
        """The visible button with this text."""
        buttons = [button for button in self.all("button") if button.is_displayed() and button.text == text]
        assert buttons, f"no button {text!r} among {[button.text for button in self.all('button')]}"
        buttons[-1].click()

    def until(self, condition, seconds: float = 30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(f"this did not come to be; the page says: {self.find('body').text}")

    def writing(self) -> bool:
        return self.find("#stop").is_displayed()

    def send(self, text: str) -> None:
        self.find("#prompt").send_keys(text, Keys.ENTER)

    def answer(self, text: str) -> str:
        """Sends and waits for the end of the answer."""
        self.send(text)
        self.until(lambda: not self.writing() and self.all(".figures, .failure"))
        return self.text()

    def text(self) -> str:
        return self.run("return document.querySelector('.story, .message.assistant:last-of-type .md')?.textContent ?? ''")

    def set(self, **values) -> None:
        """Changes settings through the dialog."""
        self.find("#open-settings").click()
        for name, value in values.items():
            field = self.find(f"#{name}")
            if field.get_attribute("type") == "range":
                self.run("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", field, value)
            else:
                field.clear()
                field.send_keys(str(value))
        self.click("Done")

    def prefer(self, scheme: str, motion: str = "no-preference") -> None:
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme},
                                                         {"name": "prefers-reduced-motion", "value": motion}])

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def network(self, bytes_per_second: int = -1, offline: bool = False) -> None:
        """A slow network lets a fast model be seen, and stopped, in the middle of its text."""
        self.cdp("Network.enable")
        self.cdp("Network.emulateNetworkConditions", offline=offline, latency=0, downloadThroughput=bytes_per_second,
                 uploadThroughput=-1)

    def screenshot(self, name: str) -> None:
        folder = os.environ.get("BITNET_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(folder) / f"{name}.png"))

    def complaints(self) -> list:
        """What the console has shown that no test provokes: scripts that failed, refused by the policy, not found."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] == "SEVERE" and not re.search(r"status of (401|400)|ERR_CONNECTION", entry["message"])]

    def close(self) -> None:
        self.driver.quit()
        self.folder.cleanup()


# --- What is sent

def test_the_page_is_one_file_with_a_strict_policy(browser: Browser, server) -> None:
    answer = server.get("/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["connect-src"] == "'self'", policy
    assert policy["frame-ancestors"] == "'none'" and policy["require-trusted-types-for"] == "'script'", policy
    for name in ("script-src", "style-src"):
        assert re.fullmatch(r"'sha256-[\w+/]{43}='", policy[name]), policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["Referrer-Policy"] == "no-referrer"
    # Nothing is loaded from anywhere.
    addresses = set(re.findall(r"https?://[\w.-]+", answer.text))
    assert addresses <= {"http://www.w3.org"}, addresses
    assert not re.search(r"<(?:script|link|img|iframe)[^>]*\s(?:src|href)=(?!\"data:)", answer.text)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|\son\w+=\"", answer.text)
    tag = answer.headers["ETag"]
    assert server.get("/", headers={"If-None-Match": tag}).status == 304
    assert server.get("/", headers={"If-None-Match": '"other"'}).status == 200
    assert server.request("HEAD", "/").status == 200 and server.post("/", {}).status == 405


def test_the_policy_holds_in_the_browser(browser: Browser, server) -> None:
    browser.open(server.url)
    for breach in ("document.body.innerHTML = '<b>x</b>'",
                   "document.body.insertAdjacentHTML('beforeend', '<b>x</b>')",
                   "new DOMParser().parseFromString('<b>x</b>', 'text/html')"):
        assert browser.run(f"try {{ {breach}; return 'done' }} catch (error) {{ return error.name }}") == "TypeError"
    refused = browser.run("const s = document.createElement('script'); try { s.textContent = 'window.breach = 1' } "
                          "catch { return true } document.head.append(s); return window.breach !== 1")
    assert refused
    outside = browser.driver.execute_async_script(
        "const done = arguments[0]; fetch('http://127.0.0.2:9/').then(() => done('sent'), (error) => done(error.name))")
    assert outside == "TypeError"
    browser.driver.get_log("browser")


# --- Writing

def test_a_story_streams_into_the_page(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.until(lambda: browser.find("input[value=story]").is_selected())  # the model inside cannot chat
    assert browser.run("return [window.bitnetPage.canChat({id: 'a', chat_format: 'template'}), "
                       "window.bitnetPage.canChat({id: 'a', chat_format: 'plain'})]") == [True, False]
    browser.screenshot("story-empty")
    browser.set(temperature=0, max_tokens=100)
    browser.run("window.seen = new Set(); new MutationObserver(() => window.seen.add(document.querySelector('.story')?.textContent.length))"
                ".observe(document.getElementById('log'), {subtree: true, childList: true, characterData: true})")
    browser.network(20000)
    browser.answer(BEGINNING)
    browser.network()
    seen = browser.run("return [...window.seen].filter((length) => length > arguments[0])", len(BEGINNING))
    assert len(seen) >= 3, f"the text came at once: {seen}"
    text = browser.text()
    assert text.startswith(BEGINNING + ", there was a little"), text
    assert re.search(r"\d+ tokens · [\d.]+ tokens/s · first token after .* · seed \d+", browser.find(".figures").text)
    assert "there was a little" in browser.find("#live").get_attribute("textContent")
    browser.screenshot("story")
    # An empty field goes on, a line turns the story.
    browser.click("Continue")
    browser.until(lambda: not browser.writing())
    assert browser.text().startswith(text) and len(browser.text()) > len(text)
    longer = browser.text()
    assert browser.answer("Suddenly a dragon").startswith(longer.rstrip() + " Suddenly a dragon")
    assert [part.text for part in browser.all(".story .mine")][0] == BEGINNING
    assert not browser.complaints()


def test_stop_ends_the_text_and_keeps_what_is_there(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=4000)
    browser.network(10000)
    for stop in (lambda: browser.find("#stop").click(), lambda: browser.find("#prompt").send_keys(Keys.ESCAPE)):
        browser.send(BEGINNING)
        browser.until(lambda: browser.writing() and len(browser.text()) > len(BEGINNING) + 20)
        stop()
        browser.until(lambda: not browser.writing())
        text = browser.text()
        assert browser.find(".note").text == "Stopped" and len(text) > len(BEGINNING) + 20
        time.sleep(0.2)
        assert browser.text() == text
        browser.find("#new").click()
    # The server has let go of it, too.
    browser.until(lambda: server.get("/v1/models").status == 200)


def test_regenerate_writes_again_and_a_seed_repeats(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(temperature=1, max_tokens=30)
    first = browser.answer(BEGINNING)
    texts = set()
    for _ in range(3):
        browser.click("Another continuation")
        browser.until(lambda: not browser.writing() and browser.all(".figures"))
        texts.add(browser.text())
    assert len(browser.all(".story span")) == 2 and texts != {first}, texts
    browser.set(seed=7)
    texts = set()
    for _ in range(2):
        browser.click("Another continuation")
        browser.until(lambda: not browser.writing() and browser.all(".figures"))
        assert "seed 7" in browser.find(".figures").text
        texts.add(browser.text())
    assert len(texts) == 1, texts


def test_the_last_words_can_be_changed(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=8)
    browser.answer(BEGINNING)
    browser.find("#prompt").send_keys(Keys.ARROW_UP)
    area = browser.driver.switch_to.active_element
    assert area.get_attribute("value") == BEGINNING
    area.clear()
    area.send_keys("The cat", Keys.ENTER)
    browser.until(lambda: not browser.writing() and browser.all(".figures"))
    assert browser.text().startswith("The cat") and BEGINNING not in browser.text()
    browser.click("Edit my words")
    browser.driver.switch_to.active_element.send_keys(" never", Keys.ESCAPE)
    assert not browser.all(".edit") and "never" not in browser.text()


def test_a_chat_is_answered_in_turns(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.run("document.querySelector('input[value=chat]').click()")
    browser.set(max_tokens=12, seed=3, temperature=0.5, system="You tell stories.")
    browser.screenshot("chat-empty")
    first = browser.answer("Tell me of Lily and")
    assert first and browser.find(".message.user .body").text == "Tell me of Lily and"
    browser.answer("She went to the")
    assert len(browser.all(".message.user")) == 2 and len(browser.all(".message.assistant")) == 2
    browser.click("Edit")
    browser.driver.switch_to.active_element.send_keys(" big", Keys.ENTER)
    browser.until(lambda: not browser.writing() and len(browser.all(".figures")) == 2)
    assert [node.text for node in browser.all(".message.user .body")] == ["Tell me of Lily and", "She went to the big"]
    browser.click("Regenerate")
    browser.until(lambda: not browser.writing() and len(browser.all(".figures")) == 2)
    browser.screenshot("chat")
    assert not browser.complaints()


# --- What is kept

def test_settings_are_used_and_kept(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(temperature=0, max_tokens=5, top_k=1)
    assert browser.answer(BEGINNING) == BEGINNING + ", there was a little"
    assert browser.find(".figures").text.startswith("5 tokens") and "ended at its limit" in browser.find(".figures").text
    browser.driver.refresh()
    browser.find("#open-settings").click()
    assert [browser.find(f"#{name}").get_attribute("value") for name in ("temperature", "max_tokens", "top_k")] == ["0", "5", "1"]
    # Out of range is not sent.
    field = browser.find("#max_tokens")
    field.clear()
    field.send_keys("-3")
    browser.click("Reset")
    assert field.get_attribute("value") == "512"
    browser.click("Done")


def test_conversations_are_kept_exported_and_imported(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=5)
    browser.answer("The first")
    browser.find("#new").click()
    browser.answer("The second")
    browser.driver.refresh()
    assert [node.text for node in browser.all("#list .open")] == ["The second", "The first"]
    browser.all("#list .open")[1].click()
    assert browser.text().startswith("The first")
    browser.find("#export").click()
    files = browser.until(lambda: list(Path(browser.folder.name).glob("*.json")))
    exported = json.loads(files[0].read_text(encoding="utf-8"))
    assert [one["title"] for one in exported["conversations"]] == ["The first", "The second"], exported
    browser.find("#list .drop").click()
    assert len(browser.all("#list .open")) == 1
    browser.click("Undo")
    assert len(browser.all("#list .open")) == 2
    browser.run("localStorage.clear()")
    browser.driver.refresh()
    assert not browser.all("#list .open")
    browser.find("#import-file").send_keys(str(files[0]))
    browser.until(lambda: len(browser.all("#list .open")) == 2)
    rubbish = Path(browser.folder.name) / "rubbish.json"
    rubbish.write_text('{"conversations": [{"messages": [{"role": "evil", "text": 1}]}, null, 3, {"messages": "x"}]}', encoding="utf-8")
    browser.find("#import-file").send_keys(str(rubbish))
    browser.until(lambda: "no conversations" in browser.find("#toast").text)
    assert len(browser.all("#list .open")) == 2 and not browser.complaints()


def test_without_storage_everything_works_until_the_tab_closes(browser: Browser, server) -> None:
    browser.open(server.url)
    script = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source="for (const name of ['localStorage', 'sessionStorage'])"
                         " Object.defineProperty(window, name, {get() { throw new DOMException('no', 'SecurityError'); }});")
    browser.driver.refresh()
    browser.until(lambda: browser.find("#model").get_attribute("value"))
    browser.set(max_tokens=5, temperature=0)
    assert browser.answer(BEGINNING).startswith(BEGINNING + ", there")
    assert "keeps nothing" in browser.find("#toast").text and len(browser.all("#list .open")) == 1
    browser.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=script["identifier"])


# --- Text of a model

HOSTILE = [
    "<img src=x onerror=\"window.hit=1\">", "<script>window.hit=1</script>", "[x](javascript:window.hit=1)",
    "[x](data:text/html,<script>window.hit=1</script>)", "[x](https://a\" onclick=\"window.hit=1)", "`<svg onload=window.hit=1>`",
    "```html\n<script>window.hit=1</script>\n```", "# <iframe srcdoc='<script>parent.hit=1</script>'>", "> <b onmouseover=window.hit=1>x",
    "| <img src=x onerror=window.hit=1> | b |\n|---|---|\n| [a](JaVaScRiPt:window.hit=1) | <style>*{display:none}</style> |",
    "1. <a href=javascript:window.hit=1>x</a>", "\u202e<img>\u0000\ud7ff", "**<details ontoggle=window.hit=1 open>**",
    "```\"><script>window.hit=1</script>\nx\n```", "<https://a/<script>>", "[a](http:\n//x)", "]]>--><!--<math><mi>",
]
TAGS = set("P H3 H4 H5 H6 UL OL LI BLOCKQUOTE HR A CODE PRE DIV SPAN BUTTON STRONG EM DEL BR TABLE THEAD TBODY TR TH TD".split())
ATTRIBUTES = {"class", "href", "target", "rel", "type", "tabindex", "scope", "start"}


def rendered(browser: Browser, text: str):
    """[tag, attributes..., children...] of every element, depth first, and the text."""
    return browser.run("""
        const holder = document.createElement("div");
        holder.append(window.bitnetPage.renderMarkdown(arguments[0]));
        document.body.append(holder);
        const nodes = [...holder.querySelectorAll("*")].map((node) =>
            [node.tagName, Object.fromEntries([...node.attributes].map((a) => [a.name, a.value]))]);
        const shape = (node) => [...node.childNodes].map((child) => child.nodeType === 3 ? child.data
            : child.tagName.toLowerCase() + "(" + shape(child) + ")").join("");
        const result = [nodes, holder.textContent, shape(holder)];
        holder.remove();
        return result;""", text)


def test_hostile_text_stays_text(browser: Browser, server) -> None:
    browser.open(server.url)
    for text in HOSTILE + ["\n\n".join(HOSTILE)]:
        nodes, content, _ = rendered(browser, text)
        for tag, attributes in nodes:
            assert tag in TAGS, f"{text!r} became <{tag}>"
            assert set(attributes) <= ATTRIBUTES, f"{text!r} set {attributes}"
            if tag == "A":
                assert re.match(r"https?://[^\s\"<>]+$", attributes["href"]), f"{text!r} links to {attributes['href']}"
                assert "noopener" in attributes["rel"]
        for part in re.findall(r"<[^>]*>", text):
            assert part in content or "](" in text, f"{part} is lost from {text!r}: {content!r}"
    assert browser.run("return window.hit") is None
    # The same through a whole conversation.
    browser.run("localStorage.setItem('bitnet.conversations', JSON.stringify([{id: 'h', title: '<b>' + arguments[0], mode: 'chat', "
                "updated: 1, messages: [{role: 'user', text: arguments[0]}, {role: 'assistant', text: arguments[0], figures: '<i>'}]}]))",
                "\n\n".join(HOSTILE))
    browser.driver.refresh()
    browser.find("#list .open").click()
    assert "<img src=x" in browser.text() and browser.run("return window.hit") is None
    assert not browser.all("#log img, #log svg, #log iframe, #log script, #log style, #log b, #list b, #log i")
    browser.screenshot("hostile")
    assert not browser.complaints()


def test_markdown_becomes_its_elements(browser: Browser, server) -> None:
    browser.open(server.url)
    for text, shape in {
        "a **b** *c* `d` ~~e~~": "p(a strong(b) em(c) code(d) del(e))",
        "snake_case_name and 2 * 3 * 4": "p(snake_case_name and 2 * 3 * 4)",
        "**bold *both* bold**": "p(strong(bold em(both) bold))",
        "# One\n## Two\ntext": "h3(One)h4(Two)p(text)",
        "- a\n- b\n  - c\n  - d\n- e": "ul(li(a)li(bul(li(c)li(d)))li(e))",
        "1. a\n2. b\n\n3. c": "ol(li(a)li(b)li(c))",
        "> q\n> r": "blockquote(p(qbr()r))",
        "```py\nx = '<b>'\n```\nafter": "div(div(span(py)button(Copy code))pre(code(x = '<b>')))p(after)",
        "```\nnot closed": "div(div(span(code)button(Copy code))pre(code(not closed)))",
        "|a|b|\n|-|-|\n|1|2|": "div(table(thead(tr(th(a)th(b)))tbody(tr(td(1)td(2)))))",
        "[a *b*](https://x.org/y) and https://z.org.": "p(a(a em(b)) and a(https://z.org).)",
        r"\*not\* and **open": "p(*not* and **open)",
        "one\ntwo\n\nthree": "p(onebr()two)p(three)",
        "---": "hr()",
        "": "",
    }.items():
        assert rendered(browser, text)[2] == shape, f"{text!r}: {rendered(browser, text)[2]}"


def test_long_and_deep_text_is_drawn_in_time(browser: Browser, server) -> None:
    browser.open(server.url)
    for unit in ("*", "**a ", "_", "`", "[", "[a](", "> ", "- ", "  - a\n", "|", "~~", "a`b``c", "\\", "# ", "1. ", "http://"):
        text = (unit * 50000)[:50000]
        took = browser.run("const begun = performance.now(); window.bitnetPage.renderMarkdown(arguments[0]); "
                           "return performance.now() - begun", text)
        assert took < 2000, f"{unit!r} takes {took} ms"


def test_events_are_read_however_the_network_cuts_them(browser: Browser, server) -> None:
    browser.open(server.url)
    streams = {
        "data: {\"a\":1}\n\ndata: b\n\n": ['{"a":1}', "b"],
        "data: a\r\n\r\n: comment\r\n\r\ndata: b\r\ndata: c\r\n\r\n": ["a", "b\nc"],
        "data:a\r\rdata: b\r\r": ["a", "b"],
        "event: x\ndata: a\nid: 1\nretry: 5\n\n\n\ndata: [DONE]\n\nrest": ["a", "[DONE]"],
        "data\n\ndata: \n\ndatax: no\n\n": [""],
    }
    for stream, expected in streams.items():
        wrong = browser.run("""
            const [stream, expected] = arguments, wrong = [];
            const read = (parts) => { const parser = new window.bitnetPage.EventParser(); return parts.flatMap((part) => parser.push(part)); };
            for (let i = 0; i <= stream.length; i++)
                for (let k = i; k <= stream.length; k++) {
                    const got = read([stream.slice(0, i), stream.slice(i, k), stream.slice(k)]);
                    if (JSON.stringify(got) !== JSON.stringify(expected)) wrong.push([i, k, got]);
                }
            const got = read([...stream]);
            if (JSON.stringify(got) !== JSON.stringify(expected)) wrong.push(["each", got]);
            return wrong.slice(0, 3);""", stream, expected)
        assert not wrong, f"{stream!r}: {wrong}"


# --- For everybody

CONTRAST = """
    const parse = (css) => { const n = css.match(/[\\d.]+/g).map(Number); return [n[0], n[1], n[2], n[3] ?? 1]; };
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgba = (css) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
        const d = canvas.getImageData(0, 0, 1, 1).data; return [d[0], d[1], d[2], d[3] / 255]; };
    const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => { v /= 255; return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; });
        return .2126 * r + .7152 * g + .0722 * b; };
    const behind = (node) => {  // what is painted under a node's text
        const layers = [];
        for (let at = node; at; at = at.parentElement) { const c = rgba(getComputedStyle(at).backgroundColor); layers.push(c); if (c[3] === 1) break; }
        return layers.reverse().reduce((under, c) => under.map((v, i) => v * (1 - c[3]) + c[i] * c[3]), [255, 255, 255]);
    };
    const bad = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    let looked = 0;
    for (let text; (text = walker.nextNode());) {
        const node = text.parentElement;
        if (!text.data.trim() || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true }) || node.closest(".hidden-text, .skip, script, style, option, :disabled")) continue;
        if (document.querySelector("dialog[open]") && !node.closest("dialog")) continue;
        const a = light(rgba(getComputedStyle(node).color)), b = light(behind(node));
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        looked++;
        if (ratio < 4.5) bad.push([text.data.trim().slice(0, 40), ratio.toFixed(2)]);
    }
    return [looked, bad];"""


def check_everybody(browser: Browser, where: str) -> None:
    """Contrast, names, sizes and ids of what is on the screen."""
    looked, bad = browser.run(CONTRAST)
    assert looked > 5 and not bad, f"{where}: too little contrast: {bad}"
    nameless = []
    for node in browser.cdp("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value")
        if not node.get("ignored") and role in ("button", "textbox", "combobox", "radio", "checkbox", "slider", "spinbutton", "link",
                                                "dialog", "log", "navigation", "group", "article") \
                and not node.get("name", {}).get("value"):
            nameless.append((role, node.get("backendDOMNodeId")))
    assert not nameless, f"{where}: without a name: {nameless}"
    problems = browser.run("""
        const problems = [], ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
        if (new Set(ids).size !== ids.length) problems.push("an id twice");
        for (const node of document.querySelectorAll("[aria-controls], [aria-describedby], [aria-labelledby], label[for]"))
            for (const name of ["aria-controls", "aria-describedby", "aria-labelledby", "for"])
                for (const id of (node.getAttribute(name) ?? "").split(" ")) if (id && !document.getElementById(id)) problems.push(name + " " + id);
        for (const node of document.querySelectorAll("button, select, input:not([type=radio], [type=checkbox], [hidden]), textarea")) {
            const box = node.getBoundingClientRect();
            if (node.checkVisibility({ visibilityProperty: true }) && (box.width < 24 || box.height < 24)) problems.push("small: " + (node.id || node.textContent));
        }
        if (document.documentElement.lang !== "en" || !document.title || document.querySelectorAll("h1").length !== 1 || !document.querySelector("main"))
            problems.push("language, title, heading or landmark");
        if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the screen");
        return problems;""")
    assert not problems, f"{where}: {problems}"


def test_everybody_can_use_it_in_light_dark_and_narrow(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=20)
    for scheme in ("light", "dark"):
        browser.size(1280, 860)
        browser.prefer(scheme)
        for mode in ("story", "chat"):
            browser.run(f"document.querySelector('input[value={mode}]').click()")
            check_everybody(browser, f"{scheme} {mode} empty")
            browser.answer(BEGINNING)
            check_everybody(browser, f"{scheme} {mode}")
            browser.screenshot(f"{scheme}-{mode}")
        browser.find("#open-settings").click()
        check_everybody(browser, f"{scheme} settings")
        browser.screenshot(f"{scheme}-settings")
        browser.click("Done")
        browser.size(360, 740, True)
        browser.until(lambda: not browser.find("#side").is_displayed())
        check_everybody(browser, f"{scheme} narrow")
        browser.screenshot(f"{scheme}-narrow")
        browser.find("#menu").click()
        browser.until(lambda: browser.run("return document.getElementById('side').getAnimations().length === 0"))
        check_everybody(browser, f"{scheme} narrow list")
        browser.screenshot(f"{scheme}-narrow-list")
        browser.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
        assert browser.driver.switch_to.active_element.get_attribute("id") == "menu"
        browser.until(lambda: not browser.find("#side").is_displayed())
    browser.prefer("light", motion="reduce")
    moving = browser.run("return [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).animationName !== 'none'"
                         " || getComputedStyle(node).transitionDuration !== '0s').length")
    assert moving == 0


def test_light_and_dark_follow_the_system_and_the_switch(browser: Browser, server) -> None:
    browser.open(server.url)
    dark = lambda: browser.run("return getComputedStyle(document.body).backgroundColor") != "rgb(246, 245, 241)"  # noqa: E731
    assert not dark()
    browser.prefer("dark")
    browser.until(lambda: dark() and browser.find("#theme").get_attribute("aria-label") == "Switch to light")
    browser.find("#theme").click()
    assert not dark()
    browser.driver.refresh()
    assert not dark()
    browser.find("#open-settings").click()
    browser.run("document.querySelector('input[name=theme][value=system]').click()")
    assert dark()
    browser.click("Done")


def test_the_keyboard_reaches_everything(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=3000)
    browser.network(10000)
    active = lambda: browser.driver.switch_to.active_element  # noqa: E731
    press = lambda *keys: webdriver.ActionChains(browser.driver).send_keys(*keys).perform()  # noqa: E731
    chord = lambda hold, key: webdriver.ActionChains(browser.driver).key_down(hold).send_keys(key).key_up(hold).perform()  # noqa: E731
    for _ in range(30):
        if active().text == "Skip to the prompt":
            break
        chord(Keys.SHIFT, Keys.TAB)
    assert active().text == "Skip to the prompt" and active().location["y"] >= 0
    press(Keys.ENTER)
    assert active().get_attribute("id") == "prompt"
    press(BEGINNING)
    chord(Keys.SHIFT, Keys.ENTER)
    assert active().get_attribute("value") == BEGINNING + "\n" and not browser.writing()
    press(Keys.BACKSPACE, Keys.ENTER)
    browser.until(lambda: browser.writing() and len(browser.text()) > len(BEGINNING))
    press(Keys.ESCAPE)
    browser.until(lambda: not browser.writing())
    # Round the page: every control is met, each shows that it has the focus.
    met = []
    for _ in range(40):
        press(Keys.TAB)
        node = active()
        name = node.get_attribute("id") or node.get_attribute("name") or f"{node.tag_name} {node.text}"
        if name in met:
            break
        met.append(name)
        shown = browser.run("const s = getComputedStyle(arguments[0]), c = arguments[0].closest('label, #composer') ?? arguments[0], "
                            "n = getComputedStyle(arguments[0].nextElementSibling ?? c); return s.outlineStyle !== 'none' || "
                            "getComputedStyle(c).boxShadow !== 'none' || n.outlineStyle !== 'none'", node)
        assert shown or node.tag_name == "body", f"{name} does not show the focus"
    assert {"new", "model", "mode", "theme", "open-settings", "log", "prompt", "send"} <= set(met), met
    # The dialog keeps the focus inside and gives it back.
    browser.find("#open-settings").send_keys(Keys.ENTER)
    for _ in range(20):
        press(Keys.TAB)
        assert browser.run("return document.activeElement === document.body || document.activeElement.closest('dialog') !== null")
    press(Keys.ESCAPE)
    assert active().get_attribute("id") == "open-settings" and not browser.find("#settings").is_displayed()
    chord(Keys.ALT, "n")
    assert browser.all(".welcome") and active().get_attribute("id") == "prompt"


# --- When things go wrong

def test_errors_say_what_to_do(browser: Browser, server) -> None:
    browser.open(server.url)
    browser.set(max_tokens=8)
    advice = browser.run("""
        const shapes = [[400, {error: "no", error_code: "VALIDATION_FAILED", details: {suggestion: "do this"}}, {}],
            [429, {error: {message: "slow down", type: "rate_limit_error", code: "RATE_LIMIT_EXCEEDED"}}, {"Retry-After": "7"}],
            [400, {error: {message: "the prompt has 9000 tokens", code: "PROMPT_TOO_LONG"}}, {}], [502, null, {}], [413, null, {}]];
        return Promise.all(shapes.map(async ([status, body, headers]) => { const failure = await window.bitnetPage.failureOf(
            new Response(body && JSON.stringify(body), {status, headers})); return [failure.message, failure.advice, failure.action]; }));""")
    assert advice[0][:2] == ["no", "do this"] and "7 s" in advice[1][1] and advice[2][2] == "new", advice
    assert "502" in advice[3][0] and advice[4][2] == "new", advice
    # A connection that is refused: the words are not lost, and trying again works.
    browser.network(offline=True)
    browser.answer(BEGINNING)
    assert "cannot be reached" in browser.find(".failure").text
    browser.screenshot("offline")
    check_everybody(browser, "an error")
    browser.network()
    browser.click("Try again")
    browser.until(lambda: not browser.writing() and browser.all(".figures"))
    assert browser.text().startswith(BEGINNING) and not browser.all(".failure")


def test_a_server_with_keys_is_asked_with_the_key(browser: Browser, program: str) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".keys") as keys:
        keys.write("a-long-secret-key-0123456789 alice\n")
        keys.flush()
        with server_fixture.Server(program, "--api-key-file", keys.name) as server:
            browser.open(server.url)
            assert "asks for an API key" in browser.find(".failure").text
            browser.screenshot("key-needed")
            browser.click("Open the settings")
            browser.find("#key").send_keys("wrong")
            browser.click("Done")
            browser.until(lambda: "does not know this API key" in browser.find("#log").text)
            browser.set(key="a-long-secret-key-0123456789", max_tokens=5)
            browser.until(lambda: browser.find("#model").get_attribute("value"))
            assert browser.answer(BEGINNING).startswith(BEGINNING) and browser.all(".figures")
            assert browser.run("return localStorage.getItem('bitnet.key')") is None, "kept without being asked to"
            browser.driver.get("about:blank")


def main() -> None:
    if not shutil.which("chromedriver") or not (shutil.which("chromium") or shutil.which("google-chrome")):
        print("SKIPPED: no chromium and chromedriver here (apt-get install chromium chromium-driver)", file=sys.stderr)
        sys.exit(77)
    program = sys.argv[1]
    browser = Browser()
    try:
        with server_fixture.Server(program) as server:
            for name, function in list(globals().items()):
                if name.startswith("test_") and (len(sys.argv) < 3 or sys.argv[2] in name):
                    began = time.monotonic()
                    function(browser, program if "program" in function.__annotations__ else server)
                    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
            browser.driver.get("about:blank")
    finally:
        browser.close()


if __name__ == "__main__":
    main()
