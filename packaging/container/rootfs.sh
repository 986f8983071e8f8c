#!/bin/sh
# rootfs.sh TREE JDK ROOT: makes ROOT, the root file system of the container image: the programs of TREE (target/dist), a
# Java with what they need of JDK, the shared libraries of this machine that both load, and no shell. Needs no privilege.
set -eu
[ $# = 3 ] || { echo "usage: rootfs.sh TREE JDK DIRECTORY" >&2; exit 2; }
tree=$1
jdk=$2
root=$3
lib=/usr/lib/sendfiled

[ -x "$tree/bin/sendfiled" ] || { echo "rootfs.sh: $tree has no bin/sendfiled: ./dev build makes target/dist" >&2; exit 1; }
[ -x "$jdk/bin/jlink" ] || { echo "rootfs.sh: $jdk has no bin/jlink: it is no JDK" >&2; exit 1; }
mkdir -p "$root"
[ -z "$(ls -A "$root")" ] || { echo "rootfs.sh: $root is not empty" >&2; exit 1; }

tree=$(readlink -f -- "$tree")
conf=$(readlink -f -- "$(dirname -- "$0")/../conf/default.conf")
umask 022
cd "$root"
mkdir -p ".$lib" dev etc/sendfiled proc run/sendfiled srv sys tmp usr/lib/locale
chmod 1777 tmp

"$jdk/bin/jlink" --add-modules java.base --no-header-files --no-man-pages --output ".$lib/jre"
rm -f ".$lib/jre/bin/keytool" ".$lib/jre/lib/jexec" ".$lib/jre/lib/jspawnhelper" # the daemon may run no program
for file in "$tree"/lib/sendfiled/*; do
    case $file in
        *.jsa | *.sh) ;; # archives are of another Java and place; the launchers need a shell
        */netty | */serve.*) ;; # sfd serve: it has no place in a daemon's image
        *) cp -p "$file" ".$lib" ;;
    esac
done

# Whatever ldd names by a path, with the name by which it is looked for.
find ".$lib" -type f \( -name '*.so' -o -name java -o -name sendfiled-start \) -exec ldd {} + |
    sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[ \t]*\(\/[^ ]*\) (.*/\1/p' | grep -v "$lib" | sort -u |
    while read -r library; do
        mkdir -p ".${library%/*}"
        cp -L "$library" ".$library"
    done
[ ! -d /usr/lib/locale/C.utf8 ] || cp -r /usr/lib/locale/C.utf8 usr/lib/locale # names beyond ASCII

printf 'root:x:0:0:root:/:/\nsendfiled:x:65532:65532:sendfiled:/:/\n' >etc/passwd
printf 'root:x:0:\nsendfiled:x:65532:\n' >etc/group
cp "$conf" etc/sendfiled/default.conf

# What each program's JVM is told after its own options, and what makes its archive of classes, which is of these paths:
# "java @sendfiled.options @sendfiled.image ARGUMENT..." is the launcher of an image, and "java @sendfiled.archive" runs once.
for program in sendfiled sfd; do
    printf '%s\n' -XX:SharedArchiveFile=$lib/$program.jsa -Dsendfiled.start=$lib/sendfiled-start \
        -Dsendfiled.library.path=$lib -jar $lib/$program.jar >".$lib/$program.image"
    printf '%s\n' -Xshare:dump -Xmx128m -XX:SharedClassListFile=$lib/$program.classes \
        -XX:SharedArchiveFile=$lib/$program.jsa -cp $lib/$program.jar >".$lib/$program.archive"
done
