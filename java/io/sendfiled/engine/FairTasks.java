package io.sendfiled.engine;

import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that wait for one disk, in the order in which they are worked on: round-robin by user, however many tasks and
 * clients a user has. Those of each user: urgent ones (small files, first windows) before the others, and in both groups
 * round-robin by client. Urgent tasks do not starve the others of their user: after {@value #URGENT_RUN} urgent ones in a row
 * one of the others follows.
 *
 * <p>Any thread. {@link #add} never waits for a thread that is in {@link #next}: event loops call it.
 */
final class FairTasks {
    static final int URGENT_RUN = 4;

    /** Tasks that were added and are not at their users yet. */
    private final ConcurrentLinkedQueue<Task> added = new ConcurrentLinkedQueue<>();

    /** Users that have tasks, waiting or being worked on. */
    private final Map<Integer, UserTasks> byUser = new HashMap<>();

    /** Of these, the ones with waiting tasks, the next one first. */
    private final ArrayDeque<UserTasks> waiting = new ArrayDeque<>();

    private final int mostOfClient;
    private final int mostOfUser;

    /**
     * @param mostOfClient tasks of one client that are worked on at the same time
     * @param mostOfUser tasks of all clients of one user that are worked on at the same time
     */
    FairTasks(int mostOfClient, int mostOfUser) {
        this.mostOfClient = mostOfClient;
        this.mostOfUser = mostOfUser;
    }

    /** Adds a task, behind the others of that client. */
    void add(long task, boolean isUrgent, int user, int client) {
        added.add(new Task(task, isUrgent, user, client));
    }

    /**
     * Removes the next task, to be worked on until {@link #finished}; null when no task waits, or only tasks of those that
     * have as many running as they may.
     */
    synchronized @Nullable Task next() {
        for (Task task = added.poll(); task != null; task = added.poll()) {
            UserTasks tasks = byUser.computeIfAbsent(task.user, user -> new UserTasks());
            if (tasks.isEmpty()) {
                waiting.add(tasks);
            }
            tasks.add(task);
        }
        for (int i = waiting.size(); i > 0; i--) {
            UserTasks tasks = waiting.remove();
            Task task = tasks.next();
            if (!tasks.isEmpty()) {
                waiting.add(tasks); // also who may not run now: it has its turn when it may
            }
            if (task != null) {
                return task;
            }
        }
        return null;
    }

    /** A task is done: another task of its client may run. */
    synchronized void finished(Task task) {
        UserTasks tasks = byUser.get(task.user);
        if (tasks != null && tasks.finished(task.client)) {
            byUser.remove(task.user);
        }
    }

    static final class Task {
        final long handle;
        final boolean isUrgent;
        final int user;
        final int client;

        /** Of the same client. */
        @Nullable
        Task next;

        Task(long handle, boolean isUrgent, int user, int client) {
            this.handle = handle;
            this.isUrgent = isUrgent;
            this.user = user;
            this.client = client;
        }
    }

    /** The tasks of one user. */
    private final class UserTasks {
        private final Lane urgent = new Lane(this);
        private final Lane ordinary = new Lane(this);
        private int urgentRun;

        /** How many tasks of each client are being worked on. */
        private final Map<Integer, Integer> running = new HashMap<>();

        private int runningAll;

        boolean isEmpty() {
            return urgent.isEmpty() && ordinary.isEmpty();
        }

        void add(Task task) {
            (task.isUrgent ? urgent : ordinary).add(task);
        }

        @Nullable
        Task next() {
            Task task = runningAll < mostOfUser ? choose() : null;
            if (task != null) {
                runningAll++;
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

        boolean mayRun(ClientTasks tasks) {
            return mostOfClient == Integer.MAX_VALUE || running.getOrDefault(tasks.first.client, 0) < mostOfClient;
        }

        /** Whether there is nothing left of this user. */
        boolean finished(int client) {
            runningAll--;
            running.computeIfPresent(client, (key, count) -> count == 1 ? null : count - 1);
            return runningAll == 0 && isEmpty();
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
    private static final class Lane {
        private final UserTasks user;
        private final Map<Integer, ClientTasks> byClient = new HashMap<>();

        /** The client that was served last; the one behind it is next. */
        private @Nullable ClientTasks served;

        Lane(UserTasks user) {
            this.user = user;
        }

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
            while (!user.mayRun(before.next)) {
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
