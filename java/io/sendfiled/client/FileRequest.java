package io.sendfiled.client;

import io.sendfiled.buffer.SharedBuffer;
import io.sendfiled.jni.EngineNative;
import io.sendfiled.names.Names;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;
import io.sendfiled.transport.TransferRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * Which file, which part of it, and how it is to be moved. Immutable.
 *
 * <pre>{@code
 * FileRequest.of("videos/a.mp4")                      // the whole file
 * FileRequest.of("videos/a.mp4").from(1_000)          // without its first 1,000 bytes
 * FileRequest.of("videos/a.mp4").range(1_000, 500)    // bytes 1,000 to 1,499
 * FileRequest.of("videos/a.mp4").with(options)        // at a limited rate, say
 * FileRequest.of("videos/a.mp4").withHeader(header)    // behind these bytes
 * FileRequest.of(Source.of(fileChannel))              // a file that this process has open
 * }</pre>
 *
 * <p>A path is relative to the daemon's root, with or without a leading slash, and is never resolved by the client. A
 * {@link Source} has no path, and need not be in the daemon's root.
 */
public final class FileRequest {
    /** The {@link #length()} that means "to the end of the file". */
    public static final long TO_END = -1;

    /** The longest content that {@link #withContent} can ask for, in bytes. */
    public static final int MOST_CONTENT = EngineNative.MOST_CONTENT;

    private final byte[] path; // empty for a source
    private final @Nullable Source source;
    private final long offset;
    private final long length;
    private final List<Segment> segments; // in place of the range, which is empty then
    private final TransferOptions options;
    private final Place place;

    /** Which root the path is in, for whom the request is, where it is completed, and how much content that may bring along. */
    private record Place(
            @Nullable String root, long owner, @Nullable Executor executor, int content) {
        static final Place DEFAULT = new Place(null, 0, null, 0);
    }

    private FileRequest(
            byte[] path,
            @Nullable Source source,
            long offset,
            long length,
            List<Segment> segments,
            TransferOptions options,
            Place place) {
        this.path = path;
        this.source = source;
        this.offset = offset;
        this.length = length;
        this.segments = segments;
        this.options = options;
        this.place = place;
    }

    /**
     * The whole of a file.
     *
     * @param path the path, which travels as UTF-8; an unpaired surrogate U+DC80 to U+DCFF as the one byte 0x80 to 0xFF
     * @throws IllegalArgumentException if it holds a NUL or another unpaired surrogate, which no path can
     */
    public static FileRequest of(String path) {
        return ofBytes(Names.bytes(path));
    }

    /**
     * The whole of a file whose path is not text.
     *
     * @param path the path's bytes, which are copied
     * @throws IllegalArgumentException if it holds a NUL, which no path can
     */
    public static FileRequest ofBytes(byte[] path) {
        for (byte b : path) {
            if (b == 0) {
                throw new IllegalArgumentException("a path cannot hold a NUL");
            }
        }
        return new FileRequest(path.clone(), null, 0, TO_END, List.of(), TransferOptions.DEFAULT, Place.DEFAULT);
    }

    /**
     * The whole of a file that this process has open. It can be sent, but neither read nor opened by the daemon, and needs
     * a daemon that knows {@linkplain TransferOptions options}.
     *
     * @param source the file; a duplicate is made each time the request is submitted
     */
    public static FileRequest of(Source source) {
        return new FileRequest(
                new byte[0],
                source,
                0,
                Math.max(TO_END, source.size()),
                List.of(),
                TransferOptions.DEFAULT,
                Place.DEFAULT);
    }

    /**
     * The whole of a buffer, which is sealed when the request is submitted; as {@link #of(Source)}.
     *
     * @param buffer the buffer; the caller keeps it, and may close it as soon as the request was submitted
     */
    public static FileRequest of(SharedBuffer buffer) {
        return of(Source.of(buffer));
    }

    /**
     * The same file from an offset to its end.
     *
     * @param offset the first byte, from 0 up to the file's size (which gives an empty transfer)
     * @throws IllegalArgumentException if it is negative, or above the size of a {@linkplain #of(SharedBuffer) buffer}
     */
    public FileRequest from(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        long size = source == null ? TO_END : source.size();
        return size >= 0
                ? range(offset, size - offset)
                : new FileRequest(path, source, offset, TO_END, List.of(), options, place);
    }

