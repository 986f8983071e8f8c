#!/bin/sh
# list-classes.sh TREE DIRECTORY: writes PROGRAM.classes to DIRECTORY: what each program loads at work, of which
# archive-classes.sh makes its archives. Runs the programs of TREE for that, with the Java that they find. The list of sfd serve
# needs curl and openssl, and is not made without.
tree=$1
lists=$2
work=$(mktemp -d /tmp/sendfiled-classes.XXXXXX) || exit 1
pid=
trap 'kill $pid 2>/dev/null; rm -rf "$work"' EXIT
mkfifo "$work/ready" "$work/said" || exit 1
echo content >"$work/file"
echo 'max-transfers = 1000 # a file as most have one, for the classes that read it' >"$work/conf"

# Runs a program of the tree, whose classes are listed when it ends: run LIST PROGRAM ARGUMENT...
run() {
    list=$1
    program=$2
    shift 2
    SENDFILED_JAVA_OPTS="-XX:DumpLoadedClassList=$work/list.$list" exec "$tree/bin/$program" "$@"
}

# Names of classes, and what of lambdas can be archived; every Java from 17 on understands these, and no order is needed. A lambda
# is there as often as a program has used it: each use has a class of its own.
keep() {
    awk 'FNR == 1 { split("", uses) }
        /^[A-Za-z]/ { sub(/ id: .*/, ""); if (!($0 in most)) { most[$0] = 1; print } }
        /^@lambda-/ { if (++uses[$0] > most[$0]) { most[$0] = uses[$0]; print } }' "$work/list.$1".* | LC_ALL=C sort >"$lists/$1.classes"
}

(run sendfiled.all sendfiled --config "$work/conf" --sync --allow-root --socket-dir "$work" --root "$work" 3>"$work/ready") &
pid=$!
[ "$(od -An -tx4 "$work/ready")" = " 00000000" ] || exit 1
(run sfd.read sfd read file --socket-dir "$work") >"$work/out" && cmp "$work/file" "$work/out" || exit 1
for command in "ping -t 20s" counters top; do # what has to answer at once
    # shellcheck disable=SC2086
    (run "sfd.${command%% *}" sfd $command --socket-dir "$work") || exit 1
done
kill $pid && wait $pid || exit 1
pid=
keep sendfiled
keep sfd

# Answers of each kind: whole, in parts, not changed, a directory, none.
serve() {
    list=$1
    shift
    (run "$list" sfd serve "$work/site" --port 0 --list "$@" >"$work/said") &
    pid=$!
    read -r said <"$work/said" || exit 1
    url=${said##* }
    no_proxy='*' curl -sSk "${url}file" "${url}big.txt" "$url" "${url}directory" "${url}absent" \
        --next -sSk -r 10-19 "${url}big.txt" --next -sSk -r 0-9,20-29 "${url}big.txt" \
        --next -sSk -H "Accept-Encoding: gzip, br" "${url}file" --next -sSk -H "If-None-Match: *" "${url}file" >"$work/out" &&
        kill $pid && wait $pid || exit 1
    pid=
}

command -v curl >/dev/null && command -v openssl >/dev/null || exit 0
mkdir -p "$work/site/directory" && cp "$work/file" "$work/site" && head -c 1000000 /dev/zero >"$work/site/big.txt" &&
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
        -keyout "$work/key" -out "$work/cert" 2>"$work/out" || exit 1
serve serve.http --access-log "$work/log"
serve serve.https --cert "$work/cert" --key "$work/key"
keep serve
