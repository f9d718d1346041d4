/* Janus and libnice take no candidate of a loopback interface. For them, in this bench, there is none: preloaded, this
 * says of every interface that it is an ordinary one. Nothing that happens to a packet is touched. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ifaddrs.h>
#include <net/if.h>

int getifaddrs(struct ifaddrs **found) {
    int (*real)(struct ifaddrs **) = (int (*)(struct ifaddrs **))dlsym(RTLD_NEXT, "getifaddrs");
    int result = real(found);
    if (result == 0)
        for (struct ifaddrs *each = *found; each; each = each->ifa_next)
            each->ifa_flags &= ~(unsigned)IFF_LOOPBACK;
    return result;
}
