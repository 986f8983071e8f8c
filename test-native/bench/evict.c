/*
 * evict: makes files cold, so that what is read of them next comes from their disk (cold_common.c). Prints "cold".
 *
 *   evict FILE...
 *
 * Exit: 0; 1 if one cannot be made cold, which is said. Never: waits longer than 2 s for each.
 */
#include "bench_common.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        make_cold(argv[i]);
    puts("cold");
    return 0;
}
