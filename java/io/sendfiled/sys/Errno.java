package io.sendfiled.sys;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import org.jspecify.annotations.Nullable;

/**
 * Errno values of Linux: their numbers, names and texts, and the one mapping from a native result to an exception.
 *
 * <p>Pure: closes nothing, loads nothing, so that it works where the native library does not. The numbers are those of
 * the kernel's {@code asm-generic/errno.h}, which x86_64 and aarch64 share; a native test compares this file with the
 * system's own table. Any thread.
 */
public final class Errno {
    public static final int EPERM = 1;
    public static final int ENOENT = 2;
    public static final int ESRCH = 3;
    public static final int EINTR = 4;
    public static final int EIO = 5;
    public static final int ENXIO = 6;
    public static final int E2BIG = 7;
    public static final int ENOEXEC = 8;
    public static final int EBADF = 9;
    public static final int ECHILD = 10;
    public static final int EAGAIN = 11;
    public static final int ENOMEM = 12;
    public static final int EACCES = 13;
    public static final int EFAULT = 14;
    public static final int ENOTBLK = 15;
    public static final int EBUSY = 16;
    public static final int EEXIST = 17;
    public static final int EXDEV = 18;
    public static final int ENODEV = 19;
    public static final int ENOTDIR = 20;
    public static final int EISDIR = 21;
    public static final int EINVAL = 22;
    public static final int ENFILE = 23;
    public static final int EMFILE = 24;
    public static final int ENOTTY = 25;
    public static final int ETXTBSY = 26;
    public static final int EFBIG = 27;
    public static final int ENOSPC = 28;
    public static final int ESPIPE = 29;
    public static final int EROFS = 30;
    public static final int EMLINK = 31;
    public static final int EPIPE = 32;
    public static final int EDOM = 33;
    public static final int ERANGE = 34;
    public static final int EDEADLK = 35;
    public static final int ENAMETOOLONG = 36;
    public static final int ENOLCK = 37;
    public static final int ENOSYS = 38;
    public static final int ENOTEMPTY = 39;
    public static final int ELOOP = 40;
    public static final int ENOMSG = 42;
    public static final int EIDRM = 43;
    public static final int ECHRNG = 44;
    public static final int EL2NSYNC = 45;
    public static final int EL3HLT = 46;
    public static final int EL3RST = 47;
    public static final int ELNRNG = 48;
    public static final int EUNATCH = 49;
    public static final int ENOCSI = 50;
    public static final int EL2HLT = 51;
    public static final int EBADE = 52;
    public static final int EBADR = 53;
    public static final int EXFULL = 54;
    public static final int ENOANO = 55;
    public static final int EBADRQC = 56;
    public static final int EBADSLT = 57;
    public static final int EBFONT = 59;
    public static final int ENOSTR = 60;
    public static final int ENODATA = 61;
    public static final int ETIME = 62;
    public static final int ENOSR = 63;
    public static final int ENONET = 64;
    public static final int ENOPKG = 65;
    public static final int EREMOTE = 66;
    public static final int ENOLINK = 67;
    public static final int EADV = 68;
    public static final int ESRMNT = 69;
    public static final int ECOMM = 70;
    public static final int EPROTO = 71;
    public static final int EMULTIHOP = 72;
    public static final int EDOTDOT = 73;
    public static final int EBADMSG = 74;
    public static final int EOVERFLOW = 75;
    public static final int ENOTUNIQ = 76;
    public static final int EBADFD = 77;
    public static final int EREMCHG = 78;
    public static final int ELIBACC = 79;
    public static final int ELIBBAD = 80;
    public static final int ELIBSCN = 81;
    public static final int ELIBMAX = 82;
    public static final int ELIBEXEC = 83;
    public static final int EILSEQ = 84;
    public static final int ERESTART = 85;
    public static final int ESTRPIPE = 86;
    public static final int EUSERS = 87;
    public static final int ENOTSOCK = 88;
    public static final int EDESTADDRREQ = 89;
    public static final int EMSGSIZE = 90;
    public static final int EPROTOTYPE = 91;
    public static final int ENOPROTOOPT = 92;
    public static final int EPROTONOSUPPORT = 93;
    public static final int ESOCKTNOSUPPORT = 94;
    public static final int EOPNOTSUPP = 95;
    public static final int EPFNOSUPPORT = 96;
    public static final int EAFNOSUPPORT = 97;
    public static final int EADDRINUSE = 98;
    public static final int EADDRNOTAVAIL = 99;
    public static final int ENETDOWN = 100;
    public static final int ENETUNREACH = 101;
    public static final int ENETRESET = 102;
    public static final int ECONNABORTED = 103;
    public static final int ECONNRESET = 104;
    public static final int ENOBUFS = 105;
    public static final int EISCONN = 106;
    public static final int ENOTCONN = 107;
    public static final int ESHUTDOWN = 108;
    public static final int ETOOMANYREFS = 109;
    public static final int ETIMEDOUT = 110;
    public static final int ECONNREFUSED = 111;
    public static final int EHOSTDOWN = 112;
    public static final int EHOSTUNREACH = 113;
    public static final int EALREADY = 114;
    public static final int EINPROGRESS = 115;
    public static final int ESTALE = 116;
    public static final int EUCLEAN = 117;
    public static final int ENOTNAM = 118;
    public static final int ENAVAIL = 119;
    public static final int EISNAM = 120;
    public static final int EREMOTEIO = 121;
    public static final int EDQUOT = 122;
    public static final int ENOMEDIUM = 123;
    public static final int EMEDIUMTYPE = 124;
    public static final int ECANCELED = 125;
    public static final int ENOKEY = 126;
    public static final int EKEYEXPIRED = 127;
    public static final int EKEYREVOKED = 128;
    public static final int EKEYREJECTED = 129;
    public static final int EOWNERDEAD = 130;
    public static final int ENOTRECOVERABLE = 131;
    public static final int ERFKILL = 132;
    public static final int EHWPOISON = 133;

