/*
 * Techniques in the client API: see <sendfiled/sendfiled.h>.
 *
 * Role: their names, and which of them this machine has. Thread: any; no state. Owns nothing.
 */
#include <sendfiled/sendfiled.h>

#include <errno.h>
#include <string.h>

#include "api.h"
#include "protocol/technique.h"
#include "sys/sys.h"

const char *sfd_get_technique_name(int technique)
{
    return technique >= 0 && technique < SFD_TECHNIQUES ? sfd_technique_name((enum sfd_technique)technique) : NULL;
}

int sfd_find_technique(const char *name)
{
    for (int technique = 0; name != NULL && technique < SFD_TECHNIQUES; technique++)
        if (strcmp(name, sfd_get_technique_name(technique)) == 0) return technique;
    return sfd_api_result(-EINVAL);
}

void sfd_probe_techniques(int errors[SFD_TECHNIQUES])
{
    const int before = errno;

    sfd_techniques_probe(&sfd_sys_linux, errors);
    for (int technique = 0; technique < SFD_TECHNIQUES; technique++)
        errors[technique] = -errors[technique];
    errno = before;
}
