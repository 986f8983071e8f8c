#!/bin/sh
# list-classes.sh TREE DIRECTORY: writes PROGRAM.classes to DIRECTORY: what each program loads at work, of which
# archive-classes.sh makes its archives. Runs the programs of TREE for that, with the Java that they find.
tree=$1
lists=$2
work=$(mktemp -d /tmp/sendfiled-classes.XXXXXX) || exit 1
pid=
trap 'kill $pid 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/ready" || exit 1
echo content >"$work/file"
echo 'max-transfers = 1000 # a file as most have one, for the classes that read it' >"$work/conf"

SENDFILED_JAVA_OPTS="-XX:DumpLoadedClassList=$work/sendfiled" "$tree/bin/sendfiled" --config "$work/conf" \
    --sync --allow-root --socket-dir "$work" --root "$work" 3>"$work/ready" &
pid=$!
[ "$(od -An -tx4 "$work/ready")" = " 00000000" ] || exit 1
SENDFILED_JAVA_OPTS="-XX:DumpLoadedClassList=$work/sfd" "$tree/bin/sfd" read file --socket-dir "$work" >"$work/out" &&
    cmp "$work/file" "$work/out" || exit 1
for command in "ping -t 20s" counters top; do # what has to answer at once
    # shellcheck disable=SC2086
    SENDFILED_JAVA_OPTS="-XX:DumpLoadedClassList=$work/sfd.one" "$tree/bin/sfd" $command --socket-dir "$work" || exit 1
    cat "$work/sfd.one" >>"$work/sfd"
done
kill $pid && wait $pid || exit 1
pid=

# Names of classes, and what of lambdas can be archived; every Java from 17 on understands these, and no order is needed.
for program in sendfiled sfd; do
    sed -n 's/ id: .*//; /^[A-Za-z]/p; /^@lambda-/p' "$work/$program" | LC_ALL=C sort -u >"$lists/$program.classes" || exit 1
done
