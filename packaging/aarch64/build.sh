#!/bin/sh
# Builds for aarch64, on another machine, what packages hold, in target/cmake-aarch64: after ./dev build, whose jars it takes
# over; the JNI library among them, and in the jar, is the one for aarch64. JAVA_HOME is a JDK, for its headers.
set -eu
: "${JAVA_HOME:?it names a JDK, for its headers}"
source=$(realpath "$(dirname "$(readlink -f -- "$0")")/../..")
build=$source/target/cmake-aarch64
java=$build/java
jar=$(find "$source/target/java" -name 'sendfiled-[0-9]*.jar' 2>/dev/null)
for tool in aarch64-linux-gnu-gcc aarch64-linux-gnu-strip; do
    command -v $tool >/dev/null || {
        echo "${0##*/}: $tool is not here (Debian, Ubuntu: gcc-aarch64-linux-gnu)" >&2
        exit 1
    }
done
[ -n "$jar" ] || {
    echo "${0##*/}: nothing is built yet: ./dev build" >&2
    exit 1
}

mkdir -p "$build"
rm -rf "$java"
cp -r "$source/target/java" "$java"
cmake -S "$source" -B "$build" -G Ninja --toolchain "$source/packaging/aarch64/toolchain.cmake" -DCMAKE_INSTALL_LIBDIR=lib \
    -DSENDFILED_SKIP_TESTS=ON -DSENDFILED_JAVA_HOME="$JAVA_HOME" -DSENDFILED_JAVA_DIRECTORY="$java"
cmake --build "$build" --parallel 2
cp "$build/jni/linux-aarch64/libsendfiled-jni.so" "$java"

# The jar anew, its entries in order and with the time that they have: the same jar for the same commit.
time=$(sed -n 's/.*<project.build.outputTimestamp>\(.*\)<.*/\1/p' "$source/pom.xml")
time=$(date -u -d "$time" '+%Y-%m-%d %H:%M:%S UTC')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(
    cd "$work"
    cmake -E tar xf "$jar"
    rm -r META-INF/native/*
    cp -r "$build/jni/linux-aarch64" META-INF/native
    find META-INF/MANIFEST.MF . -type f ! -name MANIFEST.MF | sed 's,^\./,,' | LC_ALL=C sort >"$work.list"
    { echo META-INF/MANIFEST.MF && cat "$work.list"; } >"$work.files"
    rm "$java/${jar##*/}"
    cmake -E tar cf "$java/${jar##*/}" --format=zip --mtime="$time" --files-from="$work.files"
    rm "$work.list" "$work.files"
)
