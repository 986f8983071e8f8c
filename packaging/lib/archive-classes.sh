#!/bin/sh
# Makes the archives of classes by which sendfiled, sfd and sfd serve start faster, in its own directory, which it must be allowed to
# write to: when the tree is built, and after an installation elsewhere or of another Java. They are for the Java that the
# launchers find, and have that one's name. Without them both start slower, and work as well. Runs no daemon.
self=$(readlink -f -- "$0") || exit 1
lib=${self%/*}
. "$lib/find-java.sh"

# An archive is of one list and one class path. It takes its name when it is complete: a program may be starting.
archive() {
    [ -r "$lib/$1.classes" ] || { echo "${self##*/}: $lib/$1.classes is missing: the build makes it" >&2; return 1; }
    new=$lib/.$1.jsa.new
    if "$java" -Xshare:dump -Xmx128m -XX:SharedClassListFile="$lib/$1.classes" -XX:SharedArchiveFile="$new" \
        -cp "$lib/$1.jar" >"$logs/$1" 2>&1 && chmod 644 "$new"; then
        rm -f "$lib/$1"-*.jsa # of a Java that was here before
        mv "$new" "$lib/$1-$java_build.jsa"
    else
        echo "${self##*/}: no archive for $1: $java says:" >&2
        cat "$logs/$1" >&2
        rm -f "$new"
        return 1
    fi
}

logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
archive serve & # takes as long as the others
archive sendfiled && archive sfd
others=$?
wait $! && exit $others
