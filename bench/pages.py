"""Where a page goes."""

from pathlib import Path


def write(lines, out):
    """Write the lines of a page to a file; "-" prints them."""
    text = "\n".join(lines) + "\n"
    if out == "-":
        print(text)
    else:
        Path(out).write_text(text)
