package io.sendfiled.tools;

import io.sendfiled.client.FileInfo;
import io.sendfiled.client.Transfer;
import io.sendfiled.client.TransferException;
import io.sendfiled.sys.Errno;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Says why a transfer failed, and whether it was the file or the destination. Pure but for the clock. */
final class Failure {
    private Failure() {}

    /** A failure that came before a transfer, or without one. */
    static SfdException of(Arguments arguments, IOException cause) {
        return of(arguments, null, cause);
    }

    /** A failure of a transfer. */
    static SfdException of(Arguments arguments, @Nullable Transfer transfer, IOException cause) {
        int errno = cause instanceof TransferException failure ? failure.errno() : Errno.of(cause);
        boolean refusal = cause instanceof TransferException failure && failure.isRefusal();
        if (errno == 0) {
            return SfdException.of(arguments.pathText(), cause);
        }
        if (errno == Errno.ECONNREFUSED && refusal) {
            return new SfdException("the daemon has ended", ExitCode.UNREACHABLE, errno, 0, cause);
        }
        boolean far = arguments.requiredCommand() == Command.SEND && isOfDestination(errno, refusal);
        String subject = far ? arguments.target().name() : arguments.pathText();
        long moved = cause instanceof TransferException failure ? failure.bytesMoved() : 0;
        return new SfdException(
                SfdException.printable(subject) + ": " + reason(arguments, errno, cause) + " (" + Errno.name(errno)
                        + ")" + after(moved, transfer),
                ExitCode.of(errno, moved),
                errno,
                moved,
                cause);
    }

    /** Whether only the destination can have failed in this way: of EIO, for one, nobody knows. */
    private static boolean isOfDestination(int errno, boolean refusal) {
        return switch (errno) {
            case Errno.EPIPE,
                    Errno.ECONNRESET,
                    Errno.ENOTCONN,
                    Errno.EBADF,
                    Errno.ENOSPC,
                    Errno.EFBIG,
                    Errno.EHOSTUNREACH,
                    Errno.ENETUNREACH -> true;
            case Errno.EDQUOT -> !refusal; // else the daemon's limit
            default -> false;
        };
    }

    private static String reason(Arguments arguments, int errno, IOException cause) {
        if (errno == Errno.ETIMEDOUT) {
            return whichTimeout(arguments);
        }
        if (errno == Errno.ECONNABORTED) {
            return "the daemon ended the transfer without saying why";
        }
        return cause instanceof TransferException failure ? failure.reason() : Errno.message(errno);
    }

    /** The daemon's answer does not say which of its two limits it was; but it has the deadline since its start. */
    private static String whichTimeout(Arguments arguments) {
        if (arguments.deadline().isOver()) {
            return "not done within --timeout " + arguments.value(OptionSpec.TIMEOUT);
        }
        if (arguments.isPastDaemonDeadline()) {
            return "not done within --deadline " + arguments.value(OptionSpec.DEADLINE);
        }
        return "timed out, because no byte was moved for too long";
    }

    private static String after(long moved, @Nullable Transfer transfer) {
        FileInfo info = Waiting.infoOf(transfer);
        if (info == null) {
            return moved == 0 ? "" : " after " + moved + " bytes";
        }
        return " after " + moved + " of " + info.size() + " bytes";
    }
}
