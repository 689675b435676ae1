"""The sandbox's pages in a real browser: find a ticket, read it, answer it with the mouse and the keyboard."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from browser import CHROMIUM, Browser

from connector.testing.simulators.zendesk import ZendeskSandbox

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here (on Debian: apt install chromium)")

AUTH = ("admin@example.com/token", "sandbox")
SHOTS = os.environ.get("CONNECTOR_SCREENSHOTS", "")
"""A folder to leave pictures in, to be looked at."""


@pytest.fixture
def sandbox() -> Iterator[ZendeskSandbox]:
    """An account with a long and a short ticket."""
    with ZendeskSandbox(rate_limit=None) as made:
        url = made.start()
        for subject, text in (
            ("Where is my order?", "<p>It should have been here <b>on Monday</b>.</p>"),
            ("A_very_long_word_" * 12, "<p>" + "and_no_space_to_break_at_" * 20 + "</p>"),
        ):
            requester = {"name": "Anna Author", "email": "anna@example.com"}
            comment = {"html_body": text}
            ticket = {"subject": subject, "comment": comment, "requester": requester, "tags": ["tone_negative"]}
            ticket["priority"] = "high"
            answer = requests.post(f"{url}/api/v2/tickets", json={"ticket": ticket}, auth=AUTH, timeout=10)
            assert answer.status_code == 201, answer.text
        yield made


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    """A fresh one."""
    with Browser(tmp_path / "profile") as made:
        yield made
        assert made.problems == []


def _picture(browser: Browser, name: str) -> None:
    if SHOTS:
        browser.shoot(Path(SHOTS) / f"{name}.png")


def test_an_agent_answers_with_real_clicks(sandbox: ZendeskSandbox, browser: Browser) -> None:
    browser.open(sandbox.address + "/")
    _picture(browser, "list")
    browser.click("a", "Where is my order?")
    browser.wait("document.querySelector('h1')?.textContent.includes('Where is my order?')")
    _picture(browser, "ticket")
    browser.click("textarea")
    browser.type("It left today.\n\nSorry! 🙂")
    browser.run("document.querySelector('select').value = 'pending'")
    browser.click("button", "Submit")
    browser.wait("document.querySelectorAll('article').length === 2")
    _picture(browser, "answered")
    answer = sandbox.comments(1)[-1]
    assert answer["public"] is True
    assert answer["plain_body"].split() == ["It", "left", "today.", "Sorry!", "🙂"]
    assert sandbox.ticket(1)["status"] == "pending"


def test_a_note_is_chosen_with_a_click_and_looks_different(sandbox: ZendeskSandbox, browser: Browser) -> None:
    browser.open(sandbox.address + "/agent/tickets/1")
    browser.click("label", "Internal note")
    browser.click("textarea")
    browser.type("between us")
    browser.click("button", "Submit")
    browser.wait("!!document.querySelector('article.private')")
    _picture(browser, "note")
    assert sandbox.comments(1)[-1]["public"] is False


def test_a_refusal_keeps_what_was_written(sandbox: ZendeskSandbox, browser: Browser) -> None:
    browser.open(sandbox.address + "/agent/tickets/1")
    browser.click("textarea")
    browser.type("too late")
    sandbox.close(1)
    browser.click("button", "Submit")
    browser.wait("!!document.querySelector('[role=alert]')")
    _picture(browser, "refused")
    assert "too late" in browser.run("document.body.textContent")
    browser.problems.clear()  # the 422 itself


@pytest.mark.parametrize("path", ["/", "/agent/tickets/1", "/agent/tickets/2", "/agent/tickets/99"])
def test_on_a_telephone_nothing_is_wider_than_the_screen(
    sandbox: ZendeskSandbox, browser: Browser, path: str
) -> None:
    browser.resize(360, 740)
    browser.open(sandbox.address + path)
    _picture(browser, f"phone{path.replace('/', '-')}")
    assert browser.run("document.documentElement.scrollWidth") <= 360
    if path.endswith("99"):
        browser.problems.clear()  # the 404 itself


_CONTRAST = """(() => {
  const light = c => { const [r, g, b] = c.map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b; };
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const behind = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || e.closest("select")) continue;
    const [a, b] = [light(numbers(getComputedStyle(e).color).slice(0, 3)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + .05) / (b + .05);
    if (ratio < 4.5) poor.push(e.tagName + " " + e.className + " " + ratio.toFixed(2));
  }
  return JSON.stringify(poor); })()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(sandbox: ZendeskSandbox, browser: Browser, scheme: str) -> None:
    sandbox.agent_reply(1, "a public answer")
    sandbox.agent_reply(1, "a note", public=False)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser._ask("Emulation.setEmulatedMedia", features=features)
    for path in ("/", "/agent/tickets/1"):
        browser.open(sandbox.address + path)
        _picture(browser, f"{scheme}{path.replace('/', '-')}")
        assert browser.run(_CONTRAST) == "[]"
