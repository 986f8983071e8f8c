#!/bin/sh
# What with_systemd.sh runs to test the units: prints a line "ok WHAT" or "not ok WHAT: ..." for each step, and "done".
# Its program is client_driver.
set -u
service=sendfiled.service
directory=/run/sendfiled/default

# check WHAT EXPECTED COMMAND...: the command prints what is expected, within 20 seconds.
check() {
    what=$1
    expected=$2
    shift 2
    tries=0
    while actual=$("$@" 2>&1); [ "$actual" != "$expected" ]; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { echo "not ok $what: $actual"; return; }
        sleep 0.3
    done
    echo "ok $what"
}
property() { systemctl show --value --property "$1" "${2-$service}"; }
as() {
    user=$1
    shift
    setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
}
read_file() { as sendfiled sfd read "$@" --socket-dir $directory; }
complaints() { journalctl --quiet --no-pager --unit "$service" --grep 'no full sandbox|WARNING|SEVERE'; }
send_to_tcp() {
    perl -MIO::Socket::INET -e 'my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 9000)
        or die; open(my $ready, ">", "/tmp/listens"); my $c = $l->accept; print while <$c>;' &
    while [ ! -e /tmp/listens ]; do sleep 0.1; done
    as sendfiled sfd send file --to tcp:127.0.0.1:9000 --socket-dir $directory >/dev/null || kill $!
    wait
    rm /tmp/listens
}
read_often() {
    for _ in 1 2 3 4 5 6 7 8; do read_file file; done
}
restart_beside_reads() {
    read_often >/tmp/reads 2>&1 &
    for _ in 1 2 3; do systemctl restart $service || echo "restart failed"; done
    wait
    sort -u /tmp/reads
}
# restarts WHAT COUNT: so many restarts beside 64 transfers at once, of which every byte is compared. Each has another
# daemon, and waits until four at most are at their last transfers, of the eight that may be.
restarts() {
    rm -f /tmp/over
    while [ ! -e /tmp/over ]; do
        as sendfiled /client_driver $directory default many 128 64 /srv some long || echo "status $?"
    done >/tmp/transfers 2>&1 &
    wrong=
    for _ in $(seq "$2"); do
        before=$(holder)
        systemctl restart $service || wrong="$wrong $(journalctl --quiet --no-pager --lines 5 --unit $service);"
        [ "$(holder)" != "$before" ] || wrong="$wrong $before serves on;"
        seen=$(wc -l </tmp/transfers)
        until [ "$(wc -l </tmp/transfers)" != "$seen" ] && [ "$(pgrep -c -u sendfiled java)" -lt 5 ]; do
            sleep 0.05
        done
    done
    touch /tmp/over
    wait
    wrong=$wrong$(grep -v '^{"done":128,"failed":0,' /tmp/transfers)
    [ -z "$wrong" ] && echo "ok $1" || echo "not ok $1: $wrong"
    echo "# $(wc -l </tmp/transfers) times 128 transfers"
}
holder() { cat $directory/sendfiled.default.lock; }

ip link set lo up
mkdir -p /srv /run/systemd/system/$service.d
echo "the content" >/srv/file
head -c 30000 /dev/urandom >/srv/some
head -c 300000 /dev/urandom >/srv/long
printf '[Unit]\nStartLimitIntervalSec=0\n' >/run/systemd/system/$service.d/test.conf
systemctl daemon-reload
systemd-sysusers
systemd-tmpfiles --create
check "the user is there" sendfiled id -nu sendfiled
check "the directory is root's" "755 root" stat -c '%a %U' /run/sendfiled

systemctl start $service
check "it starts" active systemctl is-active $service
check "it tells its status" "serving /srv as 'default': 0 transfers" property StatusText
check "it serves its user" "the content" read_file file
check "it has no privileges" "CapPrm:	0000000000000000" grep CapPrm "/proc/$(property MainPID)/status"
check "it sends to sockets of a network that it does not have" "the content" send_to_tcp
check "nobody else can connect" 4 sh -c "setpriv --reuid=54390 --regid=54390 --clear-groups \
    sfd read file --socket-dir $directory >/dev/null 2>&1; echo \$?"
