#!/bin/sh
# Makes a clean Debian system for packages.sh, with what a user's system has that installs the packages and compiles a
# program: clean-root.sh DIRECTORY. Some minutes, and 900 MB; one that is there already is left as it is.
set -eu
[ $# = 1 ] || {
    echo "usage: ${0##*/} DIRECTORY" >&2
    exit 2
}
[ ! -e "$1" ] || exit 0
. /etc/os-release
rm -rf "$1.new"
debootstrap --variant=minbase --include=default-jre-headless,gcc,libc6-dev,make,pkg-config,rpm "$VERSION_CODENAME" "$1.new" >&2
rm -rf "$1.new"/var/cache/apt/archives/*.deb
mv "$1.new" "$1"
