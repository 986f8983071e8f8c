package io.sendfiled.serve;

import java.time.Duration;

/**
 * What clients may take of a server.
 *
 * @param connections that are served at a time, from 1; those above are told 503, and closed
 * @param requestTime how long a connection may be open without a request, and a request may take to come; above 0
 * @param idleTime how long a client may take no byte of an answer; above 0
 */
public record ServeLimits(int connections, Duration requestTime, Duration idleTime) {}
