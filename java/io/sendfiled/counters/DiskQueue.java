package io.sendfiled.counters;

/**
 * A queue of the disk pool: of one device, or of what belongs to none.
 *
 * @param name {@code 8:1} of a device, by its numbers; else {@code open} (opens of files whose device is not known),
 *     {@code close} or {@code linger} (closes that can wait)
 * @param waiting tasks that no thread has taken yet
 * @param busy threads that are at a task
 * @param done tasks so far
 */
public record DiskQueue(String name, long waiting, long busy, long done) {}
