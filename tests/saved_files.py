"""Files of saved models, edited as a stranger might."""

import json

from safetensors import safe_open
from safetensors.numpy import save as to_safetensors


def rewrite(path, edit):
    """Edit the JSON object and the arrays of a file."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["pylstm"])
        arrays = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    edit(document, arrays)
    path.write_bytes(to_safetensors(arrays, {"pylstm": json.dumps(document)}))
