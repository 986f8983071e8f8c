package io.sendfiled.tools;

import io.sendfiled.client.DaemonUnavailableException;
import io.sendfiled.jni.NativeLibrary;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * {@code sfd doctor}: what this machine, and the daemon on it, lack, each with its remedy. Works without a daemon, and for any
 * user; the daemon's user and root see more. One thread.
 */
final class DoctorCommand {
    private static final int LOOKED_AT = 200;

    private final Arguments arguments;
    private final List<Finding> found = new ArrayList<>();

    private DoctorCommand(Arguments arguments) {
        this.arguments = arguments;
    }

    /** Gives the exit status: whether nothing has failed. */
    static int run(Arguments arguments, Report report) throws SfdException, InterruptedException {
        DoctorCommand doctor = new DoctorCommand(arguments);
        doctor.found.addAll(MachineChecks.all(doctor.process()));
        if (NativeLibrary.isAvailable()) {
            doctor.daemon();
        }
        report.findings(doctor.found);
        boolean failed = doctor.found.stream().anyMatch(finding -> finding.level() == Finding.Level.FAIL);
        return failed ? ExitCode.FAILED : ExitCode.OK;
    }

    /** Whose limits count, as its counters tell; 0: there is none, or not for this user. */
    private long process() {
        if (NativeLibrary.isAvailable()) {
            try {
                for (Inspection each : Inspection.of(arguments)) {
                    if (each.isThere()) {
                        return each.reading().pid();
                    }
                }
            } catch (SfdException e) {
                // What is wrong with the daemon is found later.
            }
        }
        return 0;
    }

    private void daemon() throws InterruptedException {
        String name = "'" + SfdException.printable(arguments.instance()) + "'";
        String what = "daemon " + name;
        try {
            PingCommand.Pong pong = PingCommand.ping(arguments);
            found.add(
                    pong.refuses() == null
                            ? Finding.ok(what, "answers in " + pong.text())
                            : Finding.warn(
                                    what,
                                    "answers, but it takes no transfer now: " + pong.refuses(),
                                    "wait, or a higher max-transfers, client-transfers or LimitNOFILE="));
        } catch (DaemonUnavailableException e) {
            found.add(unreachable(what, String.valueOf(e.getMessage()), e.errno()));
            return;
        } catch (SfdException e) {
            found.add(Finding.fail(what, String.valueOf(e.getMessage()), remedyFor(e)));
        } catch (IOException e) {
            found.add(Finding.fail(what, String.valueOf(e.getMessage()), "the message tells what is missing here"));
        }
        about(name);
    }

    private static Finding unreachable(String what, String message, int errno) {
        return errno == Errno.EACCES
                ? Finding.fail(what, message, "allow-users or allow-groups in its configuration, or run as its user")
                : Finding.warn(
                        what,
                        message,
                        "systemctl start sendfiled, or sendfiled --root DIRECTORY; sfd --help for -S, -s");
    }

    private static String remedyFor(SfdException e) {
        return switch (e.errno()) {
            case Errno.ETIMEDOUT ->
                "see whether it is stopped (state T in ps), then sfd top; a restart ends its transfers";
            case Errno.EACCES -> "allow-users or allow-groups in its configuration, or run as its user";
            default -> "its log: journalctl -u sendfiled";
        };
    }

    /** What only its control socket tells. */
    private void about(String name) throws InterruptedException {
        String version = null;
        String root = null;
        String uid = null;
        String sockets = null;
        try (ControlConnection daemon = ControlConnection.open(arguments)) {
            daemon.send("about");
            for (String line = daemon.line(); line != null; line = daemon.line()) {
                String value = line.substring(line.indexOf(' ') + 1);
                switch (line.substring(0, Math.max(0, line.indexOf(' ')))) {
                    case "version" -> version = value;
                    case "root" -> root = value;
                    case "uid" -> uid = value;
                    case "sockets" -> sockets = value;
                    default -> {}
                }
            }
        } catch (SfdException e) {
            found.add(Finding.ok("control socket of " + name, "not for this user: " + e.getMessage()));
            return;
        } catch (IOException e) {
            return; // of the close
        }
        String own = NativeLibrary.version();
        found.add(
                own.equals(version)
                        ? Finding.ok("version", own)
                        : Finding.warn(
                                "version",
                                "the daemon " + name + " is " + version + ", installed is " + own,
                                "systemctl restart sendfiled, or sfd upgrade"));
        if (sockets != null) {
            sockets(Names.path(sockets));
        }
        if (root != null) {
            root(Names.path(root), uid == null ? -1 : SystemFiles.number(uid, 0, -1));
        }
    }

    private void sockets(Path directory) {
        Mount mount = Mount.of(directory);
        String text = Names.printable(directory);
        if (mount != null && mount.isNetwork()) {
            found.add(
                    Finding.warn("socket directory", text + " is on " + mount.type(), "a local directory, as in /run"));
        } else {
            found.add(Finding.ok("socket directory", text + (mount == null ? "" : " on " + mount.type())));
        }
    }

    // ---- what it serves ----

    private void root(Path root, long uid) {
        String text = Names.printable(root);
        if (!Files.isDirectory(root)) {
            found.add(Finding.fail(
                    "root", text + " is no directory any more, or not to be seen", "sfd drain, and another start"));
            return;
        }
        Mount mount = Mount.of(root);
        String on = mount == null ? "" : " on " + mount.type();
        if (mount != null && mount.isNetwork()) {
            found.add(Finding.warn(
                    "root",
                    text + on + ": a server that does not answer holds threads of the disk pool",
                    "a mount that gives up (nfs: soft,timeo=), and more disk-threads"));
        } else if (mount != null && mount.isFuse()) {
            found.add(Finding.warn(
                    "root",
                    text + on + ": FUSE tells little of what is in memory, so files are read and not spliced",
                    "the file system below it, if it has one"));
        } else {
            found.add(Finding.ok("root", text + on));
        }
        owners(root, uid);
    }

    /** Of files that the daemon does not own, and may not write to, the kernel tells it less. */
    private void owners(Path root, long uid) {
        int files = 0;
        int foreign = 0;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(root)) {
            for (Path entry : entries) {
                if (files < LOOKED_AT && Files.isRegularFile(entry, LinkOption.NOFOLLOW_LINKS)) {
                    files++;
                    foreign += isForeign(entry, uid) ? 1 : 0;
                }
            }
        } catch (IOException e) {
            return; // not for this user
        }
        if (foreign > 0) {
            found.add(Finding.ok(
                    "files",
                    foreign + " of " + files
                            + " in the root are not the daemon's user's: what of them is in memory is sampled,"
                            + " each 128 KiB"));
        } else if (files > 0) {
            found.add(Finding.ok("files", "those in the root are the daemon's user's"));
        }
    }

    private static boolean isForeign(Path file, long uid) throws IOException {
        Object owner = Files.getAttribute(file, "unix:uid", LinkOption.NOFOLLOW_LINKS);
        return uid > 0 && owner instanceof Integer number && Integer.toUnsignedLong(number) != uid;
    }
}
