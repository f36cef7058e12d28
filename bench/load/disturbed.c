/* Disturbs the disk and the clock of the processes that load it (LD_PRELOAD), and of nobody else.
 *
 * DISTURBED names a file of three int64 that a bench writes at any moment:
 *   [0] microseconds that each write and sync below DISTURBED_UNDER takes longer,
 *   [1] an errno (28 a full disk, 30 a read-only one) with which they fail,
 *   [2] seconds that the wall clock is wrong by.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t quiet[3], *told = quiet;
static const char *under = "";

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("DISTURBED");
    if (getenv("DISTURBED_UNDER")) under = getenv("DISTURBED_UNDER");
    int fd = path ? REAL(open)(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *view = mmap(NULL, sizeof quiet, PROT_READ, MAP_SHARED, fd, 0);
    if (view != MAP_FAILED) told = view;
    close(fd);
}

static int below(const char *path) { return !strncmp(path, under, strlen(under)); }

static int held(int fd) {
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return below(path);
}

/* What a call on a file of ours comes to: 0 where it may go on. */
static int hurt(int ours) {
    if (!ours) return 0;
    if (told[0]) usleep(told[0]);
    if (!told[1]) return 0;
    errno = told[1];
    return -1;
}

#define ACTIVE (told[0] || told[1])
#define ON_FILE(type, name, args, fd, call)                  \
    type name args {                                         \
        static type(*real) args;                             \
        if (!real) real = (type(*) args)dlsym(RTLD_NEXT, #name); \
        if (ACTIVE && hurt(held(fd))) return -1;             \
        return real call;                                    \
    }

ON_FILE(ssize_t, write, (int fd, const void *b, size_t n), fd, (fd, b, n))
ON_FILE(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), fd, (fd, b, n, o))
ON_FILE(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), fd, (fd, b, n, o))
ON_FILE(ssize_t, writev, (int fd, const struct iovec *v, int n), fd, (fd, v, n))
ON_FILE(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t o), fd, (fd, v, n, o))
ON_FILE(ssize_t, pwritev64, (int fd, const struct iovec *v, int n, off64_t o), fd, (fd, v, n, o))
ON_FILE(int, fsync, (int fd), fd, (fd))
ON_FILE(int, fdatasync, (int fd), fd, (fd))
ON_FILE(int, ftruncate, (int fd, off_t n), fd, (fd, n))
ON_FILE(int, ftruncate64, (int fd, off64_t n), fd, (fd, n))

/* These give their error back instead of setting errno. */
int posix_fallocate(int fd, off_t o, off_t n) {
    if (ACTIVE && hurt(held(fd))) return errno;
    return REAL(posix_fallocate)(fd, o, n);
}
int posix_fallocate64(int fd, off64_t o, off64_t n) {
    if (ACTIVE && hurt(held(fd))) return errno;
    return REAL(posix_fallocate64)(fd, o, n);
}

/* A read-only disk opens nothing for writing; a full one has no room for a new file. */
static int refused(const char *path, int flags) {
    if (!told[1] || path[0] != '/' || !below(path)) return 0;
    int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT);
    int fails = told[1] == EROFS ? writes : (flags & O_CREAT) && access(path, F_OK);
    if (told[1] == EROFS && (flags & O_CREAT) && (flags & O_ACCMODE) == O_RDONLY) fails = access(path, F_OK);
    if (fails) errno = told[1];
    return fails;
}

#define OPENING(name)                                        \
    int name(const char *path, int flags, ...) {             \
        va_list rest;                                        \
        va_start(rest, flags);                               \
        mode_t mode = va_arg(rest, mode_t);                  \
        va_end(rest);                                        \
        if (refused(path, flags)) return -1;                 \
        return REAL(name)(path, flags, mode);                \
    }
OPENING(open)
OPENING(open64)

#define OPENING_AT(name)                                     \
    int name(int at, const char *path, int flags, ...) {     \
        va_list rest;                                        \
        va_start(rest, flags);                               \
        mode_t mode = va_arg(rest, mode_t);                  \
        va_end(rest);                                        \
        if (refused(path, flags)) return -1;                 \
        return REAL(name)(at, path, flags, mode);            \
    }
OPENING_AT(openat)
OPENING_AT(openat64)

#define ON_PATH(name, args, path, call)                      \
    int name args {                                          \
        if (told[1] && path[0] == '/' && hurt(below(path))) return -1; \
        return REAL(name) call;                              \
    }
ON_PATH(mkdir, (const char *path, mode_t mode), path, (path, mode))
ON_PATH(rename, (const char *path, const char *to), path, (path, to))

int unlink(const char *path) {
    if (told[1] == EROFS && path[0] == '/' && hurt(below(path))) return -1;
    return REAL(unlink)(path);
}

int clock_gettime(clockid_t which, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(which, now);
    if (!done && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) now->tv_sec += told[2];
    return done;
}

int gettimeofday(struct timeval *now, void *zone) {
    static int (*real)(struct timeval *, void *);
    if (!real) real = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
    int done = real(now, zone);
    if (!done) now->tv_sec += told[2];
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
