// Waiting in tests: for a condition, with a deadline, never for an amount of time.
#ifndef SFD_TEST_AWAIT_H
#define SFD_TEST_AWAIT_H

#include <chrono>
#include <thread>

// Polls until the condition holds. False when it does not within ten seconds.
template <typename Condition> bool await(Condition condition)
{
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);

    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

#endif
