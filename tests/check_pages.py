"""Check built pages: they load nothing from elsewhere, and what they load and link to among themselves is there.

Nor is there a definition list that was not understood: ": " at the start of a line.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "src"), ("iframe", "src"), ("video", "src")}


class Page(HTMLParser):
    """What a page loads, and where it links to."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.linked, self.odd = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "srcset":
                self.loaded += [part.split()[0] for part in value.split(",")]
            elif (tag, name) in LOADED:
                self.loaded.append(value)
            elif (tag, name) == ("a", "href"):
                self.linked.append(value)

    def handle_data(self, data):
        self.odd += re.findall(r"\n(: .*)", data)


root = Path(sys.argv[1]).resolve()
wrong = []
for path in sorted(root.rglob("*.html")):
    page = Page(path.read_text())
    wrong += [f"{path.relative_to(root)} loads {url}" for url in page.loaded if urlsplit(url).netloc]
    wrong += [f"{path.relative_to(root)} has a definition that is not rendered, {text!r}" for text in page.odd]
    for url in page.loaded + page.linked:
        parts = urlsplit(url)
        if not (parts.scheme or parts.netloc) and parts.path and not (path.parent / unquote(parts.path)).exists():
            wrong.append(f"{path.relative_to(root)}: there is no {url}")
for path in sorted(root.rglob("*.css")):
    for url in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s;]+)", path.read_text()):
        if urlsplit(url).netloc:
            wrong.append(f"{path.relative_to(root)} loads {url}")
print(*wrong, f"{len(list(root.rglob('*.html')))} pages, {len(wrong)} faults", sep="\n")
sys.exit(bool(wrong))
