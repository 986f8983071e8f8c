package io.sendfiled.engine;

import io.sendfiled.jni.Turn;
import io.sendfiled.protocol.RequestDecoder;
import io.sendfiled.protocol.Wire;
import io.sendfiled.sys.Errno;

/**
 * Decodes and authorizes the requests of one turn, in place.
 *
 * <p>The verdict on each request goes back into its slot: an errno, or a grant (which root, which path inside it, which
 * range), and the loop obeys it at the start of its next turn. One instance belongs to one loop's thread. Allocates nothing.
 */
final class Dispatcher {
    /** The only root so far; exports will add more. */
    private static final int ROOT = 0;

    private final Turn turn;
    private final Authorizer authorizer;
    private final RequestDecoder request = new RequestDecoder();

    /**
     * @param authorizer decides who is served
     */
    Dispatcher(Turn turn, Authorizer authorizer) {
        this.turn = turn;
        this.authorizer = authorizer;
    }

    /** Gives every request of the turn its verdict. */
    void dispatch() {
        int count = turn.requests();
        for (int slot = 0; slot < count; slot++) {
            int errno = authorize(slot);
            if (turn.fault(slot) == Turn.HELLO) {
                turn.refuse(slot, errno); // 0 is a welcome
                continue;
            }
            if (errno == 0) {
                errno = request.decode(turn.memory(), turn.bytesAt(slot), turn.length(slot));
                if (request.version() > 0) {
                    turn.extended(
                            slot,
                            request.version(),
                            request.technique(),
                            request.flags(),
                            request.segments(),
                            request.rate(),
                            request.idleMs(),
                            request.deadlineMs());
                }
            }
            if (errno == 0 && turn.fault(slot) == Turn.CROWDED && request.command() != Wire.SEND_OPEN_FILE) {
                errno = Errno.EMFILE; // the transfer of a Send Open File has a status channel of its own
            }
            if (errno == 0) {
                grant(slot);
            } else {
                turn.refuse(slot, errno);
            }
        }
    }

    private int authorize(int slot) {
        int fault = turn.fault(slot);
        if (fault == Turn.ANONYMOUS) {
            return Errno.EBADMSG;
        }
        int errno = authorizer.check(turn.uid(slot), turn.gid(slot), turn.pid(slot));
        return errno == 0 && fault == Turn.MALFORMED ? Errno.EBADMSG : errno;
    }

    private void grant(int slot) {
        int command = request.command();
        if (command == Wire.SEND_OPEN_FILE || command == Wire.CANCEL) {
            turn.grantTransfer(slot, command, request.transferId());
        } else if (command == Wire.SEND_DESCRIPTOR) {
            turn.grantDescriptor(slot, command, request.offset(), request.length());
        } else {
            turn.grantFile(
                    slot,
                    command,
                    request.offset(),
                    request.length(),
                    ROOT,
                    request.pathPosition(),
                    request.pathLength());
        }
    }
}
