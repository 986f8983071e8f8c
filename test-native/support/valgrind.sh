#!/bin/sh
# Runs a program under Valgrind: fails for errors and leaks of memory, and for descriptors that it leaves open.
#
#   valgrind.sh VALGRIND PROGRAM [ARGUMENTS]
#
# Valgrind before 3.21 only lists those descriptors: what it has listed and has not inherited is read from its log.
set -u
valgrind=$1
shift
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT

# Of a child that was forked nothing is said: it ends with what it has of its parent's.
# A table that is full cannot be had: Valgrind keeps descriptors of its own for itself. Nor can openat2(2), before 3.23.
GTEST_FILTER=${GTEST_FILTER--*TableThatIsFull*:*WhenDescriptorsRunOut*:*NoRoomForTheRest*:*NoDescriptorLeft*} "$valgrind" -q --track-fds=yes --leak-check=full \
    --child-silent-after-fork=yes --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=9 --log-file="$log" "$@"
status=$?
open=$(awk '/Open (file descriptor|AF_|socket)/ { what = $0; getline; if ($0 !~ /inherited from parent/) print what }' "$log")
if [ $status -ne 0 ] || [ -n "$open" ]; then
    cat "$log" >&2
    [ -z "$open" ] || printf 'left open:\n%s\n' "$open" >&2
    [ $status -ne 0 ] || status=1
fi
exit $status
