"""Print a command of the README: the block of code that follows the line ``<!-- command: NAME -->``."""

import re
import sys
from pathlib import Path

name = sys.argv[1]
text = (Path(__file__).parents[1] / "README.md").read_text()
found = re.search(rf"<!-- command: {re.escape(name)} -->\n```sh\n(.*?)```", text, re.DOTALL)
if found is None:
    sys.exit(f"README.md has no command {name!r}")
print(found[1], end="")
