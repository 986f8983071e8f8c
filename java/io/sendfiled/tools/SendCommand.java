package io.sendfiled.tools;

import io.sendfiled.client.Destination;
import io.sendfiled.client.FileInfo;
import io.sendfiled.client.FileRequest;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.Source;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferResult;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import io.sendfiled.sys.NativeIoException;
import java.io.FileDescriptor;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.InvalidPathException;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** {@code sfd send}: opens the destination here, with an option also the source, and lets the daemon do the rest. */
final class SendCommand {
    private static final String STANDARD_INPUT = "-";

    private final Arguments arguments;
    private final SendfiledClient client;
    private final UnderWay underWay;
    private final Report report;
    private @Nullable Transfer transfer;

    private SendCommand(Arguments arguments, SendfiledClient client, UnderWay underWay, Report report) {
        this.arguments = arguments;
        this.client = client;
        this.underWay = underWay;
        this.report = report;
    }

    static void run(Arguments arguments, SendfiledClient client, UnderWay underWay, Report report)
            throws SfdException, IOException, InterruptedException {
        SendCommand command = new SendCommand(arguments, client, underWay, report);
        String path = arguments.pathText();
        if (!arguments.isSet(OptionSpec.OPEN)) {
            command.send(arguments.request(), null);
        } else if (path.equals(STANDARD_INPUT)) {
            command.sendStandardInput();
        } else {
            try (FileChannel source = command.open(path)) {
                command.send(arguments.request(Source.of(source)), FileStat.of(Names.path(path)));
            }
        }
    }

    private void sendStandardInput() throws SfdException, IOException, InterruptedException {
        FileStat input = FileStat.ofStandardInput();
        if (input == null) {
            throw SfdException.of("standard input", new NativeIoException("open", Errno.EBADF));
        }
        send(arguments.request(Source.of(FileDescriptor.in)), input);
    }

    private FileChannel open(String path) throws SfdException, InterruptedException {
        try {
            return arguments.deadline().open(() -> FileChannel.open(Names.path(path), StandardOpenOption.READ));
        } catch (InvalidPathException e) {
            throw SfdException.of(path, new NativeIoException("open", Errno.EINVAL));
        } catch (IOException e) {
            throw SfdException.of(path, e);
        }
    }

    private void send(FileRequest request, @Nullable FileStat source)
            throws SfdException, IOException, InterruptedException {
        Target target = arguments.target();
        switch (target.kind()) {
            case STANDARD_OUTPUT ->
                // Somebody may be reading it slowly, in a pager; and it ends with this process.
                report.transferred(send(request, arguments.patient(request), Destination.of(DataDescriptor.get())));
            case TCP, UNIX -> {
                try (SocketChannel socket = Connection.to(target, arguments.deadline())) {
                    report.transferred(send(request, detailed(request), Destination.of(socket)));
                }
            }
            case FILE -> {
                TransferResult result;
                try (Output output = new Output(target.text(), arguments)) {
                    underWay.writes(output);
                    FileChannel file = output.open(source);
                    result = sendTo(output, file, request);
                    output.complete(FileStat.of(result.info()));
                }
                report.transferred(result);
            }
        }
    }

    private TransferResult sendTo(Output output, FileChannel file, FileRequest request)
            throws SfdException, IOException, InterruptedException {
        try {
            return send(request, detailed(request), Destination.of(file));
        } catch (SfdException e) {
            FileInfo info = Waiting.infoOf(transfer);
            if (info != null) {
                output.demandThatItDiffers(FileStat.of(info)); // of which the daemon says EINVAL
            }
            throw e;
        }
    }

    private static FileRequest detailed(FileRequest request) {
        return request.with(request.options().withDetails(true));
    }

    private TransferResult send(FileRequest request, FileRequest better, Destination destination)
            throws SfdException, IOException, InterruptedException {
        TransferResult[] result = new TransferResult[1];
        Waiting.extended(request, better, chosen -> {
            Transfer begun = client.send(chosen, destination);
            transfer = begun;
            underWay.begin(begun);
            try {
                var unused = arguments.deadline().limit(begun.result());
                result[0] = Waiting.forResult(begun, arguments, report);
            } finally {
                underWay.end();
            }
        });
        return result[0];
    }
}
