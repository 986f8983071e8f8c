#!/bin/sh
# Makes packages of what is built: build.sh [--arch aarch64] DIRECTORY DEB|RPM... The same packages for the same commit: their files have the
# time that the entries of the jars have (pom.xml). ./dev package calls it, and so does the test of packages.
set -eu
source=$(dirname "$(readlink -f -- "$0")")/../..
cmake=$source/target/cmake
case "${1-} ${2-}" in "--arch aarch64")
    "$source/packaging/aarch64/build.sh"
    cmake=$source/target/cmake-aarch64
    export DEB_HOST_ARCH=arm64 # for dpkg-gensymbols and dpkg-shlibdeps
    shift 2
    ;;
esac
[ $# -ge 2 ] || {
    echo "usage: ${0##*/} [--arch aarch64] DIRECTORY DEB|RPM..." >&2
    exit 2
}
[ -e "$cmake/CPackConfig.cmake" ] || {
    echo "${0##*/}: nothing is built yet: ./dev build" >&2
    exit 1
}
mkdir -p "$1"
directory=$(cd "$1" && pwd)
shift
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/.*<project.build.outputTimestamp>\(.*\)<.*/\1/p' "$source/pom.xml")" +%s)
export SOURCE_DATE_EPOCH
umask 022
trap 'rm -rf "$directory/_CPack_Packages"' EXIT
for format; do
    (cd "$cmake" && cpack -G "$format" -B "$directory")
done
