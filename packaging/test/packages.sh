#!/bin/sh
# Tries the packages in a clean system: installs them, starts the service's command line, transfers a file with sfd and with
# a C program that is built against the development package, upgrades, removes and purges, and wants nothing left behind.
#
# usage: packages.sh deb|rpm [ROOT]; exit status 77: it cannot be tried here
#   ROOT is a directory with a Debian system (clean-root.sh makes one). Without it, it is this machine's own: what is
#   installed goes into a file system of memory that lies over it, and into no other namespace.
#
# Root runs it, after ./dev build. For rpm, Debian's rpm with a database of its own installs the packages: it knows nothing
# of Debian's packages, so dependencies on what the system has (Java, C library, shell) are named and taken as fulfilled.
set -eu

fail() {
    echo "packages.sh: $*" >&2
    exit 1
}

# What is missing here is nothing that the packages could have broken.
skip() {
    echo "packages.sh: not tried: $*" >&2
    exit 77
}

step() {
    echo "== $*"
}

self=$(readlink -f -- "$0")
format=${1-}
case $format in deb | rpm) ;; *) fail "usage: packages.sh deb|rpm [ROOT]" ;; esac

# Outside: packages, checks of their form, and namespaces of their own for mounts, processes and network.
if [ "${2-}" != --inside ]; then
    lower=${2:-/}
    [ "$(id -u)" = 0 ] || skip "only root can install packages"
    [ -x "$lower/usr/bin/dpkg" ] || skip "$lower is no Debian system"
    chroot "$lower" dpkg -S "$(chroot "$lower" readlink -f /usr/bin/java)" >/dev/null 2>&1 ||
        skip "the Java of $lower is not from a package, and the packages depend on one"
    for tool in dpkg-shlibdeps rpmbuild cc make pkg-config; do
        command -v $tool >/dev/null || skip "$tool is not here"
    done
    unshare --mount --pid --fork --net true 2>/dev/null || skip "namespaces cannot be made here"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    step "build of .$format"
    "${self%/*}/../package/build.sh" "$work" "$(echo "$format" | tr der DER | tr bpm BPM)" >"$work/log" 2>&1 || {
        cat "$work/log"
        exit 1
    }
    rm "$work/log"
    case $format in
        deb) lint='lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs' ;;
        rpm) lint="rpmlint --strict -c ${self%/*}/../package/rpm/rpmlint.toml" ;;
    esac
    if [ "$lower" = / ]; then
        step "no ${lint%% *}: that takes longer than the rest"
    else
        step "${lint%% *}"
        $lint "$work"/*."$format"
    fi
    unshare --mount --pid --fork --kill-child --net --ipc --uts -- "$self" "$format" --inside "$lower" "$work"
    exit
fi

lower=$3
packages=$4
space=$packages/space
root=$space/root

# An overlay, of which a path may hold any byte: the lower one is the working directory.
mount --make-rprivate /
mkdir "$space"
mount -t tmpfs tmpfs "$space"
mkdir "$space/upper" "$space/work" "$root"
mkdir "$space/lower"
mount --bind "$lower" "$space/lower"
(cd "$space" && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root) || skip "no overlay can be mounted here"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
cp "$packages"/*."$format" "$root/tmp"

# Runs a command in the system, with no more of an environment than a package manager's scripts can count on.
in_root() {
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive \
        ${pkgconfig:+"PKG_CONFIG_PATH=$pkgconfig"} "$@"
}

# As a service manager starts it: the user's, without privileges, with a directory below /run.
as_service() {
    in_root setpriv --reuid=sendfiled --regid=sendfiled --init-groups --bounding-set=-all --no-new-privs -- "$@"
}

# How the system differs from what it was: the upper directory of the overlay has whatever was changed, a character device
# for what was removed. Left out is what package managers write for themselves: databases, caches, copies of /etc/passwd.
list_changes() {
    (cd "$space/upper" && find . -mindepth 1 \( -path ./var/lib/dpkg -o -path ./var/lib/rpm -o -path ./root/.rpmdb \
        -o -path ./var/cache -o -path ./var/log -o -path ./etc/ld.so.cache -o -path './etc/*-' \) -prune -o -print) |
        LC_ALL=C sort | while IFS= read -r file; do
        now=$space/upper/$file was=$space/lower/$file
        if [ -c "$now" ]; then
            echo "removed: $file"
        elif [ -L "$now" ]; then
            [ "$(readlink "$now")" = "$(readlink "$was")" ] || echo "link: $file"
        elif [ -d "$now" ]; then
            [ -d "$was" ] || echo "directory: $file"
        else
            cmp -s "$now" "$was" || echo "file: $file"
        fi
        [ -c "$now" ] || [ ! -e "$was" ] || [ "$(stat -c '%a %u %g' "$now")" = "$(stat -c '%a %u %g' "$was")" ] ||
            echo "mode or owner: $file"
    done
}

list_accounts() {
    in_root sh -c 'getent passwd; getent group'
}

# Waits until a command succeeds.
await() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    fail "in vain for 30 s: $*"
}

install() {
    case $format in
        deb) in_root sh -c 'dpkg -i /tmp/*.deb' && [ -z "$(in_root dpkg --audit)" ] ;;
        rpm) in_root sh -c 'rpm -U --replacepkgs --nodeps /tmp/*.rpm' ;;
    esac
}

# What our packages need and neither they nor the system have.
missing_dependencies() {
    in_root sh -c 'rpm -i --test /tmp/*.rpm 2>&1 || :' | sed -n 's/^\t\(.*\) is needed by .*/\1/p' |
        grep -v -e '^libc\.so\.6(.*' -e '^ld-linux-.*' -e '^rtld(GNU_HASH)$' -e '^/bin/sh$' -e '^/usr/bin/pkg-config$' \
            -e '^/usr/sbin/useradd$' -e '^java-headless >= 1:17$' || :
}

