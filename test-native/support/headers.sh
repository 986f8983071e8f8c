#!/bin/sh
# Compiles the public headers as those do who use them: each one alone, twice, and all of them in both orders, in every
# language and by every compiler that is here; warnings are errors, and nothing of the system is asked for beyond POSIX.
#
#   headers.sh INCLUDE COMPILER...      INCLUDE has the directory sendfiled; a C++ compiler has ++ in its name
#
# A compiler that is not installed is left out and named; with none at all, or a failure, the exit status is 1.
set -u
include=$1
shift
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failures=0
compiled=0

# unit NAME HEADER...: a translation unit that includes these.
unit() {
    file=$scratch/$1
    shift
    printf '#include <%s>\n' "$@" >"$file"
    # ISO C wants a declaration in every unit.
    echo 'extern int sfd_test_unit;' >>"$file"
}

headers=
reversed=
for path in "$include"/sendfiled/*.h; do
    header=${path##*/}
    unit "alone-$header" "sendfiled/$header" "sendfiled/$header"
    headers="$headers sendfiled/$header"
    reversed="sendfiled/$header $reversed"
done
# shellcheck disable=SC2086
unit all $headers
# shellcheck disable=SC2086
unit reversed $reversed
# What the headers define is used, too: a macro is compiled only where it is expanded.
{
    echo '#include <sendfiled.h>'
    echo '#include <sendfiled/wire.h>'
    echo 'extern struct sfd_buffer sfd_test_buffer; extern size_t sfd_test_sizes[5]; extern uint64_t sfd_test_complete;'
    echo 'struct sfd_buffer sfd_test_buffer = SFD_BUFFER_INIT;'
    echo 'size_t sfd_test_sizes[5] = {SFD_HDR_SIZE, SFD_MAX_RESP_SIZE, SFD_OPTIONS_ALL, SFD_WIRE_MAX_REQUEST_SIZE, SFD_TECHNIQUES};'
    echo 'uint64_t sfd_test_complete = SFD_WIRE_COMPLETE;'
} >"$scratch/macros"

for compiler in "$@"; do
    if ! command -v "$compiler" >/dev/null; then
        echo "$compiler is not here: left out"
        continue
    fi
    case $compiler in
        *++*)
            language=c++
            standards='c++98 c++11 c++17'
            more=
            ;;
        *)
            language=c
            standards='c99 c11'
            more='-Wconversion -Wshadow -Wstrict-prototypes -Wc++-compat'
            ;;
    esac
    for standard in $standards; do
        for source in "$scratch"/*; do
            compiled=$((compiled + 1))
            # A C++ compiler defines _GNU_SOURCE by itself.
            # shellcheck disable=SC2086
            "$compiler" -x $language -std=$standard -U_GNU_SOURCE -I"$include" -Wall -Wextra \
                -Wpedantic -Werror -Wundef -Wpadded $more -fsyntax-only "$source" && continue
            echo "FAILED: $compiler -std=$standard ${source##*/}"
            failures=$((failures + 1))
        done
    done
done
echo "$compiled compiled, $failures failed"
[ $compiled -gt 0 ] && [ $failures -eq 0 ]
