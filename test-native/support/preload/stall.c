/*
 * Holds the event loops of a daemon while the file exists that SENDFILED_TEST_STALL names: they come back from none of
 * their waits, so that a test can see who notices. Preloaded. Thread: the loops'. The sandbox must let it see the file.
 */
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout_ms)
{
    const struct timespec moment = {.tv_nsec = 5000000};
    const char *name = getenv("SENDFILED_TEST_STALL");
    const int result = epoll_pwait(epoll, events, count, timeout_ms, NULL);

    while (name != NULL && access(name, F_OK) == 0)
        (void)nanosleep(&moment, NULL);
    return result;
}
