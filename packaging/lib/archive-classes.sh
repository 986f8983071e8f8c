#!/bin/sh
# Makes the archive of classes by which sfd starts faster, in its own directory, which it must be allowed to write to: when
# the tree is built, and after an installation elsewhere or of another Java. It is for the Java that the launchers find,
# and has that one's name. Without it, sfd starts slower, and works as well.
self=$(readlink -f -- "$0") || exit 1
lib=${self%/*}
bin=${lib%/lib/sendfiled}/bin
. "$lib/find-java.sh"
archive=$lib/sfd-$java_build.jsa

work=$(mktemp -d /tmp/sendfiled-archive.XXXXXX) || exit 1
trap 'kill $(cat "$work"/*.lock 2>/dev/null) 2>/dev/null; rm -rf "$work"' EXIT
rm -f "$archive"
echo content >"$work/file"
# One read, as all are: the JVM writes the classes that were loaded for it.
TMPDIR=$work "$bin/sendfiled" --daemon --allow-root --socket-dir "$work" --root "$work" || exit 1
SENDFILED_JAVA_OPTS="-XX:ArchiveClassesAtExit=$work/classes" "$bin/sfd" read file --socket-dir "$work" >"$work/out" &&
    cmp -s "$work/file" "$work/out" && chmod 644 "$work/classes" && mv "$work/classes" "$archive"
