"""The page in a real browser: what its script does with the address and the details.

Chromium prints the document as it stands once everything has loaded; the page keeps its state in
the address, so that is all the driving it takes.
"""

import html
import os
import shutil
import signal
import subprocess

import pytest
from made import finding, result
from pages import EVIL, Page

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import to_html

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions",
    "--force-prefers-reduced-motion", "--window-size=1280,900", "--dump-dom",
)  # fmt: skip
BOTH = [ClientChoice("reference"), ClientChoice("aiohttp")]
LIMIT_S = 90
PHONE = 360

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

RUNS = [
    result("idle/a"),
    result("idle/b", FAIL),
    result("tls/c", UNKNOWN),
    result("idle/a", FAIL, client="aiohttp"),
    result("idle/b", client="aiohttp", unsupported=("pre_ping",), findings=()),
    result("tls/c", client="aiohttp", setup_error="no port", findings=()),
]


@pytest.fixture
def browse(tmp_path):
    """Opens a text as a page at an address, and returns what the document has become."""

    def opened(text, address=""):
        file = tmp_path / "page.html"
        file.write_text(text, encoding="utf-8")
        own = f"--user-data-dir={tmp_path / 'profile'}"
        process = subprocess.Popen(
            [CHROMIUM, *FLAGS, own, f"{file.as_uri()}{address}"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            out, _ = process.communicate(timeout=LIMIT_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Page(out.decode())

    return opened


def shown_rows(page):
    """The rows that are neither hidden nor in a family that is."""
    hidden = {body["data-family"] for body in page.all("tbody") if "hidden" in body}
    return [
        row["data-scenario"]
        for row in page.all("tr")
        if "data-scenario" in row
        and "hidden" not in row
        and row["data-scenario"].partition("/")[0] not in hidden
    ]


def test_the_address_filters(browse):
    text = to_html(RUNS, BOTH)
    page = browse(text, "#verdict=fail&client=reference")
    assert "hidden" not in page.one("form")
    assert shown_rows(page) == ["idle/b"]
    (pressed,) = page.all("button", **{"aria-pressed": "true"})
    assert pressed["data-state"] == "fail"
    heads = [head for head in page.all("th", scope="col") if head["text"] == "aiohttp"]
    assert "hidden" in heads[0]
    assert page.one("p", id="shown")["text"] == "1 of 3 scenarios, 1 of 6 verdicts shown"


def test_free_text_is_looked_for_in_details_too(browse):
    page = browse(to_html(RUNS, BOTH), "#q=no+port")
    assert shown_rows(page) == ["tls/c"]


def test_a_link_opens_a_cell(browse):
    page = browse(to_html(RUNS, BOTH), "#cell=idle/b|reference")
    sheet = page.one("dialog")
    assert "open" in sheet
    for part in (
        "✗ failed", "idle/b", "reference", "required", "expected", "actual",
        "of 100 unsafe calls 1 ran more than once", "1.2000 s", "harness run idle/b --seed 7",
    ):  # fmt: skip
        assert part in sheet["text"]
    focusable = [b for b in page.all("button") if "data-i" in b and b["tabindex"] == "0"]
    assert len(focusable) == 1


def test_no_text_of_others_becomes_a_script(browse):
    evil = ClientChoice("", command=f"./a|b {EVIL}".replace("\ud800", ""))
    runs = [result(verdict=FAIL, choice=evil, findings=(finding(FAIL, actual=EVIL, check=EVIL),))]
    text = to_html(runs)
    name = Page(text).all("th", scope="col")[-1]["text"]
    page = browse(text, "#cell=idle/fin/race|" + name.replace("%", "%25").replace("&", "%26"))
    assert "open" in page.one("dialog")
    assert "</script><script>alert(1)" in page.one("dialog")["text"]
    assert len(page.all("script")) == 2
    assert not page.all("img")


def test_on_a_phone_nothing_scrolls_sideways(browse):
    path = f"{'folder_' * 8}/client.py:{'Pool' * 9}"
    runs = [*RUNS, result("idle/a", FAIL, client=path)]
    runs += [result(f"idle/{'long_' * 9}{n}", client=f"sqlalchemy_{n}") for n in range(12)]
    frames = "".join(
        f'<iframe id="{number}" style="width:{PHONE}px;height:700px" '
        f'srcdoc="{html.escape(measured(to_html(runs), address))}"></iframe>'
        for number, address in enumerate(("#open=all", "#cell=idle/b|reference"))
    )
    page = browse(f"<!doctype html><body>{frames}</body>")
    for frame in page.all("iframe"):
        # A child that measures itself can tell its parent only by an attribute of the frame.
        assert frame["data-width"] == str(PHONE)
        assert int(frame["data-needs"]) <= PHONE


def measured(text, address):
    """The page at an address, that writes into its frame how wide it is and would like to be."""
    before, policy, after = text.partition('<meta http-equiv="Content-Security-Policy"')
    assert policy
    script = f"""<script>
        location.hash = {address!r};
        addEventListener("load", () => setTimeout(() => {{
            const root = document.documentElement;
            frameElement.dataset.width = innerWidth;
            frameElement.dataset.needs = Math.max(root.scrollWidth, document.body.scrollWidth,
                document.querySelector("dialog").scrollWidth);
        }}));
        </script>"""
    return before + after.partition(">")[2].replace("<title>", script + "<title>", 1)
