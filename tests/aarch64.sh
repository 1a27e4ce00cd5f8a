#!/bin/sh
# Builds the C library and its unit tests for aarch64 and runs them under qemu: how the NEON kernels are tested on
# other machines. Without the compiler or qemu, and with nobody to install them, it says so and succeeds.
#
#   tests/aarch64.sh [options of make]
set -eu
compiler=aarch64-linux-gnu-gcc
emulator=qemu-aarch64
cd "$(dirname "$0")/.."

complete() {
    command -v "$compiler" >/dev/null && command -v "$emulator" >/dev/null &&
        [ -e "$("$compiler" -print-file-name=libc.a)" ]
}

if complete; then
    echo "aarch64: $compiler and $emulator are installed"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null &&
    apt-get install -y -o DPkg::Lock::Timeout=600 gcc-aarch64-linux-gnu qemu-user libc6-dev-arm64-cross >/dev/null && complete; then
    echo "aarch64: installed $compiler and $emulator"
else
    echo "aarch64: skipped, for want of $compiler or $emulator"
    exit 0
fi

# Static, so that qemu needs no libraries of the other machine. The library as it is released; the tests with -O2, as
# GCC 12 for aarch64 breaks down over test_passes.c with -O3 (internal error in vect_transform_reduction); of NEON, as
# every machine runs the scalars.
cross_make() {
    make -C src_c CC="$compiler -static" CXX="aarch64-linux-gnu-g++ -static" AR=aarch64-linux-gnu-ar RUNNER="$emulator" \
        BUILD="${BUILD:-build/aarch64}" "$@"
}
cross_make "$@"
cross_make "$@" test "CFLAGS=-O2 -DONLY_ISA=PYLSTM_ISA_NEON"
