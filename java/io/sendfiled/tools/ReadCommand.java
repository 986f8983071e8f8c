package io.sendfiled.tools;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.SendfiledClient;
import io.sendfiled.client.TransferResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import org.jspecify.annotations.Nullable;

/** {@code sfd read}: copies from the pipe to standard output or a file, on the main thread. */
final class ReadCommand {
    private static final int BUFFER_SIZE = 256 * 1024;

    private ReadCommand() {}

    static void run(Arguments arguments, SendfiledClient client, UnderWay underWay, StandardOutput out, Report report)
            throws SfdException, IOException, InterruptedException {
        // The pipe is our own, and its end stops the daemon: while nobody wants more of it, nothing is wrong.
        // With options, the daemon can also say why a read has failed.
        Waiting.extended(
                arguments.request(),
                arguments.patient(arguments.request()),
                request -> run(client.read(request), arguments, underWay, out, report));
    }

    private static void run(
            ReadTransfer transfer, Arguments arguments, UnderWay underWay, StandardOutput out, Report report)
            throws SfdException, IOException, InterruptedException {
        underWay.begin(transfer);
        try {
            var unused = arguments.deadline().limit(transfer.result());
            TransferResult result;
            try (FileContent content = Waiting.forValue(transfer.content(), transfer, arguments)) {
                Target target = arguments.target(); // it is not touched before
                if (target.isStandardOutput()) {
                    boolean text = out.isTerminal() && arguments.value(OptionSpec.OUTPUT) == null;
                    result = copy(content, transfer, out::write, text, arguments, report);
                } else {
                    try (Output output = new Output(target.text(), arguments)) {
                        underWay.writes(output);
                        FileChannel file = output.open(FileStat.of(content.info()));
                        result = copy(content, transfer, file::write, false, arguments, report);
                        output.complete(null);
                    }
                }
            }
            report.transferred(result);
        } finally {
            underWay.end();
        }
    }

    /** Takes some bytes of a buffer. */
    private interface Sink {
        int write(ByteBuffer bytes) throws IOException;
    }

    /**
     * @param text whether what is no text is refused, as a terminal takes it for commands
     */
    private static TransferResult copy(
            FileContent content, ReadTransfer transfer, Sink sink, boolean text, Arguments arguments, Report report)
            throws SfdException, InterruptedException {
        long size = content.info().size();
        ByteBuffer buffer = ByteBuffer.allocateDirect((int) Math.max(1, Math.min(size, BUFFER_SIZE)));
        long moved = 0;
        try (Progress progress = report.progress(size)) {
            while (content.read(buffer.clear()) >= 0) {
                buffer.flip();
                if (text && hasNul(buffer)) {
                    throw SfdException.refused(
                            arguments.pathText(),
                            "it is no text, and a terminal would obey what is in it: -o FILE writes it to a file,"
                                    + " -o - to the terminal all the same");
                }
                moved += write(buffer, sink, arguments.target().name(), moved);
                progress.update(moved);
            }
            progress.finish(moved);
            return transfer.await();
        } catch (IOException e) {
            throw whyItEnded(transfer, arguments, e);
        }
    }

    private static boolean hasNul(ByteBuffer buffer) {
        for (int i = buffer.position(); i < buffer.limit(); i++) {
            if (buffer.get(i) == 0) {
                return true;
            }
        }
        return false;
    }

    private static int write(ByteBuffer buffer, Sink sink, String name, long moved) throws SfdException {
        int count = buffer.remaining();
        try {
            while (buffer.hasRemaining()) {
                sink.write(buffer);
            }
        } catch (IOException e) {
            throw SfdException.of(name, e, moved + count - buffer.remaining());
        }
        return count;
    }

    /** A read that was cancelled reports only that; the transfer has the reason. */
    private static SfdException whyItEnded(ReadTransfer transfer, Arguments arguments, IOException first)
            throws InterruptedException {
        @Nullable IOException reason = null;
        try {
            transfer.await();
        } catch (IOException e) {
            reason = e;
        }
        return Failure.of(arguments, transfer, reason != null ? reason : first);
    }
}