pid=$(property MainPID)
systemctl reload $service
check "a reload does not end it" "$pid" property MainPID
restarts "twenty restarts lose no transfer" 20
check "nothing is amiss" "" complaints

printf '[Service]\nWatchdogSec=2\n' >/run/systemd/system/$service.d/watchdog.conf
systemctl daemon-reload
systemctl restart $service
pid=$(property MainPID)
kill -STOP "$(pgrep -P "$pid")" # the daemon itself: unit.sh waits for it
check "the watchdog starts it anew when it hangs" 1 property NRestarts
check "it serves again" "the content" read_file file
rm /run/systemd/system/$service.d/watchdog.conf
systemctl daemon-reload
systemctl stop $service
check "a stop is no failure" "success 0" sh -c "echo \$(systemctl show --value -p Result -p ExecMainStatus $service)"
check "it leaves nothing behind" "" ls $directory

systemctl start sendfiled.socket
check "the socket waits without it" inactive systemctl is-active $service
check "the first request starts it" "the content" read_file file
check "a restart loses no request" "the content" restart_beside_reads
restarts "nor do twenty with its socket" 20
systemctl stop sendfiled.socket $service
check "both leave nothing behind" "" ls $directory
check "nothing was amiss" "" complaints

# The lines of doc/operating.md, as they stand there.
page() { awk -v kind="$1" '/^## /{on=/Prometheus/} /^```$/{code=0} on&&code{print} $0=="```"kind{code=1}' \
    /usr/share/doc/sendfiled/doc/operating.md; }
under_way() { curl --silent http://127.0.0.1:9464/metrics | grep '^sendfiled_transfers_under_way'; }
scraped() { curl --silent 'http://127.0.0.1:9090/api/v1/query?query=up' | grep -o '"1"'; }
page sh >/tmp/page.sh
sh -e /tmp/page.sh >/tmp/said 2>&1 || echo "not ok the page's lines: $(tail -5 /tmp/said)"
check "the metrics come by the socket" 1 grep -c ^sendfiled_transfers_under_way /tmp/said
check "and by a port" "sendfiled_transfers_under_way 0.0" under_way
systemctl restart $service
check "of the next daemon, too" "sendfiled_transfers_under_way 0.0" under_way
if [ -x /usr/bin/prometheus ]; then
    # It scrapes once a minute by itself, and check looks for 18 seconds.
    { page yaml; printf 'global:\n  scrape_interval: 1s\n'; } >/tmp/page.yml
    (cd /tmp && exec prometheus --config.file=page.yml --storage.tsdb.path=tsdb) >/tmp/prometheus 2>&1 &
    check "Prometheus scrapes it" '"1"' scraped
    kill $!
fi
systemctl disable --now --quiet sendfiled-metrics.socket sendfiled-metrics.service
systemctl stop $service

mkdir -p /etc/sendfiled
echo 'max-transfers = many' >/etc/sendfiled/default.conf
systemctl start $service 2>/dev/null
check "a wrong configuration is said" "yes" sh -c \
    "systemctl show -p StatusText $service | grep -q 'default.conf.*max-transfers' && echo yes"
check "and not tried again" "failed 0" sh -c \
    "echo \$(systemctl is-failed $service) \$(systemctl show --value -p NRestarts $service)"
rm -r /etc/sendfiled

useradd --create-home tina
echo "of tina" >~tina/file
chmod 700 ~tina
systemctl start sendfiled@tina.socket
check "an instance serves its user's home" "of tina" as tina sfd read file --name tina --socket-dir /run/sendfiled/tina
check "as that user" tina stat -c %U "/proc/$(property MainPID sendfiled@tina.service)/fdinfo"
echo "done"
