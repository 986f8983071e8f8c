#!/bin/sh
# For the units, so that a restart loses no transfer (sendfiled(8), UPGRADE). A restart is a stop and a start, and the stop
# is over when the unit's main process has ended. So that is this one, which waits for the daemon, passes signals on, and
# has its status; for a restart it ends alone. The daemon serves until the next one takes its place, and if that does not
# start, it serves on.
#
#   unit.sh run PROGRAM ARGUMENT...   ExecStart=
#   unit.sh stop UNIT MAINPID         ExecStop=+, before systemd sends SIGTERM
#   unit.sh stopped UNIT              ExecStopPost=+
set -u

# The job of the unit's that systemd is at: "restart" until the stop is over, "stop", "start", ...
job() {
    systemctl list-jobs --no-legend --full --plain "$1" | while read -r _ _ type _; do echo "$type"; done
}

run() {
    # The service manager names the process that it has started, which is not the daemon.
    /bin/sh -c '
        [ -z "${LISTEN_PID-}" ] || export LISTEN_PID=$$
        [ -z "${WATCHDOG_PID-}" ] || export WATCHDOG_PID=$$
        exec "$@"' sh "$@" &
    daemon=$!
    for signal in TERM INT HUP USR1 QUIT; do
        # shellcheck disable=SC2064
        trap "kill -$signal $daemon" "$signal"
    done
    trap 'kill -ABRT $daemon; sleep 2; kill -KILL $daemon' ABRT # of the watchdog
    trap 'exit 0' USR2
    while :; do
        wait "$daemon"
        status=$?
        kill -0 "$daemon" 2>/dev/null || exit "$status" # else a signal came
    done
}

command=$1
shift
case $command in
    run) run "$@" ;;
    stop)
        [ "$(job "$1")" != restart ] || kill -USR2 "$2"
        ;;
    stopped)
        # What is left after a stop, or does not answer, is stuck. After a failed start it is the daemon that serves.
        if [ "$(job "$1")" = stop ] || [ "${SERVICE_RESULT-}" = watchdog ]; then
            group=$(systemctl show --property=ControlGroup --value "$1")
            for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd; do
                [ -r "$hierarchy$group/cgroup.procs" ] || continue
                while read -r process; do
                    [ "$process" = $$ ] || kill -KILL "$process" 2>/dev/null || :
                done <"$hierarchy$group/cgroup.procs"
            done
        fi
        ;;
esac
