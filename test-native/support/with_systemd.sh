#!/bin/sh
# with_systemd.sh DIST SCRIPT PROGRAM: boots systemd as process 1 of namespaces of its own, on an overlay of this machine's
# root in which the tree DIST is installed below /usr and PROGRAM in /, and runs the shell script SCRIPT there. Prints what
# that prints, and ends with its status; 77 where this machine cannot do that. Leaves nothing behind. Root only.
set -u
[ "$(id -u)" = 0 ] || { echo "only root can boot it"; exit 77; }
[ -x /lib/systemd/systemd ] || { echo "there is no systemd"; exit 77; }
if [ "${4-}" != inside ]; then
    exec unshare --mount --propagation private --pid --fork --kill-child --uts --ipc --net --mount-proc -- \
        "$(readlink -f "$0")" "$1" "$2" "$3" inside
fi

# Process 1 here is this script; systemd must be process 1 of yet another namespace.
box=$(mktemp -d /tmp/with_systemd.XXXXXX) || exit 1
mount -t tmpfs tmpfs "$box" || exit 77
mkdir "$box/up" "$box/work" "$box/root" "$box/cgroup"
mount -t cgroup2 cgroup2 "$box/cgroup" || { echo "there are no cgroups of version 2"; exit 77; }
cgroup=$box/cgroup/$(basename "$box")
mkdir "$cgroup" || exit 77
# shellcheck disable=SC2317
end() {
    echo 1 >"$cgroup/cgroup.kill"
    while grep -q 'populated 1' "$cgroup/cgroup.events"; do sleep 0.1; done
    find "$cgroup" -depth -type d -exec rmdir {} \;
    cd /
    umount -l "$box"
    rmdir "$box"
}
trap end EXIT
mount -t overlay overlay -o "lowerdir=/,upperdir=$box/up,workdir=$box/work" "$box/root" 2>/dev/null ||
    { echo "no overlay of / can be mounted"; exit 77; }
cd "$box/root" || exit 1
cp -r "$1/." usr/
sed -i "s|$1/bin/|/usr/bin/|" usr/lib/systemd/system/sendfiled*
[ ! -d usr/etc/sendfiled ] || mv usr/etc/sendfiled etc/
cp "$2" script.sh
cp "$3" .
# Nothing of this machine's own is started.
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires
cat >boot.sh <<'BOOT'
set -e
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup || exit 77
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount -t tmpfs tmpfs dev
mkdir dev/pts dev/shm
for device in null zero full random urandom tty; do cp -a "/dev/$device" dev/; done
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s /proc/self/fd dev/fd
ln -s pts/ptmx dev/ptmx
touch dev/console
# Not only chroot(2): systemd makes mount namespaces of its own from this one.
mkdir .old
pivot_root . .old
cd /
umount -l /.old
exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=basic.target
BOOT
(
    sh -c 'echo $PPID' >"$cgroup/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --cgroup /bin/sh boot.sh
) >boot.log 2>&1 &
unshare=$!
inner() { pgrep -P $unshare; }
enter() { nsenter -t "$(inner)" --mount --pid --cgroup --root --wd -- "$@"; }
tries=0
until enter systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded'; do
    tries=$((tries + 1))
    [ $tries -lt 150 ] || { echo "systemd does not boot here:"; cat boot.log; exit 77; }
    sleep 0.2
done
# As anybody's shell there: what this test's daemons are started with is not for it.
enter env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /bin/sh /script.sh
status=$?
exit $status