    /** Name and text by number; text as strerror(3) has it, in lower case. */
    private static final String[][] TABLE = table();

    private Errno() {}

    /**
     * Returns a native result, or throws for a failure.
     *
     * @param result what a native method returned: a value from 0 up, or a negated errno
     * @param what the operation and its object, for the message: {@code "open /srv/file"}
     * @return {@code result} when it is not negative
     * @throws NativeIoException for a negative result
     */
    public static int check(int result, String what) throws NativeIoException {
        if (result < 0) {
            throw new NativeIoException(what, -result);
        }
        return result;
    }

    /** As {@link #check(int, String)}, for natives whose value is a {@code long}. */
    public static long check(long result, String what) throws NativeIoException {
        if (result < 0) {
            throw new NativeIoException(what, (int) -result);
        }
        return result;
    }

    /** {@code "EACCES"} for 13; {@code "E999"} for a number without a name. */
    public static String name(int errno) {
        return known(errno) ? TABLE[errno][0] : "E" + errno;
    }

    /** {@code "permission denied"} for 13; {@code "unknown error 999"} for a number without a name. */
    public static String message(int errno) {
        return known(errno) ? TABLE[errno][1] : "unknown error " + errno;
    }

    /** {@code "permission denied (EACCES)"} for 13: what people read, and what they look up. */
    public static String describe(int errno) {
        return message(errno) + " (" + name(errno) + ")";
    }

    /**
     * The errno behind an exception of the JDK, which has only the errno's text.
     *
     * @param message an exception's message, such as {@code "Too many open files"}
     * @return the errno, or 0 when the text is that of no errno
     */
    public static int ofMessage(@Nullable String message) {
        for (int errno = 1; message != null && errno < TABLE.length; errno++) {
            if (known(errno) && TABLE[errno][1].equalsIgnoreCase(message)) {
                return errno;
            }
        }
        return 0;
    }

    /** The errno behind an exception: ours, or one of the JDK's for a file; 0 when it does not show. */
    public static int of(IOException e) {
        if (e instanceof NativeIoException kernels) {
            return kernels.errno();
        }
        if (e instanceof NoSuchFileException) {
            return ENOENT;
        }
        if (e instanceof AccessDeniedException) {
            return EACCES;
        }
        return ofMessage(
                e instanceof FileSystemException named && named.getReason() != null
                        ? named.getReason()
                        : e.getMessage());
    }

    private static boolean known(int errno) {
        return errno > 0 && errno < TABLE.length && TABLE[errno].length != 0;
    }

    private static void put(String[][] table, int errno, String name, String message) {
        table[errno] = new String[] {name, message};
    }

