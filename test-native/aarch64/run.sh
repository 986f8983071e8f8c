#!/bin/sh
# Builds everything native for aarch64 by Debian's cross compiler, and runs what qemu-user can run of the native tests.
#
#   run.sh SOURCE BUILD JAVA_HOME BUILD_JOBS TEST_JOBS
#
# A machine that lacks a tool for it is told so, and that is no failure: ./dev test --all installs them on Debian and Ubuntu.
# At the end it names what was not run.
set -eu
source=$1 build=$2 java_home=$3

leave_out() {
    echo "[WARNING] aarch64: the cross build and its tests are left out: $1"
    exit 0
}

[ "$(uname -m)" = x86_64 ] || leave_out "this machine is $(uname -m)"
for tool in aarch64-linux-gnu-gcc aarch64-linux-gnu-g++; do
    command -v $tool >/dev/null || leave_out "$tool is not here (Debian, Ubuntu: g++-aarch64-linux-gnu)"
done
command -v qemu-aarch64-static >/dev/null || command -v qemu-aarch64 >/dev/null ||
    leave_out "qemu-aarch64 is not here (Debian, Ubuntu: qemu-user-static)"
[ -e /usr/src/googletest/googletest/CMakeLists.txt ] ||
    leave_out "/usr/src/googletest is not here (Debian, Ubuntu: googletest)"

cmake -S "$source" -B "$build" -G Ninja --toolchain "$source/packaging/aarch64/toolchain.cmake" \
    -DSENDFILED_JAVA_HOME="$java_home" -DSENDFILED_SKIP_TESTS=OFF
cmake --build "$build" --parallel "$4"
glibc=$(aarch64-linux-gnu-objdump -T "$build/jni/linux-aarch64/libsendfiled-jni.so" |
    sed -n 's/.*GLIBC_2\.\([0-9]*\).*/\1/p' | sort -n | tail -n 1)
[ "$glibc" -le 28 ] || { # what the README promises of the jar, and JarIT of this machine's library
    echo "aarch64: libsendfiled-jni.so needs glibc 2.$glibc, and shall run on 2.28" >&2
    exit 1
}
ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$5"
echo 'Not run for aarch64:'
sed -n 's/^[^#]/    &/p' "$source/test-native/aarch64/not-emulated.txt"
