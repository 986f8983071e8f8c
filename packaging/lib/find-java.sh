# Sourced by the launchers: sets $java to a Java 17 or later, looked for in JAVA_HOME, then on PATH, then in the usual
# places, and $java_build to what tells this Java from others; ends with a message when there is none. Starts no process
# that it can do without.

# java_fits FILE: an executable whose release file, if it has one, says 17 or later.
java_fits() {
    [ -x "$1" ] || return 1
    home=${1%/bin/java}
    [ -r "$home/release" ] || home=$(readlink -f -- "$1") || return 1
    home=${home%/bin/java}
    java_build=unknown
    [ -r "$home/release" ] || return 0
    while read -r line; do
        case $line in
            JAVA_RUNTIME_VERSION=*) # before the next in the alphabet, and so in the file
                java_build=${line#JAVA_RUNTIME_VERSION=\"}
                java_build=${java_build%\"}
                ;;
            JAVA_VERSION=*)
                version=${line#JAVA_VERSION=\"}
                version=${version%%[!0-9]*}
                [ "${version:-0}" -ge 17 ]
                return
                ;;
        esac
    done <"$home/release"
    return 0
}

find_java() {
    if [ -n "${JAVA_HOME-}" ]; then
        if java_fits "$JAVA_HOME/bin/java"; then
            java=$JAVA_HOME/bin/java
            return 0
        fi
        echo "${self##*/}: JAVA_HOME is $JAVA_HOME, but there is no Java 17 or later; looking elsewhere" >&2
    fi
    rest=$PATH:
    while [ -n "$rest" ]; do
        java=${rest%%:*}/java
        rest=${rest#*:}
        java_fits "$java" && return 0
    done
    for java in /usr/lib/jvm/default-java/bin/java /usr/lib/jvm/default-runtime/bin/java /usr/lib/jvm/*/bin/java \
        /usr/java/*/bin/java /opt/java/*/bin/java /opt/*/bin/java /usr/local/openjdk-*/bin/java \
        "${HOME:-/nonexistent}"/.sdkman/candidates/java/current/bin/java; do
        java_fits "$java" && return 0
    done
    return 1
}

if ! find_java; then
    echo "${self##*/}: no Java 17 or later found in JAVA_HOME, on PATH or in /usr/lib/jvm." >&2
    echo "Install one (Debian, Ubuntu: openjdk-17-jre-headless; Fedora: java-17-openjdk-headless or later) or set JAVA_HOME." >&2
    exit 1
fi
