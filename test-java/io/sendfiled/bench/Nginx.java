package io.sendfiled.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/** How nginx is set up, with one worker, and where it is. */
enum Nginx {
    /** As its guide advises for static content: a header goes with its file, and no connection holds the worker for long. */
    SENDFILE(Nginx.GUIDE),
    /** The same, with sendfile(2) in threads of a pool. */
    THREADS(Nginx.GUIDE + " aio threads;"),
    /** The same as the first, and it keeps what was asked for as sfd serve does: as many files, looked at again after as long. */
    OPEN_FILES(Nginx.GUIDE + " open_file_cache max=512; open_file_cache_valid 1s;");

    private static final String GUIDE = "sendfile on; sendfile_max_chunk 1m; tcp_nopush on;";

    /** The lines of its configuration that tell how it sends files. */
    final String directives;

    Nginx(String directives) {
        this.directives = directives;
    }

    /** Where nginx is; empty without it. Debian keeps it from the path of all but root. */
    static String program() {
        String path = System.getenv().getOrDefault("PATH", "") + ":/usr/sbin:/usr/local/sbin";
        return Arrays.stream(path.split(":"))
                .map(directory -> Path.of(directory, "nginx"))
                .filter(Files::isExecutable)
                .map(Path::toString)
                .findFirst()
                .orElse("");
    }

    /** That it is, and the way out; empty where it is not. */
    static String missing() {
        return program().isEmpty() ? "nginx is missing; ./dev bench --peers installs it" : "";
    }

    /** As it says itself, such as {@code nginx/1.22.1}. Blocks. */
    static String version() throws IOException, InterruptedException {
        String text = Programs.run(java.util.List.of("sh", "-c", program() + " -v 2>&1"), Programs.START_TIMEOUT_MS);
        return text.substring(text.lastIndexOf(' ') + 1);
    }

    /** What it is told: everything that it writes goes into the directory. */
    String configuration(Path directory, Path root, int port) {
        return """
                daemon off;
                worker_processes 1;
                pid %1$s/nginx.pid;
                events { worker_connections 1024; }
                http {
                    access_log off;
                    %4$s
                    keepalive_requests 1000000000;
                    default_type application/octet-stream;
                    client_body_temp_path %1$s/body;
                    proxy_temp_path %1$s/proxy;
                    fastcgi_temp_path %1$s/fastcgi;
                    uwsgi_temp_path %1$s/uwsgi;
                    scgi_temp_path %1$s/scgi;
                    server { listen 127.0.0.1:%3$d; root %2$s; }
                }
                """.formatted(directory, root, port, directives);
    }
}