remove() {
    case $format in
        deb) in_root dpkg -r sendfiled libsendfiled1 libsendfiled-dev ;;
        rpm) in_root rpm -e sendfiled libsendfiled1 libsendfiled-devel ;;
    esac
}

# The file as sfd reads it, and as a program reads it that was compiled against the development package.
transfer() {
    in_root sfd read hello | cmp - "$root/srv/packages/hello"
    in_root /tmp/examples/read_buffer "$sockets" default hello | cmp - "$root/srv/packages/hello"
    in_root /tmp/read_buffer_static "$sockets" default hello | cmp - "$root/srv/packages/hello"
}

sockets=/run/sendfiled/default
configuration=$root/etc/sendfiled/default.conf
[ ! -e "$root/usr/lib/sendfiled" ] || fail "sendfiled is installed in $lower already"
pkgconfig=
if [ "$format" = rpm ]; then
    # Where rpm is used, 64-bit libraries are in lib64, and the system has these directories.
    pkgconfig=/usr/lib64/pkgconfig
    echo /usr/lib64 >"$root/etc/ld.so.conf.d/lib64.conf"
    mkdir -p "$root/usr/lib64/pkgconfig" "$root/usr/share/licenses" "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d" \
        "$root/usr/share/zsh/site-functions"
    in_root rpm --initdb
    step "dependencies"
    missing=$(missing_dependencies)
    [ -z "$missing" ] || fail "needed, and nobody has it: $missing"
fi
list_changes >"$space/before"
list_accounts >"$space/accounts"

step "install"
install
in_root getent passwd sendfiled
ls "$root"/usr/lib/sendfiled/sendfiled-*.jsa "$root"/usr/lib/sendfiled/sfd-*.jsa
in_root sh -c 'ldconfig -p | grep libsendfiled.so.1'
in_root man -w sendfiled sfd_send 2>/dev/null || ls "$root"/usr/share/man/man8/sendfiled.8.gz "$root"/usr/share/man/man3/sfd_send.3.gz

step "start of the service's command line"
mkdir -p "$root/srv/packages"
seq 100000 >"$root/srv/packages/hello"
printf '\n# changed\nroot = /srv/packages\n' >>"$configuration"
command=$(sed -n 's|%t|/run|g; s/^ExecStart=//p' "$root/usr/lib/systemd/system/sendfiled.service")
in_root install -d -o sendfiled -g sendfiled -m 755 "$sockets"
as_service sh -c "exec $command" >"$space/daemon" 2>&1 &
daemon=$!
trap 'cat "$space/daemon"' EXIT
await in_root sfd stat hello

step "transfer with sfd and with C programs"
in_root sh -c 'cp -R /usr/share/doc/sendfiled/examples /tmp && make -s -C /tmp/examples CFLAGS="-Wall -Werror"'
# shellcheck disable=SC2016
in_root sh -c 'cd /tmp/examples && cc -std=c99 -D_GNU_SOURCE -o /tmp/read_buffer_static read_buffer.c buffer_common.c \
    $(pkg-config --cflags sendfiled) -Wl,-Bstatic $(pkg-config --libs sendfiled) -Wl,-Bdynamic'
transfer

step "upgrade, with a daemon at work"
install
transfer
grep '^# changed' "$configuration"

step "stop"
kill "$(cat "$root$sockets"/*.lock)"
wait "$daemon" || fail "the daemon has ended with status $?"
! grep -e Exception -e Error "$space/daemon" || fail "the daemon has lost something to the upgrade"

step "remove"
remove
[ ! -e "$root/usr/bin/sendfiled" ]
case $format in
    deb) grep '^# changed' "$configuration" ;;
    rpm) grep '^# changed' "$configuration.rpmsave" && rm "$configuration.rpmsave" && rmdir "${configuration%/*}" ;;
esac

step "purge"
[ "$format" = rpm ] || in_root dpkg -P sendfiled libsendfiled1 libsendfiled-dev
rm -r "$root/srv/packages"
if [ "$format" = rpm ]; then
    in_root userdel sendfiled # which stays, as Fedora's guidelines want it
fi
list_accounts >"$space/accounts.after"
diff "$space/accounts" "$space/accounts.after" || fail "the user is left behind"
list_changes >"$space/after"
diff "$space/before" "$space/after" || fail "this is what is left behind"
trap - EXIT
step "nothing is left behind"
