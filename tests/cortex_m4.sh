#!/bin/sh
# Runs the exported Japanese-vowels model, float32 and int8, and one that learns, under emulators: on a Cortex-M4, where
# it also says what memory they take, on armv7 and on aarch64 Linux, by clang too if that is there. Without compilers or
# qemu, and with nobody to install them, it says so and succeeds.
#
#   tests/cortex_m4.sh [a Python that has pylstm]
set -eu
python=${1:-python3}
cd "$(dirname "$0")/.."
tools="arm-none-eabi-gcc qemu-system-arm arm-linux-gnueabihf-gcc qemu-arm aarch64-linux-gnu-gcc qemu-aarch64"

missing() {
    for tool in $tools; do
        command -v "$tool" >/dev/null || echo "$tool"
    done
}

if [ -n "$(missing)" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get install -y -o DPkg::Lock::Timeout=600 --no-install-recommends gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm qemu-user \
        gcc-arm-linux-gnueabihf libc6-dev-armhf-cross gcc-aarch64-linux-gnu libc6-dev-arm64-cross >/dev/null || true
fi
if [ -n "$(missing)" ]; then
    echo "devices: skipped, for want of" $(missing)
    exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -W ignore tests/export_vowels.py "$work"
"$python" -W ignore tests/export_learning.py "$work"

# $1: the model; $2: the program; then a compiler and its flags
build() {
    model=$1
    program=$2
    compiler=$3
    shift 3
    "$compiler" -std=gnu99 -O2 -Wall -Wextra -Werror "$@" -c "$work/$model.c" -o "$work/model.o"
    "$compiler" -std=gnu99 -O2 -Wall -Wextra -Werror "$@" -DMODEL_FILE="\"$work/$model.c\"" \
        -DCASES_FILE="\"$work/${model}_cases.h\"" "tests/c/$program.c" "$work/model.o" -o "$work/program"
}

for pair in float32:exported_vowels int8:exported_vowels learn_all:exported_learning learn_head:exported_learning; do
    model=${pair%:*}
    program=${pair#*:}
    build "$model" "$program" arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard \
        -DCORTEX_M4 --specs=rdimon.specs -nostartfiles -T tests/c/cortex_m4.ld
    flash=$(arm-none-eabi-size "$work/model.o" | awk 'NR == 2 { print $1 }')
    printf 'cortex-m4 %s: flash %s bytes, ' "$model" "$flash"
    qemu-system-arm -M mps2-an386 -nographic -semihosting -kernel "$work/program" </dev/null | tee "$work/said"
    grep -q 'stack' "$work/said" && ! grep -q FAILED "$work/said"
    for machine in arm-linux-gnueabihf:qemu-arm aarch64-linux-gnu:qemu-aarch64; do
        build "$model" "$program" "${machine%:*}-gcc" -static
        printf '%s %s: ' "${machine%:*}" "$model"
        "${machine#*:}" "$work/program"
    done
    if command -v clang >/dev/null; then # which unrolls less for -Os
        build "$model" "$program" clang --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -static -Os
        printf 'aarch64-linux-gnu, clang -Os, %s: ' "$model"
        qemu-aarch64 "$work/program"
    fi
done
"$python" tests/cortex_m4.py
