package io.sendfiled.engine;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that wait for one disk, in the order in which they are worked on: urgent ones (small files, first windows)
 * before the others, and in both groups round-robin by client, however many tasks a client has. Urgent tasks do not
 * starve the others: after {@value #URGENT_RUN} urgent ones in a row one of the others follows.
 *
 * <p>Any thread. {@link #add} never waits for a thread that is in {@link #next}: event loops call it.
 */
final class FairTasks {
    static final int URGENT_RUN = 4;

    /** Tasks that were added and are in no lane yet. */
    private final ConcurrentLinkedQueue<Task> added = new ConcurrentLinkedQueue<>();

    private final Lane urgent = new Lane();
    private final Lane ordinary = new Lane();

    /** How many tasks of each client are being worked on. */
    private final Map<Integer, Integer> running = new HashMap<>();

    private final int most;
    private int urgentRun;

    /**
     * @param most tasks of one client that are worked on at the same time
     */
    FairTasks(int most) {
        this.most = most;
    }

    /** Adds a task, behind the others of that client. */
    void add(long task, boolean isUrgent, int client) {
        added.add(new Task(task, isUrgent, client));
    }

    /**
     * Removes the next task, to be worked on until {@link #finished}; null when no task waits, or only tasks of clients
     * that have {@code most} tasks running.
     */
    synchronized @Nullable Task next() {
        for (Task task = added.poll(); task != null; task = added.poll()) {
            (task.isUrgent ? urgent : ordinary).add(task);
        }
        Task task = choose();
        if (task != null) {
            running.merge(task.client, 1, Integer::sum);
        }
        return task;
    }

    private @Nullable Task choose() {
        Task task = urgentRun < URGENT_RUN ? urgent.next() : null;
        if (task != null) {
            urgentRun = ordinary.isEmpty() ? 0 : urgentRun + 1;
            return task;
        }
        urgentRun = 0;
        task = ordinary.next();
        return task != null ? task : urgent.next();
    }

    /** A task is done: another task of its client may run. */
    synchronized void finished(Task task) {
        running.computeIfPresent(task.client, (client, count) -> count == 1 ? null : count - 1);
    }

    private boolean mayRun(ClientTasks tasks) {
        return most == Integer.MAX_VALUE || running.getOrDefault(tasks.first.client, 0) < most;
    }

    static final class Task {
        final long handle;
        final boolean isUrgent;
        final int client;

        /** Of the same client. */
        @Nullable
        Task next;

        Task(long handle, boolean isUrgent, int client) {
            this.handle = handle;
            this.isUrgent = isUrgent;
            this.client = client;
        }
    }

    /** The tasks of one client, in a ring of the clients that have some. */
    private static final class ClientTasks {
        Task first;
        Task last;
        ClientTasks next;

        ClientTasks(Task task) {
            first = task;
            last = task;
            next = this;
        }
    }

    /** Tasks round-robin by client: one of each client, then the next one of each. */
    private final class Lane {
        private final Map<Integer, ClientTasks> byClient = new HashMap<>();

        /** The client that was served last; the one behind it is next. */
        private @Nullable ClientTasks served;

        boolean isEmpty() {
            return served == null;
        }

        void add(Task task) {
            ClientTasks tasks = byClient.get(task.client);
            if (tasks != null) {
                tasks.last.next = task;
                tasks.last = task;
                return;
            }
            ClientTasks added = new ClientTasks(task);
            byClient.put(task.client, added);
            if (served != null) { // to the end of the ring
                added.next = served.next;
                served.next = added;
            }
            served = added;
        }

        @Nullable
        Task next() {
            if (served == null) {
                return null;
            }
            ClientTasks before = served;
            while (!mayRun(before.next)) {
                before = before.next;
                if (before == served) {
                    return null;
                }
            }
            ClientTasks tasks = before.next;
            Task task = tasks.first;
            if (task.next != null) {
                tasks.first = task.next;
                served = tasks;
            } else {
                byClient.remove(task.client);
                before.next = tasks.next;
                served = tasks == before ? null : before;
            }
            return task;
        }
    }
}
