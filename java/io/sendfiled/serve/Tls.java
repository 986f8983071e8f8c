package io.sendfiled.serve;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.sendfiled.names.Names;
import io.sendfiled.sys.Errno;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/** Makes the server's side of TLS of two PEM files, which may be one: of a pair that does not fit no client would ever be served. */
final class Tls {
    private static final byte TRIAL = 1; // EdDSA's of no bytes never verifies (JDK 17)

    private Tls() {}

    /** Reads both files. Blocks. */
    static SslContext context(Path certificate, Path key) throws ServeException {
        X509Certificate[] chain = chain(certificate);
        PublicKey own = chain[0].getPublicKey();
        PrivateKey secret = secret(key, own.getAlgorithm());
        if (secret == null || !isPair(own, secret)) {
            throw refusal(key, "not the key of the first certificate in " + Names.printable(certificate), 0, null);
        }
        try {
            return SslContextBuilder.forServer(secret, chain).build();
        } catch (SSLException | IllegalArgumentException e) {
            throw refusal(certificate, "TLS cannot use it: " + e.getMessage(), 0, e);
        }
    }

    private static X509Certificate[] chain(Path file) throws ServeException {
        List<X509Certificate> chain = new ArrayList<>();
        try {
            CertificateFactory factory = CertificateFactory.getInstance("X.509");
            for (byte[] block : blocks(file, "CERTIFICATE", "certificate")) {
                chain.add((X509Certificate) factory.generateCertificate(new ByteArrayInputStream(block)));
            }
        } catch (GeneralSecurityException | IllegalArgumentException e) {
            throw refusal(file, "certificate " + (chain.size() + 1) + " in it is none: " + e.getMessage(), 0, e);
        }
        if (chain.isEmpty()) {
            throw refusal(file, "no certificate in PEM is in it", 0, null);
        }
        return chain.toArray(new X509Certificate[0]);
    }

    /** Null: it is none of that kind. */
    private static @Nullable PrivateKey secret(Path file, String algorithm) throws ServeException {
        List<byte[]> blocks = blocks(file, "PRIVATE KEY", "key");
        if (blocks.isEmpty()) {
            throw refusal(
                    file,
                    "no key in PEM, in PKCS #8 and without a password, is in it; openssl pkcs8 -topk8 -nocrypt writes one",
                    0,
                    null);
        }
        try {
            return KeyFactory.getInstance(algorithm).generatePrivate(new PKCS8EncodedKeySpec(blocks.get(0)));
        } catch (GeneralSecurityException e) {
            return null;
        }
    }

    private static boolean isPair(PublicKey own, PrivateKey secret) {
        if (own instanceof RSAKey one && secret instanceof RSAKey other) {
            return one.getModulus().equals(other.getModulus());
        }
        String algorithm = own.getAlgorithm();
        try {
            Signature signature = Signature.getInstance(algorithm.equals("EC") ? "SHA256withECDSA" : algorithm);
            signature.initSign(secret);
            signature.update(TRIAL);
            byte[] signed = signature.sign();
            signature.initVerify(own);
            signature.update(TRIAL);
            return signature.verify(signed);
        } catch (GeneralSecurityException e) {
            return false;
        }
    }

    private static List<byte[]> blocks(Path file, String label, String what) throws ServeException {
        byte[] bytes;
        try {
            bytes = Files.readAllBytes(file);
        } catch (IOException e) {
            int errno = Errno.of(e);
            String reason = errno == 0 ? String.valueOf(e.getMessage()) : Errno.describe(errno);
            throw refusal(file, reason + "; it has to be the " + what + " in a file that this user may read", errno, e);
        }
        Matcher blocks = Pattern.compile("-----BEGIN " + label + "-----([A-Za-z0-9+/=\\s]+)-----END " + label + "-----")
                .matcher(new String(bytes, StandardCharsets.ISO_8859_1));
        List<byte[]> all = new ArrayList<>();
        while (blocks.find()) {
            all.add(Base64.getMimeDecoder().decode(blocks.group(1)));
        }
        return all;
    }

    private static ServeException refusal(Path file, String why, int errno, @Nullable Exception cause) {
        return new ServeException(Names.printable(file) + ": " + why, errno, cause);
    }
}
