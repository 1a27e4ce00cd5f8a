#!/usr/bin/env bash
# The long forms of the sanitizers, each by its name, in a scratch folder:
#
#   tests/sanitize.sh threads        the C tests that start threads, under ThreadSanitizer
#   tests/sanitize.sh memory         the C tests under valgrind: reads of what was never written, leaks
#   tests/sanitize.sh python [ARGS]  the bindings and the Python suite (or the tests that ARGS name) under the address and
#                                    undefined-behaviour sanitizers, with their runtime preloaded
#
# `make -C src_c sanitize`, which CI runs, is the C suite under these two.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

tests_in() { make --silent -C src_c BUILD="$scratch" "CFLAGS=$1" "${@:2}"; }

form=${1-}
shift || true
case $form in
threads)
    for test in bits passes refusals; do
        tests_in "-O1 -g1 -fsanitize=thread" "$scratch/test_$test"
        TSAN_OPTIONS=halt_on_error=1 "$scratch/test_$test"
    done
    ;;
memory)
    # Valgrind knows no AVX-512; the scalar kernels read the same memory.
    tests_in "-O1 -g1" "$scratch"/test_{layout,blob,refusals}
    for test in layout blob refusals; do
        valgrind --quiet --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$scratch/test_$test"
    done
    ;;
python)
    # With the option that GCC contracts to FMA by, which -O1 has not: tests compare bits.
    flags="-O1 -fexpensive-optimizations -g1 -fPIC -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
    tests_in "$flags" "$scratch/libpylstm.a"
    cp -r pylstm src_c README.md "$scratch"
    rm -f "$scratch"/pylstm/_net/*.so
    python setup.py -q egg_info --egg-base "$scratch"
    (
        cd "$scratch"
        python -m cython pylstm/_net/core.pyx
        # What Cython writes calls functions through other types than their own, which this sanitizer counts as no error.
        include=$(python -c 'import numpy, sysconfig; print("-I" + sysconfig.get_path("include"), "-I" + numpy.get_include())')
        # shellcheck disable=SC2086
        gcc ${flags/,undefined/} -w -shared -Isrc_c $include \
            pylstm/_net/core.c libpylstm.a -fsanitize=undefined -lm -lpthread \
            -o "pylstm/_net/core$(python -c 'import sysconfig; print(sysconfig.get_config_var("EXT_SUFFIX"))')"
    )
    # Python itself and NumPy leave memory to the end of the process. Left out is what preloads an allocator of its own, and
    # what compiles C that is tested elsewhere, as the compiler would run under the sanitizers too, and what measures memory.
    cd "$scratch"
    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" PYTHONMALLOC=malloc \
        ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 PYTHONPATH=$scratch \
        python -m pytest -q -p no:cacheprovider --capture=sys -k "not test_no_memory_is_lost" \
        "--ignore=$root/tests/net/test_allocation.py" "--ignore=$root/tests/devices/test_blob.py" "--ignore-glob=$root/tests/devices/test_export*" \
        "${@:-$root/tests}"
    ;;
*)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
