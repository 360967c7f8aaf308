"""Help pages keep examples whole and fill prose."""

from harness.report.drawing import Look, draw
from harness.report.page import page

PAGE = """# stall: fault

Stops ``bytes`` and
goes on later.

- for: a duration

```yaml
faults:
  - {fault: stall, and: a, very: long, line: that, is: wider, than: the, terminal: allows}
```
"""


def shown(width=60):
    return draw(page(PAGE), Look(width=width)).splitlines()


def test_the_title_stands_at_the_left():
    assert shown()[1] == "stall: fault"


def test_prose_is_filled_and_its_marks_are_gone():
    assert "Stops bytes and goes on later." in shown()


def test_example_lines_are_never_broken():
    assert any(line.endswith("terminal: allows}") for line in shown())
    assert not any("```" in line or "yaml" in line for line in shown())
