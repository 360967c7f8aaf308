"""The picture: well-formed, inside its frame, readable in light and dark."""

import xml.etree.ElementTree as ET

from made import result

from harness.checks import Verdict
from harness.choice import ClientChoice
from harness.report import to_svg
from harness.report.picture import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
FAIL = Verdict.FAIL


def drawn(*args):
    return ET.fromstring(to_svg(*args))


def texts(root):
    return [element.text for element in root.iter(f"{SVG}text")]


def test_every_client_is_a_row_and_every_family_a_column():
    runs = [
        result("idle/a"),
        result("idle/b", FAIL),
        result("tls/c", client="aiohttp", environment={"harness": "1.0", "aiohttp": "3.12"}),
    ]
    shown = texts(drawn(runs, [ClientChoice("reference"), ClientChoice("aiohttp")]))
    assert shown.index("reference") < shown.index("aiohttp") < shown.index("aiohttp 3.12")
    assert {"idle", "tls", "✗1", "✓", "—", "1/2", "1/1"} <= set(shown)


def test_the_frame_grows_with_the_clients_but_not_in_width():
    few = drawn([result()])
    many = drawn([result(client=f"client_{n}") for n in range(12)])
    assert few.get("width") == many.get("width") == str(WIDTH)
    assert int(few.get("height")) < int(many.get("height"))


def test_everything_stands_inside_the_frame():
    runs = [result(f"family_{n}/x", FAIL, client=f"client_{n % 3}") for n in range(24)]
    root = drawn(runs)
    height = float(root.get("height"))
    for rect in root.iter(f"{SVG}rect"):
        x, y = float(rect.get("x")), float(rect.get("y"))
        assert 0 <= x <= x + float(rect.get("width")) <= WIDTH
        assert 0 <= y <= y + float(rect.get("height")) <= height


def test_it_has_its_own_background_and_follows_the_colour_scheme():
    text = to_svg([result()])
    assert 'class="paper"' in text
    assert "@media (prefers-color-scheme: dark)" in text
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_it_says_what_it_shows_to_those_who_cannot_see_it():
    root = drawn([result()])
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title").text
    assert "1 passed" in root.find(f"{SVG}desc").text


def test_names_are_escaped_and_cut():
    evil = ClientChoice("", command="./x <script>&\"'\x1b" + "y" * 90)
    shown = texts(drawn([result(choice=evil)]))
    assert any(text.startswith("./x <script>&") and text.endswith("…") for text in shown)


def test_a_client_that_was_never_judged_has_no_share():
    assert "—" in texts(drawn([result(setup_error="no library")]))


def test_no_result_at_all_still_makes_a_picture():
    assert drawn([], [ClientChoice("reference")]).tag == f"{SVG}svg"
