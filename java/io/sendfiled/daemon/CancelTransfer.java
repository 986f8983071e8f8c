package io.sendfiled.daemon;

import io.sendfiled.control.ControlCall;
import io.sendfiled.control.ControlCommand;
import io.sendfiled.control.ControlException;
import io.sendfiled.engine.Engine;
import io.sendfiled.sys.Errno;
import io.sendfiled.units.TransferId;
import java.util.concurrent.TimeUnit;

/** The command {@code cancel ID} of the control socket: ends a transfer, of any client, and answers when it has ended. */
final class CancelTransfer implements ControlCommand {
    private static final int LOOK_MS = 2;
    private static final long PATIENCE_NS = TimeUnit.SECONDS.toNanos(2);

    private final Engine engine;

    CancelTransfer(Engine engine) {
        this.engine = engine;
    }

    @Override
    public String run(ControlCall call) throws ControlException {
        String text = call.argument("");
        long id;
        try {
            id = TransferId.parse(text);
        } catch (NumberFormatException e) {
            throw new ControlException(Errno.EINVAL, "'" + text + "' is no id of a transfer, such as 1-2034");
        }
        int result = engine.cancel(id);
        if (result == -Errno.ESRCH) {
            throw new ControlException(Errno.ESRCH, "there is no transfer " + TransferId.format(id) + " any more");
        }
        if (result < 0) {
            throw new ControlException(-result);
        }
        long begin = System.nanoTime();
        while (engine.has(id)) {
            if (System.nanoTime() - begin > PATIENCE_NS) {
                throw new ControlException(
                        Errno.EBUSY,
                        "the transfer " + TransferId.format(id) + " is to end, but something holds its thread:"
                                + " it ends when that lets go");
            }
            pause();
        }
        return "";
    }

    private static void pause() {
        try {
            Thread.sleep(LOOK_MS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