    /**
     * A range of the same file. The daemon refuses one that ends behind the file's end, with {@link Errno#ERANGE}.
     *
     * @param offset the first byte, from 0
     * @param length how many bytes, from 0; an empty range needs a daemon that knows {@linkplain TransferOptions options}
     * @throws IllegalArgumentException if one is below 0, or the sum is above 2^63 - 1
     */
    public FileRequest range(long offset, long length) {
        if (offset < 0) {
            throw new IllegalArgumentException("negative offset " + offset);
        }
        if (length < 0) {
            throw new IllegalArgumentException("negative length " + length);
        }
        if (offset > Long.MAX_VALUE - length) {
            throw new IllegalArgumentException("offset " + offset + " and length " + length + " exceed 2^63 - 1");
        }
        return new FileRequest(path, source, offset, length, List.of(), options, place);
    }

    /**
     * The same file, of which these segments are sent, one after the other, in place of a range. All of them are one
     * transfer: its size, its progress and its result count bytes and ranges alike. The daemon refuses all of them, with
     * {@link Errno#ERANGE}, if one range is not inside the file, before a byte is sent.
     *
     * <p>The destination is a TCP or UNIX stream socket, a pipe, or a character device; all else is refused with {@link
     * Errno#EOPNOTSUPP}, and a read into a buffer or a memory file with it or with {@link Errno#EINVAL}. To TCP what
     * others follow is sent with {@code MSG_MORE}, so that they share packets, but for the end of a range that {@code
     * sendfile(2)} moves. Needs a daemon that knows segments; an older
     * one refuses the request. {@link #from} and {@link #range} put a range in the place of the segments.
     *
     * @param parts at most 64; none: nothing is sent
     * @throws IllegalArgumentException if they are more, or the path and they need more than 4096 bytes: the path's and
     *     one, 16 for each segment, and those of the segments that are bytes; or if a range begins behind a buffer
     */
    public FileRequest withSegments(List<Segment> parts) {
        long known = source == null ? TO_END : source.size();
        List<Segment> list = parts.stream()
                .map(part -> known >= 0 ? part.within(known) : part)
                .toList();
        long size = path.length + 1L;
        for (Segment segment : list) {
            size += segment.sizeInRequest();
        }
        if (list.size() > Wire.MAX_SEGMENTS) {
            throw new IllegalArgumentException(
                    list.size() + " segments are more than a request can have, " + Wire.MAX_SEGMENTS);
        }
        if (!list.isEmpty() && size > Wire.SEGMENTS_ROOM) {
            throw new IllegalArgumentException(
                    "path and segments need " + size + " bytes, and a request has " + Wire.SEGMENTS_ROOM);
        }
        return new FileRequest(path, source, 0, 0, list, options, place);
    }

    /**
     * The same with bytes before all else that is sent: the first of its {@linkplain #withSegments segments}, the others
     * are what it has, or its range.
     *
     * @param header what the receiver gets first; copied
     * @throws IllegalArgumentException as {@link #withSegments}
     */
    public FileRequest withHeader(byte[] header) {
        List<Segment> all = parts();
        all.add(0, Segment.of(header));
        return withSegments(all);
    }

    /**
     * The same with bytes behind all else that is sent.
     *
     * @param trailer what the receiver gets last; copied
     * @throws IllegalArgumentException as {@link #withSegments}
     */
    public FileRequest withTrailer(byte[] trailer) {
        List<Segment> all = parts();
        all.add(Segment.of(trailer));
        return withSegments(all);
    }

    private List<Segment> parts() {
        return new ArrayList<>(segments.isEmpty() ? List.of(Segment.of(offset, length)) : segments);
    }

    /** The same file and range, or segments, to be moved in this way. */
    public FileRequest with(TransferOptions newOptions) {
        return new FileRequest(path, source, offset, length, segments, newOptions, place);
    }

    /**
     * The same file in another root of an {@linkplain SendfiledClient#embedded() embedded} engine. A daemon has only one: there
     * such a request is refused with {@code EINVAL}, as one with an unknown name is.
     *
     * @param name as {@link EmbeddedBuilder#root(String, java.nio.file.Path)} has it
     * @throws IllegalStateException if it is a request for a {@link Source}, which is in no root
     */
    public FileRequest withRoot(String name) {
        if (source != null) {
            throw new IllegalStateException(path() + " is in no root");
        }
        return with(new Place(Objects.requireNonNull(name), place.owner, place.executor, place.content));
    }

    /**
     * The same for this owner: a connection, say, or a tenant. The transfers of each owner share its limits ({@link
     * io.sendfiled.config.Setting#CLIENT_TRANSFERS} and the others of a client), and owners take fair turns. For an {@linkplain
     * SendfiledClient#embedded() embedded} engine; to a daemon, this process is one client, and the owner does not matter.
     *
     * @param owner a number of the caller's choice, from 0; 0 by default
     * @throws IllegalArgumentException if it is negative
     */
    public FileRequest withOwner(long owner) {
        if (owner < 0) {
            throw new IllegalArgumentException("negative owner " + owner);
        }
        return with(new Place(place.root, owner, place.executor, place.content));
    }

