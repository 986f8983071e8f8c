// C11 atomics for C++ 17, so that tests can include the core's headers: std::atomic<T> has the layout of _Atomic(T)
// with every compiler that builds both. Include <atomic> before any extern "C" block.
#ifndef SFD_TEST_STDATOMIC_H
#define SFD_TEST_STDATOMIC_H

#include <atomic>

#define _Atomic(T) std::atomic<T>

using std::atomic_bool;
using std::atomic_int;
using std::atomic_load_explicit;
using std::atomic_store_explicit;
using std::atomic_uint;
using std::memory_order_relaxed;

#endif
