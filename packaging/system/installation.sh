#!/bin/sh
# Installs what is built, without a package, and removes it: installation.sh install|uninstall PREFIX, as a user who may write
# there. DESTDIR stands before all names. ./dev install and ./dev uninstall call it.
set -eu
umask 022
source=$(dirname "$(readlink -f -- "$0")")/../..
prefix=$2
root=${DESTDIR-}
private=$prefix/lib/sendfiled
manifest=$root$private/install-manifest

# A configuration that is no more as it came is its administrator's.
is_changed() {
    case $1 in
        */etc/sendfiled/default.conf) ! cmp -s "$root$1" "$source/packaging/conf/default.conf" ;;
        */etc/logrotate.d/sendfiled) ! cmp -s "$root$1" "$source/packaging/conf/logrotate.conf" ;;
        *) false ;;
    esac
}

uninstall() {
    [ -e "$manifest" ] || return 0
    while IFS= read -r file; do
        if [ -e "$root$file" ] && is_changed "$file"; then
            echo "kept as it is: $root$file" >&2
        else
            rm -f "$root$file"
        fi
    done <"$manifest"
    directories=$(sed 's|/[^/]*$||' "$manifest" | sort -u)
    rm -f "$root$private"/*.jsa "$manifest"
    # What is empty now, and ours or a directory of directories: never the prefix itself.
    printf '%s\n' "$directories" | while IFS= read -r directory; do
        while [ "$directory" != "$prefix" ] && [ "$directory" != /etc ] && rmdir "$root$directory" 2>/dev/null; do
            directory=${directory%/*}
        done
    done
}

install() {
    uninstall # of an earlier version: what is no more a part of it goes
    cmake --install "$source/target/cmake" --prefix "$prefix" >/dev/null
    mkdir -p "$root$private"
    # CMake's own list is in the build tree, where the next build, by its owner, wants to write it anew.
    sort "$source/target/cmake/install_manifest.txt" >"$manifest"
    rm "$source/target/cmake/install_manifest.txt"
    [ -z "$root" ] || return 0
    "$private/archive-classes.sh" >/dev/null || echo "sfd will start slower: no archive of its classes could be made" >&2
    case $(id -u),$prefix in
        0,/usr | 0,/usr/local) ldconfig ;;
    esac
}

case $1 in
    install) install ;;
    uninstall) uninstall ;;
    *) exit 2 ;;
esac
