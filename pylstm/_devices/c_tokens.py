"""What the C file of a model that reads tokens has more: their texts, and of a language model what writes."""

from .c_net import Net

#: What declarations with tokens need.
INCLUDES = "#include <stddef.h>\n#include <stdint.h>\n\n"
#: Of all that read tokens.
NO_TOKEN = (
    "Where a token is none, {n} or more, all of y is NaN, and the state stays as it was: the next step goes on from it."
)
#: Of those that know the tokens' texts.
TEXTS = "Texts are UTF-8. A token is looked up as Python's encoder leaves it, split off, in lower case if it reads so."
#: Of a language model.
WRITES = (
    "A text begins with {name}_end, and may go on with a prompt: a step of each token, with NULL for y, which spares "
    "the output layer. Then {name}_sample takes a step with the last of them, and draws the next. Its sampler says "
    "how: outputs are divided by temperature before the softmax, and 0 takes the most probable token; top_k draws from "
    "so many of the most probable ones, 0 from all; top_p from the fewest that are so probable together, 0 or 1 "
    "from all; each draw changes seed. The rest is scratch. With the seed that generate is given as random_state, it "
    "is the text that generate writes, unless rounding tips a draw. {ends} Where a token is none, it returns "
    "{name}_end, and the state stays."
)
ENDS = {
    True: "Where it draws {name}_end, the text ends.",
    False: "The end of a text was not learnt, and is never drawn.",
}


def files(net: Net) -> list[str]:
    """Return the files of src_c that others do not need."""
    needed = {
        "exported/vocabulary.h": net.tokens is not None and net.tokens.vocabulary is not None,
        "kernels/sample.h": net.writes_tokens,
    }
    return [file for file, is_needed in needed.items() if is_needed]


def calls_of(name: str, net: Net, of: str = "state") -> list[tuple[str, str]]:
    """Return how the functions are called that others do not have, and what they do.

    Here and below `of` is what changes, as its type ends: a state, or a model that learns.
    """
    calls = []
    if net.writes_tokens:
        calls += [
            (f"static {name}_sampler sampler;", "how tokens are drawn: temperature, top_k, top_p, seed"),
            (f"token = {name}_sample(&{of}, token, &sampler);", "reads a token, draws the next one"),
        ]
    if net.tokens is not None and net.tokens.vocabulary is not None:
        calls += [
            (f"token = {name}_token(text, n_bytes);", "the token with this text; 0 if there is none"),
            (f"text = {name}_text(token, &n_bytes);", "its text, which a 0 ends, and its size; &n_bytes may be NULL"),
        ]
    return calls


def notes_of(name: str, net: Net) -> list[str]:
    """Return what is said of tokens."""
    assert net.tokens is not None
    notes = [NO_TOKEN.format(n=net.tokens.n)]
    if net.tokens.drawn is not None:
        ends = ENDS[net.tokens.n - 1 in net.tokens.drawn].format(name=name)
        notes.append(WRITES.format(name=name, ends=ends))
    return notes if net.tokens.vocabulary is None else [*notes, TEXTS]


