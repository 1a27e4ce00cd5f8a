"""Check that the products' inner loops keep their sums in registers: python tests/inner_loops.py FILE

FILE is an object, a library or the extension of x86-64. Which register GCC gives to what hangs on flags and on the code
around a loop (Python's -fwrapv was enough), and a loop that spills takes up to twice as long: no other test sees that.
"""

import re
import subprocess
import sys

FEWEST_PRODUCTS = 8
PRODUCT = re.compile(r"vfmadd\w+p[sd].*%[yz]mm")
ON_STACK = re.compile(r"\(%r[sb]p")
#: What a sum that is spilled has in each turn of the loop.
SPILL = re.compile(r"vmov\w+\s+%[yz]mm\d+,[^,]*\(%r[sb]p")


def inner_loops(lines):
    """Yield the instructions from each target of a jump back to the jump, of loops that hold no other."""
    found = [re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line) for line in lines]
    code = [(int(match[1], 16), match[2]) for match in found if match]
    at = {address: k for k, (address, _) in enumerate(code)}
    loops = []
    for end, (_, instruction) in enumerate(code):
        jump = re.match(r"j\w+\s+([0-9a-f]+)", instruction)
        first = at.get(int(jump[1], 16)) if jump else None
        if first is not None and first <= end:
            loops.append((first, end))
    # In the order of their ends: the last one that begins before another within it ends first.
    begins = -1
    for first, end in loops:
        if first > begins:
            yield [instruction for _, instruction in code[first : end + 1]]
            begins = first


def main():
    dump = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", sys.argv[1]], check=True, capture_output=True, text=True
    )
    n_products = n_spilling = 0
    for body in inner_loops(dump.stdout.splitlines()):
        products = sum(bool(PRODUCT.match(instruction)) for instruction in body)
        on_stack = sum(bool(ON_STACK.search(instruction)) for instruction in body)
        # Loops over gates have other operations too; what is spilled does not make one of them.
        if products < max(FEWEST_PRODUCTS, 0.4 * (len(body) - on_stack)) or any("vdiv" in line for line in body):
            continue
        n_products += 1
        if any(SPILL.match(instruction) for instruction in body):
            n_spilling += 1
            print("a loop that keeps sums on the stack:", *body, sep="\n    ")
    print(f"{n_products} inner loops of products, {n_spilling} of them spilling")
    sys.exit(n_spilling > 0 or n_products == 0)


if __name__ == "__main__":
    main()
