/*
 * What a test and the fault shim (shim.c) share: one page of a file that both have mapped.
 *
 * The test writes the order while `generation` is 0, sets `generation` to a new number, and reads what came of it. The
 * shim writes the names of the calls when it is loaded, so nobody repeats their order; io.sendfiled.support.Faults
 * reads the same layout.
 */
#ifndef SFD_TEST_FAULTS_H
#define SFD_TEST_FAULTS_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULTS_VERSION 1u
#define FAULTS_CALLS   64 /* room for names and counters */
#define FAULTS_NAME    16 /* bytes of a name, with its NUL */

/* Instead of an errno: the call moves less than it was asked to. */
#define FAULTS_SHORT (-1)

struct faults {
    _Atomic uint32_t version;    /* 0: until the shim of the first process has filled this in */
    _Atomic uint32_t generation; /* of the order; 0: no faults */
    uint32_t call;               /* which call fails: an index of `name` */
    int32_t error;               /* errno, or FAULTS_SHORT */
    uint32_t first;              /* the first call that fails, from 1 on */
    uint32_t every;              /* and how many further on the next one; 0: no other */
    uint32_t limit;              /* most calls that fail; 0: as many as come */
    uint32_t calls;              /* how many names there are */
    _Atomic uint64_t seen;       /* calls of that kind since the order */
    _Atomic uint64_t failed;     /* of these, how many were made to fail */
    _Atomic uint64_t place;      /* of the last one: its return address, as addr2line wants it */
    _Atomic uint64_t reserved;
    _Atomic uint64_t count[FAULTS_CALLS]; /* of each kind, while any order is given */
    char name[FAULTS_CALLS][FAULTS_NAME];
};

/* Environment: the file to map, and the last part of the path of the library whose calls are meant. */
#define FAULTS_FILE   "SENDFILED_FAULTS"
#define FAULTS_TARGET "SENDFILED_FAULTS_TARGET"

#endif