def sampler_line(name: str, net: Net, of: str = "state") -> list[tuple[str, int, str]]:
    """Return what a comment says of a sampler's size, where a number of 64 bits stands at a multiple of 8."""
    if not net.writes_tokens:
        return []
    n_numbers = sum(size for _, size in _scratch(net, of))
    return [("sampler", -(-(8 + 3 * 4 + 4 * n_numbers) // 8) * 8, f"{name}_sampler, where text is written")]


def sampler_type(name: str, net: Net, of: str = "state") -> str:
    """Return the definition of the struct that a language model draws by."""
    scratch = "".join(f"    {member}[{size}];\n" for member, size in _scratch(net, of))
    return f"""\
typedef struct {name}_sampler {{
    uint64_t seed;
    float temperature;
    uint32_t top_k;
    float top_p;
{scratch}}} {name}_sampler;
"""


def _scratch(net: Net, of: str) -> list[tuple[str, int]]:
    """Return the arrays of a sampler; a model that learns has room for outputs itself."""
    assert net.tokens is not None
    arrays = [("float outputs", net.tokens.n), ("uint32_t order", net.tokens.n)]
    return arrays if of == "state" else arrays[1:]


def prototypes(name: str, net: Net, of: str = "state") -> list[str]:
    """Return the declarations of the functions that others do not have."""
    found = []
    if net.writes_tokens:
        found.append(f"{_sample_prototype(name, of)};")
    if net.tokens is not None and net.tokens.vocabulary is not None:
        found += [
            f"uint32_t {name}_token(const char *text, size_t n_bytes);",
            f"const char *{name}_text(uint32_t token, size_t *n_bytes);",
        ]
    return found


def _sample_prototype(name: str, of: str) -> str:
    return f"uint32_t {name}_sample({name}_{of} *{of}, uint32_t token, {name}_sampler *sampler)"


def types(net: Net) -> str:
    """Return what the files of src_c read of a vocabulary."""
    known = net.tokens and net.tokens.vocabulary
    return f"typedef {known.place} place;\n" if known else ""


def input_calls(net: Net) -> tuple[list[str], str, str]:
    """Return the statements that look up a token, and the first layer's x and token after them."""
    assert net.tokens is not None
    table = net.tokens.table
    if table is None:
        return ["const ptrdiff_t row = (ptrdiff_t)token;"], "NULL", "&row"
    row = f"table + (ptrdiff_t)token * {net.input_size}"
    if table.scale is None:
        return [], row, "NULL"
    return [f"read_row({net.input_size}, {row}, table_scale[token], state->input);"], "state->input", "NULL"


def unless_asked(net: Net) -> list[str]:
    """Return the statements that end a step of which no outputs are wanted, as a language model's may be."""
    return ["if (!y)", "    return;"] if net.writes_tokens else []


def writing_functions(name: str, net: Net, layers: list[str], dense: str, predict: str) -> str:
    """Return the functions of a language model, of the statements that run its layers, its dense layer and softmax."""
    assert net.tokens is not None
    n = net.tokens.n
    run = "\n".join(f"    {statement}" for statement in layers)
    read = [f"if (token >= {n})", f"    return {name}_end;", "run_net(state, token, sampler->outputs);"]
    return f"""\
static void run_net({name}_state *state, uint32_t token, float *y)
{{
{run}
    if (y)
        {dense}
}}

void {name}_step({name}_state *state, uint32_t token, float *y)
{{
    if (token < {n}) {{
        run_net(state, token, y);
        if (y)
            {predict}
    }} else if (y)
        no_numbers({n}, y);
}}

{sample_function(name, net, read, "sampler->outputs")}"""


def sample_function(name: str, net: Net, read: list[str], outputs: str, of: str = "state") -> str:
    """Return the function that draws, of the statements that read a token, and of where the outputs are then."""
    assert net.tokens is not None
    assert net.tokens.drawn is not None
    n, first, n_drawn = net.tokens.n, net.tokens.drawn.start, len(net.tokens.drawn)
    run = "\n".join(f"    {statement}" for statement in read)
    of_first = f" + {first}" if first else ""
    return f"""\
{_sample_prototype(name, of)}
{{
{run}
    const ptrdiff_t top_k = sampler->top_k < {n} ? (ptrdiff_t)sampler->top_k : {n};
    const struct sampling how = {{sampler->temperature, top_k, sampler->top_p > 0 ? sampler->top_p : 1}};
    return (uint32_t)draw({n_drawn}, {outputs}{of_first}, how, &sampler->seed, sampler->order){of_first};
}}
"""


def text_functions(name: str, net: Net) -> str:
    """Return the functions between tokens and their texts."""
    known = net.tokens and net.tokens.vocabulary
    if not known:
        return ""
    return f"""
static const struct vocabulary vocabulary_of = {{token_bytes, token_starts, tokens_sorted, {len(known.sorted)}}};

uint32_t {name}_token(const char *text, size_t n_bytes)
{{
    return find_token(&vocabulary_of, text, n_bytes);
}}

const char *{name}_text(uint32_t token, size_t *n_bytes)
{{
    if (token >= {len(known.texts)})
        token = 0;
    if (n_bytes)
        *n_bytes = text_size(&vocabulary_of, token);
    return (const char *)token_bytes + token_starts[token];
}}
"""
