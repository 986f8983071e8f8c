package io.sendfiled.engine;

import java.util.Map;

/** Where lines about requests go. May wait for whoever reads them. */
interface LogLines {
    /**
     * Takes a line.
     *
     * @param fields what it tells, for programs
     */
    void log(System.Logger.Level level, String message, Map<String, ?> fields);
}
