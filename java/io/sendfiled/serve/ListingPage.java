package io.sendfiled.serve;

import io.sendfiled.names.Names;
import io.sendfiled.units.Numbers;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/**
 * The page that shows a directory. It needs no script, and nothing from elsewhere: links sort it. Names are shown as messages
 * show them, and linked by their bytes. Pure.
 */
final class ListingPage {
    /** What the page may load: its own style. */
    static final String POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

    private static final List<String> UNITS = List.of("B", "KiB", "MiB", "GiB", "TiB", "PiB");
    private static final double KIBI = 1024;
    private static final int SIXTEEN = 16; // characters of 2026-11-30T12:00

    private static final String STYLE = """
            :root{color-scheme:light dark;--line:#8883;--dim:#767676;--link:#0a58ca}
            @media(prefers-color-scheme:dark){:root{--dim:#9a9a9a;--link:#7db4ff}}
            body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
            h1{font-size:1.25rem;font-weight:600;overflow-wrap:anywhere}
            table{border-collapse:collapse;width:100%}
            th,td{padding:.4rem .5rem;text-align:left;border-bottom:1px solid var(--line)}
            th{font-weight:600}th a{color:inherit}
            td:first-child{overflow-wrap:anywhere;width:100%}
            th:nth-child(n+2),td:nth-child(n+2){text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
            td:nth-child(n+2),footer{color:var(--dim)}
            a{color:var(--link);text-decoration:none}a:hover,a:focus{text-decoration:underline}
            tbody tr:hover{background:#8881}
            footer{font-size:.875rem;margin-top:1rem}
            @media(max-width:36rem){th:nth-child(3),td:nth-child(3){display:none}}
            """;

    /** What it is sorted by. */
    private enum Column {
        NAME("Name"),
        SIZE("Size"),
        MODIFIED("Modified (UTC)");

        final String title;

        Column(String title) {
            this.title = title;
        }

        Comparator<Entry> order() {
            return switch (this) {
                case NAME ->
                    Comparator.comparing(Entry::name, String.CASE_INSENSITIVE_ORDER)
                            .thenComparing(Entry::name);
                case SIZE -> Comparator.comparing(Entry::size);
                case MODIFIED -> Comparator.comparing(Entry::modified);
            };
        }

        String word() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private ListingPage() {}

    /**
     * The page, in HTML.
     *
     * @param path of the directory, as a request has it
     * @param query of the request, which may say how to sort; all else in it is ignored
     * @param most entries that are shown
     */
    static String of(String path, String query, List<Entry> entries, int most) {
        Column column = Column.NAME;
        for (Column each : Column.values()) {
            column = query.contains("sort=" + each.word()) ? each : column;
        }
        boolean descending = query.contains("order=desc");
        String title = escape(Names.printable(path));
        StringBuilder page = new StringBuilder(2048 + entries.size() * 192);
        page.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>")
                .append(title)
                .append("</title>\n<style>\n")
                .append(STYLE)
                .append("</style>\n</head>\n<body>\n<h1>");
        way(page, path);
        page.append("</h1>\n<table>\n<thead><tr>");
        for (Column each : Column.values()) {
            head(page, each, each == column, descending);
        }
        page.append("</tr></thead>\n<tbody>\n");
        if (path.chars().anyMatch(c -> c != '/')) {
            page.append("<tr><td><a href=\"../\">../</a></td><td></td><td></td></tr>\n");
        }
        for (Entry entry : sorted(entries, column, descending)) {
            row(page, entry);
        }
        page.append("</tbody>\n</table>\n<footer>")
                .append(entries.size())
                .append(entries.size() == 1 ? " entry" : " entries");
        if (entries.size() == most) {
            page.append(", and those above that number are not shown");
        }
        return page.append("</footer>\n</body>\n</html>\n").toString();
    }

    /** The directories down to this one, each linked. */
    private static void way(StringBuilder page, String path) {
        String[] names = path.split("/", -1); // what is before the first slash and behind the last one is empty
        int depth = names.length - 2;
        for (int i = 0; i <= depth; i++) {
            String name = "<bdi>" + escape(Names.printable(names[i])) + "</bdi>/";
            if (i == depth) {
                page.append(name);
            } else {
                page.append("<a href=\"")
                        .append("../".repeat(depth - i))
                        .append("\">")
                        .append(name)
                        .append("</a>");
            }
        }
    }

    private static List<Entry> sorted(List<Entry> entries, Column column, boolean descending) {
        Comparator<Entry> order = descending ? column.order().reversed() : column.order();
        List<Entry> sorted = new ArrayList<>(entries);
        sorted.sort(Comparator.comparing((Entry entry) -> !entry.isDirectory())
                .thenComparing(order)
                .thenComparing(Column.NAME.order()));
        return sorted;
    }

    private static void head(StringBuilder page, Column column, boolean isCurrent, boolean descending) {
        page.append("<th")
                .append(isCurrent ? descending ? " aria-sort=\"descending\"" : " aria-sort=\"ascending\"" : "");
        page.append("><a href=\"?sort=").append(column.word());
        page.append(isCurrent && !descending ? "&amp;order=desc" : "")
                .append("\">")
                .append(column.title)
                .append("</a>");
        page.append(isCurrent ? descending ? " &#9662;" : " &#9652;" : "").append("</th>");
    }

    private static void row(StringBuilder page, Entry entry) {
        String slash = entry.isDirectory() ? "/" : "";
        String time =
                entry.modified().truncatedTo(ChronoUnit.MINUTES).toString().substring(0, SIXTEEN);
        page.append("<tr><td><a href=\"./")
                .append(PercentCoding.encode(entry.name()))
                .append(slash)
                .append("\"><bdi>");
        page.append(escape(Names.printable(entry.name())))
                .append("</bdi>")
                .append(slash)
                .append("</a></td><td>");
        if (entry.size() != Entry.NO_SIZE) {
            page.append(size(entry.size()));
        }
        page.append("</td><td>").append(time.replace('T', ' ')).append("</td></tr>\n");
    }

    /** As people read it. */
    private static String size(long bytes) {
        double value = bytes;
        int unit = 0;
        while (value >= KIBI && unit < UNITS.size() - 1) {
            value /= KIBI;
            unit++;
        }
        return Numbers.fixed(value, unit == 0 ? 0 : 1) + " " + UNITS.get(unit);
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }
}
