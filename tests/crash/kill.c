/* Loaded before the program: ends it, as kill -9 would, just before the write or sync whose number
   stands in KILL_AT. With KILL_COUNT set it counts them into that file instead. The program is
   partnerctl, or the one that KILL_PROGRAM names. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static long calls;
extern char *program_invocation_short_name;

static void point(int fd) {
    /* What goes to the terminal is no state. */
    if (fd <= 2) return;
    /* Other programs, which it starts or which start it, are not killed: they are somebody else. */
    const char *program = getenv("KILL_PROGRAM");
    if (strcmp(program_invocation_short_name, program ? program : "partnerctl")) return;
    calls++;
    const char *at = getenv("KILL_AT");
    if (at && atol(at) == calls) kill(getpid(), SIGKILL);
    const char *count = getenv("KILL_COUNT");
    if (count) {
        FILE *file = fopen(count, "w");
        if (file) { fprintf(file, "%ld", calls); fclose(file); }
    }
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { REAL(pwrite64); point(fd); return real(fd, b, n, o); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { REAL(pwrite); point(fd); return real(fd, b, n, o); }
ssize_t write(int fd, const void *b, size_t n) { REAL(write); point(fd); return real(fd, b, n); }
int fsync(int fd) { REAL(fsync); point(fd); return real(fd); }
int fdatasync(int fd) { REAL(fdatasync); point(fd); return real(fd); }
int ftruncate64(int fd, off64_t l) { REAL(ftruncate64); point(fd); return real(fd, l); }
int ftruncate(int fd, off_t l) { REAL(ftruncate); point(fd); return real(fd, l); }
int unlink(const char *path) { REAL(unlink); point(99); return real(path); }
