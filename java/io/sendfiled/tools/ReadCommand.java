package io.sendfiled.tools;

import io.sendfiled.client.FileContent;
import io.sendfiled.client.ReadTransfer;
import io.sendfiled.client.SendfiledClient;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;

/** {@code sfd read}: copies from the pipe to standard output or a file, on the main thread. */
final class ReadCommand {
    private static final int BUFFER_SIZE = 256 * 1024;

    private ReadCommand() {}

    static void run(Arguments arguments, SendfiledClient client, UnderWay underWay, OutputStream out, Report report)
            throws SfdException, IOException, InterruptedException {
        Waiting.withDetails( // without them, the daemon could not say why a read has failed
                arguments.request(), request -> run(client.read(request), arguments, underWay, out, report));
    }

    private static void run(
            ReadTransfer transfer, Arguments arguments, UnderWay underWay, OutputStream out, Report report)
            throws SfdException, IOException, InterruptedException {
        underWay.begin(transfer);
        try {
            var unused = Waiting.limited(arguments, transfer.result());
            try (FileContent content = Waiting.forValue(transfer.content(), arguments)) {
                String file = arguments.value(OptionSpec.OUTPUT); // the target is not touched before
                if (file == null) {
                    copy(content, transfer, standardOutput(out), "standard output", arguments, report);
                } else {
                    try (FileChannel target = SendCommand.create(file)) {
                        copy(content, transfer, target, file, arguments, report);
                    }
                }
            }
        } finally {
            underWay.end();
        }
    }

    private static WritableByteChannel standardOutput(OutputStream out) {
        return out instanceof FileOutputStream file ? file.getChannel() : Channels.newChannel(out);
    }

    private static void copy(
            FileContent content,
            ReadTransfer transfer,
            WritableByteChannel target,
            String targetName,
            Arguments arguments,
            Report report)
            throws SfdException, InterruptedException {
        long size = content.info().size();
        ByteBuffer buffer = ByteBuffer.allocateDirect((int) Math.max(1, Math.min(size, BUFFER_SIZE)));
        long moved = 0;
        try (Progress progress = new Progress(
                arguments.pathText(), size, System.nanoTime(), report.messages(), report.wantsProgress())) {
            while (content.read(buffer.clear()) >= 0) {
                moved += write(buffer.flip(), target, targetName, moved);
                progress.update(moved);
            }
            progress.finish(moved);
            report.transferred(transfer.await());
        } catch (IOException e) {
            throw whyItEnded(transfer, arguments, e);
        }
    }

    private static int write(ByteBuffer buffer, WritableByteChannel target, String targetName, long moved)
            throws SfdException {
        int count = buffer.remaining();
        try {
            while (buffer.hasRemaining()) {
                target.write(buffer);
            }
        } catch (IOException e) {
            throw SfdException.of(targetName, e, moved);
        }
        return count;
    }

    /** A read that was cancelled reports only that; the transfer has the reason. */
    private static SfdException whyItEnded(ReadTransfer transfer, Arguments arguments, IOException first)
            throws InterruptedException {
        try {
            transfer.await();
        } catch (IOException e) {
            return SfdException.of(arguments.pathText(), e);
        }
        return SfdException.of(arguments.pathText(), first);
    }
}
