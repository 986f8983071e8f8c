/*
 * What the files of the client library share: how a function of its API ends.
 */
#ifndef SFD_CLIENT_API_H
#define SFD_CLIENT_API_H

#include <errno.h>

/* A result that is not negative, as it is; an internal -errno as -1 and errno, as in the original's API. */
static inline int sfd_api_result(int result)
{
    if (result < 0) {
        errno = -result;
        return -1;
    }
    return result;
}

#endif
