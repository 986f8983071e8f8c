package io.sendfiled.support;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.SplittableRandom;

/**
 * Bytes that went somewhere, or came from there: how many, and their SHA-256.
 *
 * @param size how many
 * @param sha256 in hexadecimal digits
 */
public record Content(long size, String sha256) {
    private static final int BLOCK = 256 * 1024;

    /** No bytes at all. */
    public static final Content NOTHING = new Hash().content();

    /** Makes a file of random bytes, which are the same for the same size and name. */
    public static Content write(Path file, long size) throws IOException {
        Path name = file.getFileName();
        SplittableRandom random = new SplittableRandom(size + (name == null ? 0 : name.hashCode()));
        byte[] block = new byte[BLOCK];
        Hash hash = new Hash();
        try (FileChannel out = FileChannel.open(
                file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, StandardOpenOption.TRUNCATE_EXISTING)) {
            for (long left = size; left > 0; left -= Math.min(left, BLOCK)) {
                random.nextBytes(block);
                ByteBuffer bytes = ByteBuffer.wrap(block, 0, (int) Math.min(left, BLOCK));
                hash.add(bytes.duplicate());
                while (bytes.hasRemaining()) {
                    out.write(bytes);
                }
            }
        }
        return hash.content();
    }

    /** A whole file. */
    public static Content of(Path file) throws IOException {
        return of(file, 0, Files.size(file));
    }

    /** A range of a file. */
    public static Content of(Path file, long offset, long length) throws IOException {
        try (FileChannel in = FileChannel.open(file, StandardOpenOption.READ)) {
            return drain(in.position(offset), length);
        }
    }

    public static Content of(byte[] bytes) throws IOException {
        return drain(Channels.newChannel(new ByteArrayInputStream(bytes)));
    }

    /** Everything up to the end of a channel. Blocks. */
    public static Content drain(ReadableByteChannel in) throws IOException {
        return drain(in, Long.MAX_VALUE);
    }

    /** Everything up to the end of a channel, at most a number of bytes. Blocks. */
    public static Content drain(ReadableByteChannel in, long limit) throws IOException {
        Hash hash = new Hash();
        ByteBuffer block = ByteBuffer.allocate(BLOCK);
        while (hash.size < limit) {
            block.clear().limit((int) Math.min(BLOCK, limit - hash.size));
            if (in.read(block) < 0) {
                break;
            }
            hash.add(block.flip());
        }
        return hash.content();
    }

    private static final class Hash {
        private final MessageDigest digest;
        private long size;

        Hash() {
            try {
                digest = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new AssertionError(e); // every Java has it
            }
        }

        void add(ByteBuffer bytes) {
            size += bytes.remaining();
            digest.update(bytes);
        }

        Content content() {
            return new Content(size, HexFormat.of().formatHex(digest.digest()));
        }
    }
}