    private static String[][] table() {
        String[][] table = new String[EHWPOISON + 1][0];
        put(table, EPERM, "EPERM", "operation not permitted");
        put(table, ENOENT, "ENOENT", "no such file or directory");
        put(table, ESRCH, "ESRCH", "no such process");
        put(table, EINTR, "EINTR", "interrupted system call");
        put(table, EIO, "EIO", "input/output error");
        put(table, ENXIO, "ENXIO", "no such device or address");
        put(table, E2BIG, "E2BIG", "argument list too long");
        put(table, ENOEXEC, "ENOEXEC", "exec format error");
        put(table, EBADF, "EBADF", "bad file descriptor");
        put(table, ECHILD, "ECHILD", "no child processes");
        put(table, EAGAIN, "EAGAIN", "resource temporarily unavailable");
        put(table, ENOMEM, "ENOMEM", "cannot allocate memory");
        put(table, EACCES, "EACCES", "permission denied");
        put(table, EFAULT, "EFAULT", "bad address");
        put(table, ENOTBLK, "ENOTBLK", "block device required");
        put(table, EBUSY, "EBUSY", "device or resource busy");
        put(table, EEXIST, "EEXIST", "file exists");
        put(table, EXDEV, "EXDEV", "invalid cross-device link");
        put(table, ENODEV, "ENODEV", "no such device");
        put(table, ENOTDIR, "ENOTDIR", "not a directory");
        put(table, EISDIR, "EISDIR", "is a directory");
        put(table, EINVAL, "EINVAL", "invalid argument");
        put(table, ENFILE, "ENFILE", "too many open files in system");
        put(table, EMFILE, "EMFILE", "too many open files");
        put(table, ENOTTY, "ENOTTY", "inappropriate ioctl for device");
        put(table, ETXTBSY, "ETXTBSY", "text file busy");
        put(table, EFBIG, "EFBIG", "file too large");
        put(table, ENOSPC, "ENOSPC", "no space left on device");
        put(table, ESPIPE, "ESPIPE", "illegal seek");
        put(table, EROFS, "EROFS", "read-only file system");
        put(table, EMLINK, "EMLINK", "too many links");
        put(table, EPIPE, "EPIPE", "broken pipe");
        put(table, EDOM, "EDOM", "numerical argument out of domain");
        put(table, ERANGE, "ERANGE", "numerical result out of range");
        put(table, EDEADLK, "EDEADLK", "resource deadlock avoided");
        put(table, ENAMETOOLONG, "ENAMETOOLONG", "file name too long");
        put(table, ENOLCK, "ENOLCK", "no locks available");
        put(table, ENOSYS, "ENOSYS", "function not implemented");
        put(table, ENOTEMPTY, "ENOTEMPTY", "directory not empty");
        put(table, ELOOP, "ELOOP", "too many levels of symbolic links");
        put(table, ENOMSG, "ENOMSG", "no message of desired type");
        put(table, EIDRM, "EIDRM", "identifier removed");
        put(table, ECHRNG, "ECHRNG", "channel number out of range");
        put(table, EL2NSYNC, "EL2NSYNC", "level 2 not synchronized");
        put(table, EL3HLT, "EL3HLT", "level 3 halted");
        put(table, EL3RST, "EL3RST", "level 3 reset");
        put(table, ELNRNG, "ELNRNG", "link number out of range");
        put(table, EUNATCH, "EUNATCH", "protocol driver not attached");
        put(table, ENOCSI, "ENOCSI", "no CSI structure available");
        put(table, EL2HLT, "EL2HLT", "level 2 halted");
        put(table, EBADE, "EBADE", "invalid exchange");
        put(table, EBADR, "EBADR", "invalid request descriptor");
        put(table, EXFULL, "EXFULL", "exchange full");
        put(table, ENOANO, "ENOANO", "no anode");
        put(table, EBADRQC, "EBADRQC", "invalid request code");
        put(table, EBADSLT, "EBADSLT", "invalid slot");
        put(table, EBFONT, "EBFONT", "bad font file format");
        put(table, ENOSTR, "ENOSTR", "device not a stream");
        put(table, ENODATA, "ENODATA", "no data available");
        put(table, ETIME, "ETIME", "timer expired");
        put(table, ENOSR, "ENOSR", "out of streams resources");
        put(table, ENONET, "ENONET", "machine is not on the network");
        put(table, ENOPKG, "ENOPKG", "package not installed");
        put(table, EREMOTE, "EREMOTE", "object is remote");
        put(table, ENOLINK, "ENOLINK", "link has been severed");
        put(table, EADV, "EADV", "advertise error");
        put(table, ESRMNT, "ESRMNT", "srmount error");
        put(table, ECOMM, "ECOMM", "communication error on send");
        put(table, EPROTO, "EPROTO", "protocol error");
        put(table, EMULTIHOP, "EMULTIHOP", "multihop attempted");
        put(table, EDOTDOT, "EDOTDOT", "RFS specific error");
        put(table, EBADMSG, "EBADMSG", "bad message");
        put(table, EOVERFLOW, "EOVERFLOW", "value too large for defined data type");
        put(table, ENOTUNIQ, "ENOTUNIQ", "name not unique on network");
        put(table, EBADFD, "EBADFD", "file descriptor in bad state");
        put(table, EREMCHG, "EREMCHG", "remote address changed");
        put(table, ELIBACC, "ELIBACC", "can not access a needed shared library");
        put(table, ELIBBAD, "ELIBBAD", "accessing a corrupted shared library");
        put(table, ELIBSCN, "ELIBSCN", ".lib section in a.out corrupted");
        put(table, ELIBMAX, "ELIBMAX", "attempting to link in too many shared libraries");
        put(table, ELIBEXEC, "ELIBEXEC", "cannot exec a shared library directly");
        put(table, EILSEQ, "EILSEQ", "invalid or incomplete multibyte or wide character");
        put(table, ERESTART, "ERESTART", "interrupted system call should be restarted");
        put(table, ESTRPIPE, "ESTRPIPE", "streams pipe error");
        put(table, EUSERS, "EUSERS", "too many users");
        put(table, ENOTSOCK, "ENOTSOCK", "socket operation on non-socket");
        put(table, EDESTADDRREQ, "EDESTADDRREQ", "destination address required");
        put(table, EMSGSIZE, "EMSGSIZE", "message too long");
        put(table, EPROTOTYPE, "EPROTOTYPE", "protocol wrong type for socket");
        put(table, ENOPROTOOPT, "ENOPROTOOPT", "protocol not available");
        put(table, EPROTONOSUPPORT, "EPROTONOSUPPORT", "protocol not supported");
        put(table, ESOCKTNOSUPPORT, "ESOCKTNOSUPPORT", "socket type not supported");
        put(table, EOPNOTSUPP, "EOPNOTSUPP", "operation not supported");
        put(table, EPFNOSUPPORT, "EPFNOSUPPORT", "protocol family not supported");
        put(table, EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported by protocol");
        put(table, EADDRINUSE, "EADDRINUSE", "address already in use");
        put(table, EADDRNOTAVAIL, "EADDRNOTAVAIL", "cannot assign requested address");
        put(table, ENETDOWN, "ENETDOWN", "network is down");
        put(table, ENETUNREACH, "ENETUNREACH", "network is unreachable");
        put(table, ENETRESET, "ENETRESET", "network dropped connection on reset");
        put(table, ECONNABORTED, "ECONNABORTED", "software caused connection abort");
        put(table, ECONNRESET, "ECONNRESET", "connection reset by peer");
        put(table, ENOBUFS, "ENOBUFS", "no buffer space available");
        put(table, EISCONN, "EISCONN", "transport endpoint is already connected");
        put(table, ENOTCONN, "ENOTCONN", "transport endpoint is not connected");
        put(table, ESHUTDOWN, "ESHUTDOWN", "cannot send after transport endpoint shutdown");
        put(table, ETOOMANYREFS, "ETOOMANYREFS", "too many references: cannot splice");
        put(table, ETIMEDOUT, "ETIMEDOUT", "connection timed out");
        put(table, ECONNREFUSED, "ECONNREFUSED", "connection refused");
        put(table, EHOSTDOWN, "EHOSTDOWN", "host is down");
        put(table, EHOSTUNREACH, "EHOSTUNREACH", "no route to host");
        put(table, EALREADY, "EALREADY", "operation already in progress");
        put(table, EINPROGRESS, "EINPROGRESS", "operation now in progress");
        put(table, ESTALE, "ESTALE", "stale file handle");
        put(table, EUCLEAN, "EUCLEAN", "structure needs cleaning");
        put(table, ENOTNAM, "ENOTNAM", "not a XENIX named type file");
        put(table, ENAVAIL, "ENAVAIL", "no XENIX semaphores available");
        put(table, EISNAM, "EISNAM", "is a named type file");
        put(table, EREMOTEIO, "EREMOTEIO", "remote I/O error");
        put(table, EDQUOT, "EDQUOT", "disk quota exceeded");
        put(table, ENOMEDIUM, "ENOMEDIUM", "no medium found");
        put(table, EMEDIUMTYPE, "EMEDIUMTYPE", "wrong medium type");
        put(table, ECANCELED, "ECANCELED", "operation canceled");
        put(table, ENOKEY, "ENOKEY", "required key not available");
        put(table, EKEYEXPIRED, "EKEYEXPIRED", "key has expired");
        put(table, EKEYREVOKED, "EKEYREVOKED", "key has been revoked");
        put(table, EKEYREJECTED, "EKEYREJECTED", "key was rejected by service");
        put(table, EOWNERDEAD, "EOWNERDEAD", "owner died");
        put(table, ENOTRECOVERABLE, "ENOTRECOVERABLE", "state not recoverable");
        put(table, ERFKILL, "ERFKILL", "operation not possible due to RF-kill");
        put(table, EHWPOISON, "EHWPOISON", "memory page has hardware error");
        return table;
    }
}
