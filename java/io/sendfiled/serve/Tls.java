package io.sendfiled.serve;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.net.ssl.SSLException;

/** Makes the server's side of TLS of two PEM files. */
final class Tls {
    private Tls() {}

    /** Reads both files. Blocks. */
    static SslContext context(Path certificate, Path key) throws ServeException {
        byte[] chain = read(certificate, "certificate");
        byte[] secret = read(key, "key");
        try {
            return SslContextBuilder.forServer(new ByteArrayInputStream(chain), new ByteArrayInputStream(secret))
                    .build();
        } catch (SSLException | IllegalArgumentException e) {
            throw new ServeException(
                    Names.printable(certificate) + " and " + Names.printable(key)
                            + ": no certificate chain and its key in PEM, or the key is not in PKCS #8 without a password, as"
                            + " openssl pkcs8 -topk8 -nocrypt writes it: " + reason(e),
                    0,
                    e);
        }
    }

    private static byte[] read(Path file, String what) throws ServeException {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            int errno = Errno.of(e);
            String reason = errno == 0 ? String.valueOf(e.getMessage()) : Errno.describe(errno);
            throw new ServeException(
                    Names.printable(file) + ": " + reason + "; it has to be the " + what
                            + " in a file that this user may read",
                    errno,
                    e);
        }
    }

    private static String reason(Throwable e) {
        Throwable cause = e.getCause() == null ? e : e.getCause();
        return String.valueOf(cause.getMessage());
    }
}
