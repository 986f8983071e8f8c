package io.sendfiled.support;

import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HexFormat;

/**
 * A stand-in for the daemon that does what the test says: the helper program {@code scripted_daemon}, which receives real
 * datagrams with real descriptors. Requests are numbered from 0 as they are received.
 */
public final class ScriptedDaemon implements AutoCloseable {
    private final Process process;
    private final BufferedWriter commands;
    private final BufferedReader answers;
    private int received;

    public ScriptedDaemon(Path socketDirectory, String name) throws IOException {
        Path program = Path.of(System.getProperty("sendfiled.test.bin"), "scripted_daemon");
        process = new ProcessBuilder(
                        program.toString(),
                        socketDirectory.resolve("sendfiled." + name + ".socket").toString())
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        commands = process.outputWriter(StandardCharsets.US_ASCII);
        answers = process.inputReader(StandardCharsets.US_ASCII);
        expectOk(answers.readLine());
    }

    /** A request as it came: its bytes, in native order, and how many descriptors it brought. */
    public record Request(int number, ByteBuffer bytes, int descriptors) {
        public int command() {
            return bytes.get(0);
        }

        /** Of Send Open File and Cancel. */
        public long transferId() {
            return bytes.getLong(8);
        }
    }

    /** Takes the next request; waits for one. */
    public synchronized Request receive() throws IOException {
        String[] words = command("receive").split(" ");
        if (!words[0].equals("request")) {
            throw new IOException(String.join(" ", words));
        }
        return new Request(
                received++,
                ByteBuffer.wrap(HexFormat.of().parseHex(words[1])).order(ByteOrder.nativeOrder()),
                Integer.parseInt(words[2]));
    }

    /** Writes bytes to the status channel of a request. */
    public void status(Request request, byte[] bytes) throws IOException {
        write(request, 0, bytes);
    }

    /** Writes bytes to any descriptor of a request. */
    public synchronized void write(Request request, int index, byte[] bytes) throws IOException {
        expectOk(command(
                "write " + request.number() + " " + index + " " + HexFormat.of().formatHex(bytes)));
    }

    /** Tries to write to the status channel of a request, and gives the errno, or 0. */
    public synchronized int tryStatus(Request request, byte[] bytes) throws IOException {
        String answer =
                command("write " + request.number() + " 0 " + HexFormat.of().formatHex(bytes));
        return answer.equals("ok") ? 0 : Integer.parseInt(answer.substring("errno ".length()));
    }

    /** Closes the status channel of a request. */
    public void end(Request request) throws IOException {
        close(request, 0);
    }

    /** Closes any descriptor of a request. */
    public synchronized void close(Request request, int index) throws IOException {
        expectOk(command("close " + request.number() + " " + index));
    }

    /** Starts anew: another socket in the old one's place. */
    public synchronized void rebind() throws IOException {
        expectOk(command("rebind"));
    }

    public static byte[] fileInfo(long size, long id) {
        return message(48)
                .put(0, (byte) 0x81)
                .putLong(8, size)
                .putLong(16, 1_600_000_000L)
                .putLong(24, 1_600_000_001L)
                .putLong(32, 1_600_000_002L)
                .putLong(40, id)
                .array();
    }

    /** Goes before the File Information of a request of version 2. */
    public static byte[] fileDetails(
            long size, long inode, long device, int mode, int atimeNs, int mtimeNs, int ctimeNs) {
        return message(48)
                .put(0, (byte) 0x93)
                .putShort(2, (short) 1)
                .putInt(4, 48)
                .putLong(8, size)
                .putLong(16, inode)
                .putLong(24, device)
                .putInt(32, atimeNs)
                .putInt(36, mtimeNs)
                .putInt(40, ctimeNs)
                .putShort(44, (short) mode)
                .array();
    }

    public static byte[] progress(long moved) {
        return message(16).put(0, (byte) 0x82).putLong(8, moved).array();
    }

    public static byte[] complete() {
        return progress(-1);
    }

    public static byte[] refusal(int errno) {
        return new byte[] {(byte) 0x81, (byte) errno};
    }

    public static byte[] failure(int errno) {
        return new byte[] {(byte) 0x82, (byte) errno};
    }

    /** The answer to an extended request that is refused; {@code fits} is a set of techniques. */
    public static byte[] refusal(int errno, int fits) {
        return message(16)
                .put(0, (byte) 0x91)
                .put(1, (byte) errno)
                .putShort(2, (short) 1)
                .putInt(4, 16)
                .putInt(8, fits)
                .array();
    }

    /** The end of an extended transfer. */
    public static byte[] result(int errno, long moved, long elapsedNs, int coldWindows, int technique) {
        return message(32)
                .put(0, (byte) 0x92)
                .put(1, (byte) errno)
                .putShort(2, (short) 1)
                .putInt(4, 32)
                .putLong(8, moved)
                .putLong(16, elapsedNs)
                .putInt(24, coldWindows)
                .put(28, (byte) technique)
                .array();
    }

    /** The end of an opened file that cannot be sent there by its technique. */
    public static byte[] unfit(int fits) {
        byte[] bytes = result(95, 0, 1, 0, 0);
        bytes[29] = (byte) fits;
        return bytes;
    }

    public static byte[] join(byte[]... messages) {
        ByteBuffer all = ByteBuffer.allocate(4096);
        for (byte[] message : messages) {
            all.put(message);
        }
        byte[] bytes = new byte[all.position()];
        all.get(0, bytes);
        return bytes;
    }

    private static ByteBuffer message(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
    }

    private String command(String line) throws IOException {
        commands.write(line);
        commands.newLine();
        commands.flush();
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("the scripted daemon has ended");
        }
        return answer;
    }

    private static void expectOk(String answer) throws IOException {
        if (!"ok".equals(answer)) {
            throw new IOException("the scripted daemon says: " + answer);
        }
    }

    /** Ends the process, as a killed daemon would end. */
    @Override
    public void close() throws IOException {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        answers.close();
        try {
            commands.close();
        } catch (IOException e) { // a broken pipe: nobody is left to flush to
            return;
        }
    }
}
