# What one types in a checkout; src_c/Makefile builds and tests the C library alone.
#
#   make demo    trains a classifier of spoken vowels
#   make test    the tests but for the long ones (tests/README.md), on all cores; WHICH=long: those
#   make lint    formats, style and types
#   make docs    the pages, in docs/_build
#   make bench   the page of measurements of this machine, one thread
#
# Each makes .venv, or keeps one that is there, and installs pylstm there, again only after a change of what is compiled,
# and what the command needs beside it.
PYTHON ?= python3
VENV ?= .venv
WHICH ?= not long
C_FILES = $(wildcard src_c/*/*.c)
COMPILED = Makefile pyproject.toml setup.py $(wildcard src_c/*.h src_c/*/*.h) $(C_FILES) \
    $(filter-out %.py %.c %.so,$(wildcard pylstm/_net/*.p*))

demo: $(VENV)/has-sklearn
	$(VENV)/bin/python -m pylstm demo

test: $(VENV)/has-test
	$(VENV)/bin/python -m pytest -n auto --dist loadscope -m "$(WHICH)"

docs: $(VENV)/has-docs
	$(VENV)/bin/python -m sphinx -q -W docs docs/_build
	$(VENV)/bin/python tests/check_pages.py docs/_build

bench: $(VENV)/has-bench
	$(VENV)/bin/python bench/report.py

# cython-lint calls pycodestyle by name.
lint: $(VENV)/has-lint
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/clang-format --dry-run -Werror src_c/*.h src_c/*/*.[ch] tests/c/*.[ch] tests/c/*.cpp examples/c/*.[ch]
	PATH="$(abspath $(VENV))/bin:$$PATH" $(VENV)/bin/cython-lint pylstm
	$(VENV)/bin/mypy

# pylstm, as new as what was compiled last; and a file for each extra of pyproject.toml: pip takes its list from the pylstm
# that is there, and compiles nothing. 0 is pip's way to say that Python's own files are compiled when they are imported,
# of each package those that are, not all: half of the time that pip takes. Where Python is told to keep nothing that it
# compiles, pip does it.
PIP = $(if $(PYTHONDONTWRITEBYTECODE),,PIP_NO_COMPILE=0) $(VENV)/bin/pip install --quiet --disable-pip-version-check

$(VENV)/has-pylstm: $(COMPILED)
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing pylstm in $(VENV): compiling $(words $(C_FILES)) files, most of them several times, takes a minute" \
	    "or two ..."
	@$(PIP) --editable .
	@touch $@

$(VENV)/has-%: $(VENV)/has-pylstm
	@echo "Installing what the extra '$*' needs in $(VENV) ..."
	@$(PIP) 'pylstm[$*]'
	@touch $@

.PRECIOUS: $(VENV)/has-pylstm
.PHONY: demo test docs bench lint
