package io.sendfiled.tools;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.OpenFile;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import io.sendfiled.technique.DestinationType;
import io.sendfiled.technique.Technique;
import io.sendfiled.technique.Techniques;
import java.io.FileDescriptor;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/** {@code sfd send}: opens the destination here, with an option also the source, and lets the daemon do the rest. */
final class SendCommand {
    private static final String TCP = "tcp:";
    private static final String UNIX = "unix:";
    private static final int MAX_PORT = 65_535;

    private SendCommand() {}

    static void run(Arguments arguments, SendfiledClient client, UnderWay underWay, Report report)
            throws SfdException, IOException, InterruptedException {
        if (!arguments.isSet(OptionSpec.OPEN)) {
            send(arguments.request(), arguments, client, underWay, report);
            return;
        }
        try (FileChannel source = open(arguments.pathText())) {
            send(arguments.request(Source.of(source)), arguments, client, underWay, report);
        }
    }

    private static void send(
            FileRequest request, Arguments arguments, SendfiledClient client, UnderWay underWay, Report report)
            throws SfdException, IOException, InterruptedException {
        String to = String.valueOf(arguments.value(OptionSpec.TO));
        if (to.equals("-")) {
            send(request, Destination.of(FileDescriptor.out), arguments, client, underWay, report);
        } else if (to.startsWith(TCP) || to.startsWith(UNIX)) {
            try (SocketChannel socket = connect(to)) {
                send(request, Destination.of(socket), arguments, client, underWay, report);
            }
        } else {
            sendToFile(request, to, arguments, client, underWay, report);
        }
    }

    /** Keeps the old file if the request is refused. */
    private static void sendToFile(
            FileRequest request,
            String to,
            Arguments arguments,
            SendfiledClient client,
            UnderWay underWay,
            Report report)
            throws SfdException, IOException, InterruptedException {
        checkThatItFitsAFile(request.options().technique(), to);
        if (arguments.isSet(OptionSpec.OPEN)) {
            try (FileChannel target = open(to, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
                send(request, Destination.of(target), arguments, client, underWay, report);
                if (isFile(to)) {
                    target.truncate(target.position()); // the daemon has moved it: the description is shared
                }
            }
            return;
        }
        Waiting.withDetails(request, report.tellsResults(), detailed -> {
            try (OpenFile file = Waiting.forOpen(detailed, arguments, client); // before the old one is emptied
                    FileChannel target = create(to)) {
                await(file.send(Destination.of(target)), arguments, underWay, report);
            }
        });
    }

    private static void send(
            FileRequest request,
            Destination destination,
            Arguments arguments,
            SendfiledClient client,
            UnderWay underWay,
            Report report)
            throws SfdException, IOException, InterruptedException {
        Waiting.withDetails(
                request,
                report.tellsResults(),
                detailed -> await(client.send(detailed, destination), arguments, underWay, report));
    }

    private static void checkThatItFitsAFile(Technique technique, String file) throws SfdException {
        if (technique == Technique.AUTO || !isFile(file)) {
            return;
        }
        Set<Technique> fitting = Techniques.fitting(DestinationType.FILE, true);
        if (fitting.contains(technique)) {
            return;
        }
        StringBuilder message = new StringBuilder("--technique: ").append(technique.label());
        message.append(" does not fit a file; ask for ");
        for (Technique other : fitting) {
            message.append(other.label()).append(", ");
        }
        throw SfdException.usage(message.append("or auto").toString());
    }

    private static boolean isFile(String name) {
        try {
            return Files.isRegularFile(Names.path(name));
        } catch (InvalidPathException e) {
            return false;
        }
    }

    private static void await(Transfer transfer, Arguments arguments, UnderWay underWay, Report report)
            throws SfdException, InterruptedException {
        underWay.begin(transfer);
        try {
            var unused = Waiting.limited(arguments, transfer.result());
            report.transferred(Waiting.forResult(transfer, arguments, report));
        } finally {
            underWay.end();
        }
    }

    private static SocketChannel connect(String to) throws SfdException {
        SocketAddress address = to.startsWith(TCP)
                ? tcpAddress(to)
                : UnixDomainSocketAddress.of(Names.path(to.substring(UNIX.length())));
        try {
            return SocketChannel.open(address);
        } catch (java.nio.channels.UnresolvedAddressException e) {
            throw SfdException.of(to, new IOException("unknown host"));
        } catch (IOException e) {
            throw SfdException.of(to, e);
        }
    }

    private static InetSocketAddress tcpAddress(String to) throws SfdException {
        String text = to.substring(TCP.length());
        int colon = text.lastIndexOf(':');
        String host = colon < 0 ? "" : text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) { // [::1]
            host = host.substring(1, host.length() - 1);
        }
        try {
            int port = Integer.parseInt(text.substring(colon + 1));
            if (!host.isEmpty() && port > 0 && port <= MAX_PORT) {
                return new InetSocketAddress(host, port);
            }
        } catch (NumberFormatException e) {
            throw notAnAddress(to);
        }
        throw notAnAddress(to);
    }

    private static SfdException notAnAddress(String to) {
        return SfdException.usage("--to: '" + SfdException.printable(to) + "' is not tcp:HOST:PORT");
    }

    private static FileChannel open(String file) throws SfdException {
        return open(file, StandardOpenOption.READ);
    }

    static FileChannel create(String file) throws SfdException {
        return open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING);
    }

    private static FileChannel open(String file, OpenOption... options) throws SfdException {
        try {
            return FileChannel.open(Names.path(file), options);
        } catch (InvalidPathException e) {
            throw SfdException.of(file, new NativeIoException("open", Errno.EINVAL));
        } catch (IOException e) {
            throw SfdException.of(file, e);
        }
    }
}
