"""Check that the products' inner loops keep their sums in registers: python tests/inner_loops.py FILE

FILE is an object, a library or the extension of x86-64. Which register GCC gives to what hangs on flags and on the code
around a loop (Python's -fwrapv was enough), and a loop that spills takes up to twice as long: no other test sees that.
"""

import re
import subprocess
import sys

FEWEST_PRODUCTS = 8
#: A loop's own counter may lie there, or one operand.
MOST_ON_STACK = 1


def loops(lines):
    """Yield the instructions from each target of a jump back to the jump."""
    found = [re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line) for line in lines]
    code = [(int(match[1], 16), match[2]) for match in found if match]
    at = {address: k for k, (address, _) in enumerate(code)}
    for k, (address, instruction) in enumerate(code):
        jump = re.match(r"j\w+\s+([0-9a-f]+)", instruction)
        first = at.get(int(jump[1], 16)) if jump else None
        if first is not None and code[first][0] <= address:
            yield [instruction for _, instruction in code[first : k + 1]]


def main():
    dump = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True
    )
    n_products = n_spilling = 0
    for body in loops(dump.stdout.splitlines()):
        products = sum(bool(re.match(r"vfmadd\w+p[sd].*%[yz]mm", instruction)) for instruction in body)
        if products < FEWEST_PRODUCTS or products < 0.4 * len(body):
            continue
        n_products += 1
        if sum(bool(re.search(r"\(%r[sb]p", instruction)) for instruction in body) > MOST_ON_STACK:
            n_spilling += 1
            print("a loop that keeps sums on the stack:", *body, sep="\n    ")
    print(f"{n_products} inner loops of products, {n_spilling} of them spilling")
    sys.exit(n_spilling > 0 or n_products == 0)


if __name__ == "__main__":
    main()
