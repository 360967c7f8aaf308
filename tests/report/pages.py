"""Reading a page as a browser would, and checking that its elements nest."""

import json
from html.parser import HTMLParser

VOID = {"meta", "link", "input", "br"}
EVIL = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>'\"&\x1b\u2028\ud800"
"""What must stay a text, wherever it is shown."""


class Page(HTMLParser):
    """The elements of a page, each with its tag, attributes and text; checks that they nest."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.text = text
        self.elements = []
        self.open = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        element = {"tag": tag, "text": "", **dict(attrs)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.elements.append({"tag": tag, "text": "", **dict(attrs)})

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop()["tag"] == tag

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attributes):
        return [
            element
            for element in self.elements
            if element["tag"] == tag and attributes.items() <= element.items()
        ]

    def one(self, tag, **attributes):
        (element,) = self.all(tag, **attributes)
        return element

    @property
    def data(self):
        return json.loads(self.one("script", id="data")["text"])
