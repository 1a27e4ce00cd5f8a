"""How Sphinx builds these pages: ``python -m sphinx -W docs docs/_build``.

Nothing is fetched, neither then nor by the pages.
"""

import re
import warnings
from importlib.metadata import version as installed

import matplotlib
from cycler import cycler
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator
from sphinx_gallery.sorting import ExplicitOrder

project = "pylstm"
version = release = installed("pylstm")
copyright = "the pylstm authors"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = [
    "_build",
    "_templates",
    "**/GALLERY_HEADER.md",
    "sg_execution_times.rst",
    "**/sg_execution_times.rst",
]
templates_path = ["_templates"]
default_role = "py:obj"  # what stands in single backticks in docstrings is code, and a link where it is ours

html_theme = "furo"
html_title = f"pylstm {version}"
html_static_path = ["_static"]
html_css_files = ["pylstm.css"]
html_copy_source = False

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # the gallery's settings hold functions, which Sphinx can't keep
copybutton_prompt_text = r">>> |\.\.\. ?"
copybutton_prompt_is_regexp = True

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say more
autodoc_default_options = {"members": True, "inherited-members": True}
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True


def of_pylstm(app, what, name, member, skip, options):
    """Leave out what estimators inherit of scikit-learn but for `score`, and what named tuples inherit of tuples."""
    module = getattr(member, "__module__", None) or ""
    inherited = module.startswith("sklearn") and name != "score"
    of_tuple = (member.__doc__ or "").startswith("Alias for field") or name in dir(tuple)
    return True if inherited or of_tuple else None


def as_plain_text(app, what, name, obj, options, lines):
    """Make scikit-learn's references to its own pages plain text, and names that end in _ in types no references."""
    lines[:] = [re.sub(r":ref:`([^<`]*?) *(<[^>]*>)?`", r"\1", line) for line in lines]
    lines[:] = [re.sub(r"_(?=[,)])", r"\\_", line) if line.startswith(":vartype") else line for line in lines]


def set_look(gallery_conf, fname):
    """Set matplotlib for every example: small figures, legible on a telephone, in Okabe and Ito's colours."""
    matplotlib.rcParams.update(
        {
            "figure.figsize": (5.6, 3.4),
            "figure.dpi": 100,
            "figure.constrained_layout.use": True,
            "font.size": 11,
            "axes.prop_cycle": cycler(color=["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]),
            "axes.spines.top": False,
            "axes.spines.right": False,
        }
    )


EXAMPLES = [
    "what_an_lstm_does.py",
    "speakers.py",
    "but.py",
    "agreement.py",
    "fill_the_gap.py",
    "adding_by_hand.py",
    "sunspots.py",
    "sensor.py",
    "amplifier.py",
]
sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["examples"],
    "filename_pattern": r"\.py$",  # all are run
    "within_subsection_order": ExplicitOrder([*EXAMPLES, "*"]),
    "reset_modules": ("matplotlib", set_look),
    "image_srcset": ["2x"],
    "capture_repr": (),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 10_000,
    "remove_config_comments": True,
}


def without_last_line(app, docname, source):
    """Take away the empty line that doctest wants at the end of a block of examples."""
    source[0] = source[0].replace("\n\n```\n", "\n```\n")


def without_readmes(app, config):
    """Let the gallery know of no other form than reST: a README.md in a folder of examples is none of its headers."""
    config.sphinx_gallery_conf["source_suffix"] = {".rst": "restructuredtext"}


def visit_math(translator: HTML5Translator, node: nodes.math) -> None:
    """Write an equation in MathML, which browsers show by themselves."""
    translator.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def visit_math_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write an equation that stands by itself; a wide one can be scrolled."""
    translator.body.append(f'<div class="equation">{tex2mathml(node.astext(), as_block=True)}</div>\n')
    raise nodes.SkipNode


def setup(app: Sphinx) -> None:
    app.connect("config-inited", without_readmes, priority=900)  # after the gallery has filled in what it found
    app.connect("source-read", without_last_line)
    app.connect("autodoc-skip-member", of_pylstm)
    app.connect("autodoc-process-docstring", as_plain_text)
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))


html_math_renderer = "mathml"
# What an example warns of is an error, but for fits that are cut short on purpose.
warnings.filterwarnings("ignore", message="the loss was still falling")