    /**
     * The same, whose futures are completed and whose listeners are called by tasks of this executor: an event loop, say. One
     * task may complete several transfers, one after the other, so tasks and the actions in them should not wait. If the
     * executor refuses, or runs the task in the calling thread, a thread of the client's completes them, as without an
     * executor; a refusal is logged.
     *
     * <p>A request that is refused at once is completed by the thread that submits it. Through a daemon, a read with an executor
     * needs one that knows {@linkplain TransferOptions options}.
     */
    public FileRequest completingOn(Executor executor) {
        return with(new Place(place.root, place.owner, Objects.requireNonNull(executor), place.content));
    }

    /**
     * The same, of which an {@linkplain SendfiledClient#open(FileRequest) open} asks for the content as well: that of a file, or
     * a range, of at most so many bytes comes with the {@link OpenFile}, which then has it {@linkplain OpenFile#content() in
     * memory}. It is read where it is opened, so nothing stays open, and no second request is needed to send it.
     *
     * <p>For who has just looked for the file in the kernel's caches, as {@link io.sendfiled.hot.HotRoot#open} does, and has not
     * found it there: the engine does not look again, and may wait for the disk. An {@linkplain SendfiledClient#embedded()
     * embedded} engine does this, and not with segments, a rate or drop-behind; all else opens the file as without it.
     *
     * @param most from 0, which asks for none, to {@value #MOST_CONTENT}
     * @throws IllegalArgumentException if it is anything else
     */
    public FileRequest withContent(int most) {
        if (most < 0 || most > MOST_CONTENT) {
            throw new IllegalArgumentException("content of " + most + " bytes is not between 0 and " + MOST_CONTENT);
        }
        return with(new Place(place.root, place.owner, place.executor, most));
    }

    private FileRequest with(Place newPlace) {
        return new FileRequest(path, source, offset, length, segments, options, newPlace);
    }

    /** The name of its root; null: the only, or the first one. */
    public @Nullable String root() {
        return place.root;
    }

    /** Its owner; 0 by default. */
    public long owner() {
        return place.owner;
    }

    /** Where it is completed; null: where the client does that. */
    @Nullable
    Executor executor() {
        return place.executor;
    }

    /**
     * The path as {@link #of(String)} takes it. Of a source, its {@linkplain Source#name name}, and "an open file" if that
     * throws: messages about failures are made of it.
     */
    public String path() {
        if (source == null) {
            return Names.text(path);
        }
        try {
            return source.name();
        } catch (Throwable t) { // the user's
            return "an open file";
        }
    }

    /** The first byte; 0 beside {@link #segments()}. */
    public long offset() {
        return offset;
    }

    /** How many bytes, or {@link #TO_END}; 0 beside {@link #segments()}. */
    public long length() {
        return length;
    }

    /** What is sent in place of the range; immutable, and empty without {@link #withSegments}. */
    public List<Segment> segments() {
        return segments;
    }

    /** How it is to be moved. */
    public TransferOptions options() {
        return options;
    }

    byte[] pathBytes() {
        return path;
    }

    @Nullable
    Source source() {
        return source;
    }

    /**
     * What a transport carries.
     *
     * @param isExtended whether it needs the extended form of the protocol
     */
    TransferRequest toTransport(boolean isExtended) {
        return new TransferRequest(
                path,
                offset,
                length,
                Segment.encode(segments),
                segments.size(),
                options.onTheWire(),
                isExtended,
                place.root,
                place.owner,
                segments.isEmpty() ? place.content : 0);
    }

    /** The part of it that begins so many bytes later, of a file that is passed along. */
    TransferRequest restToTransport(long sent, long rest) {
        return new TransferRequest(
                new byte[0], offset + sent, rest, new byte[0], 0, options.onTheWire(), true, null, place.owner, 0);
    }

    /** Whether it needs the extended form of the protocol. */
    boolean isExtended() {
        return source != null || length == 0 || !options.equals(TransferOptions.DEFAULT);
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof FileRequest that
                && Arrays.equals(path, that.path)
                && Objects.equals(source, that.source)
                && offset == that.offset
                && length == that.length
                && segments.equals(that.segments)
                && options.equals(that.options)
                && place.equals(that.place);
    }

    @Override
    public int hashCode() {
        return Objects.hash(Arrays.hashCode(path), source, offset, length, segments, options, place);
    }

    @Override
    public String toString() {
        if (offset == 0 && length == TO_END) {
            return path();
        }
        if (!segments.isEmpty()) {
            return path() + segments;
        }
        return path() + "[" + offset + (length == TO_END ? " to the end]" : " +" + length + "]");
    }
}
