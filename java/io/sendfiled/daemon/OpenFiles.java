package io.sendfiled.daemon;

import io.sendfiled.config.SendfiledConfig;
import io.sendfiled.config.Setting;
import io.sendfiled.jni.ProcessNative;
import io.sendfiled.sys.Errno;

/** How many transfers the limit of open files allows. Immutable. */
final class OpenFiles {
    /* Of a transfer: file, destination or data, status channel; of the rest: loops, pools, the JVM's own files. */
    private static final int DESCRIPTORS_A_TRANSFER = 3;
    private static final int OTHER_DESCRIPTORS = 64;

    private final long limit;

    private OpenFiles(long limit) {
        this.limit = limit;
    }

    /** Raises the limit as far as this process may. Main thread, at the start. */
    static OpenFiles raise() throws StartException {
        long limit = ProcessNative.raiseOpenFiles();
        if (limit < 0) {
            throw new StartException((int) -limit, "cannot read the limit of open files");
        }
        return new OpenFiles(limit);
    }

    /**
     * The engine's configuration, with a default number of transfers that fits; a number that was asked for and is too
     * high is refused.
     */
    SendfiledConfig fit(ProgramConfig settings) throws StartException, UsageException {
        SendfiledConfig config = settings.build();
        long wanted = config.maxTransfers();
        long most = (limit - OTHER_DESCRIPTORS) / DESCRIPTORS_A_TRANSFER;
        if (wanted <= most) {
            return config;
        }
        if (settings.isSet(Setting.MAX_TRANSFERS) || most < 1) {
            throw new StartException(
                    Errno.EMFILE,
                    settings.label(Setting.MAX_TRANSFERS) + ": " + wanted + " transfers need "
                            + (wanted * DESCRIPTORS_A_TRANSFER + OTHER_DESCRIPTORS) + " descriptors, but only " + limit
                            + " may be open (ulimit -Hn): at most " + Math.max(most, 0) + " fit");
        }
        settings.engine().maxTransfers((int) most);
        return settings.build();
    }
}
