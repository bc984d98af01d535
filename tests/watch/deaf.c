/* Preloaded into partnerctl: a system that does not tell of changes. DEAF=init: there is no inotify;
 * DEAF=add: no more folders can be watched. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int deaf(const char *how) {
    const char *set = getenv("DEAF");
    return set && !strcmp(set, how);
}

int inotify_init1(int flags) {
    if (deaf("init")) {
        errno = EMFILE;
        return -1;
    }
    return (int)syscall(SYS_inotify_init1, flags);
}

int inotify_add_watch(int fd, const char *path, uint32_t mask) {
    if (deaf("add")) {
        errno = ENOSPC;
        return -1;
    }
    return (int)syscall(SYS_inotify_add_watch, fd, path, mask);
}
