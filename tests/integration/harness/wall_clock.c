/* Loaded before the program's libraries: adds to CLOCK_REALTIME the seconds that stand in the file
 * WALL_CLOCK_OFFSET, and to CLOCK_BOOTTIME those in the file SUSPENDED, which a test changes while
 * the program runs, and reads the file BOOT_ID where the program asks for the boot's name. Other
 * clocks are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset, *suspended;
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_open)(const char *, int, ...);

static volatile int64_t *number_in(const char *variable) {
  const char *name = getenv(variable);
  int file = name ? real_open(name, O_RDONLY) : -1;
  if (file < 0) return 0;
  void *mapped = mmap(0, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  return mapped != MAP_FAILED ? mapped : 0;
}

__attribute__((constructor)) static void begin(void) {
  real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  real_open = dlsym(RTLD_NEXT, "open");
  offset = number_in("WALL_CLOCK_OFFSET");
  suspended = number_in("SUSPENDED");
}

int clock_gettime(clockid_t clock, struct timespec *out) {
  if (!real_clock_gettime) real_clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real_clock_gettime(clock, out);
  int wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  if (result == 0 && offset && wall) out->tv_sec += *offset;
  if (result == 0 && suspended && clock == CLOCK_BOOTTIME) out->tv_sec += *suspended;
  return result;
}

int gettimeofday(struct timeval *out, void *zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

static int opened(const char *path, int flags, va_list more) {
  const char *boot = getenv("BOOT_ID");
  if (!real_open) real_open = dlsym(RTLD_NEXT, "open");
  if (boot && !strcmp(path, "/proc/sys/kernel/random/boot_id")) path = boot;
  return real_open(path, flags, flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0);
}

int open(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int result = opened(path, flags, more);
  va_end(more);
  return result;
}

int open64(const char *path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  int result = opened(path, flags, more);
  va_end(more);
  return result;
}
