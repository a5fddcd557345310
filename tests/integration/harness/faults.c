/* Loaded before the program's libraries: makes system calls fail as a test says in the file FAULTS,
 * which both map, while the program runs.
 *
 * A disk that is full: files under FAULTS_DIRECTORY take no byte beyond their size. Sockets: accept
 * fails so many times, a send takes no more than so many bytes, a send fails so many times, one is cut. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct faults {
  int64_t disk_full;          /* not 0: nothing grows */
  int64_t accepts_to_fail;    /* with EMFILE; counted down */
  int64_t send_bytes_max;     /* 0: as many as the kernel takes */
  int64_t sends_to_fail;      /* with ENOBUFS; counted down */
  int64_t send_to_cut;        /* the next send takes so many bytes; its socket sends none after it */
  int64_t failed;             /* how many calls were made to fail */
};

static struct faults none;
static struct faults *faults = &none;
static const char *directory;

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
  const char *name = getenv("FAULTS");
  int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
  directory = getenv("FAULTS_DIRECTORY");
  if (file < 0) return;
  void *mapped = mmap(0, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped != MAP_FAILED) faults = mapped;
  close(file);
}

static int counted_down(int64_t *left) {
  if (__atomic_load_n(left, __ATOMIC_SEQ_CST) <= 0) return 0;
  if (__atomic_fetch_sub(left, 1, __ATOMIC_SEQ_CST) <= 0) return 0;
  __atomic_fetch_add(&faults->failed, 1, __ATOMIC_SEQ_CST);
  return 1;
}

/* Whether a write up to `end` finds no room. */
static int no_room(int file, off_t end) {
  if (!__atomic_load_n(&faults->disk_full, __ATOMIC_SEQ_CST) || !directory) return 0;
  struct stat status;
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || end <= status.st_size) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t size = readlink(link, path, sizeof path - 1);
  if (size < 0) return 0;
  path[size] = 0;
  if (strncmp(path, directory, strlen(directory)) != 0) return 0;
  __atomic_fetch_add(&faults->failed, 1, __ATOMIC_SEQ_CST);
  errno = ENOSPC;
  return 1;
}

/* --- files */

static off_t at(int file) {
  int flags = fcntl(file, F_GETFL);
  return lseek(file, 0, flags >= 0 && flags & O_APPEND ? SEEK_END : SEEK_CUR);
}

ssize_t write(int file, const void *bytes, size_t count) {
  REAL(write);
  int64_t most = __atomic_load_n(&faults->send_bytes_max, __ATOMIC_SEQ_CST);
  if (most > 0 && (size_t)most < count) {
    struct stat status;
    if (fstat(file, &status) == 0 && S_ISSOCK(status.st_mode)) count = (size_t)most;
  }
  if (faults->disk_full && no_room(file, at(file) + (off_t)count)) return -1;
  return real(file, bytes, count);
}

ssize_t writev(int file, const struct iovec *parts, int count) {
  REAL(writev);
  off_t bytes = 0;
  for (int i = 0; i < count; ++i) bytes += (off_t)parts[i].iov_len;
  if (faults->disk_full && no_room(file, at(file) + bytes)) return -1;
  return real(file, parts, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
  REAL(pwrite);
  if (no_room(file, offset + (off_t)count)) return -1;
  return real(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
  REAL(pwrite64);
  if (no_room(file, offset + (off_t)count)) return -1;
  return real(file, bytes, count, offset);
}

int fallocate(int file, int mode, off_t offset, off_t length) {
  REAL(fallocate);
  if (no_room(file, offset + length)) return -1;
  return real(file, mode, offset, length);
}

int fallocate64(int file, int mode, off64_t offset, off64_t length) {
  REAL(fallocate64);
  if (no_room(file, offset + length)) return -1;
  return real(file, mode, offset, length);
}

/* --- sockets */

int accept(int socket, struct sockaddr *address, socklen_t *length) {
  REAL(accept);
  if (counted_down(&faults->accepts_to_fail)) {
    errno = EMFILE;
    return -1;
  }
  return real(socket, address, length);
}

int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags) {
  REAL(accept4);
  if (counted_down(&faults->accepts_to_fail)) {
    errno = EMFILE;
    return -1;
  }
  return real(socket, address, length, flags);
}

/* The socket of the send that was cut; -1: none was. */
static int cut_socket = -1;

/* What the program sends to itself is not what a test means. */
static int to_a_peer(int socket) {
  int domain = 0;
  socklen_t size = sizeof domain;
  return getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

/* Whether a send fails. */
static int send_fails(int socket) {
  if (!to_a_peer(socket)) return 0;
  int cut = socket == __atomic_load_n(&cut_socket, __ATOMIC_SEQ_CST);
  if (cut) __atomic_fetch_add(&faults->failed, 1, __ATOMIC_SEQ_CST);
  if (!cut && !counted_down(&faults->sends_to_fail)) return 0;
  errno = ENOBUFS;
  return 1;
}

/* Another socket may get the same number. */
int close(int file) {
  REAL(close);
  int cut = file;
  __atomic_compare_exchange_n(&cut_socket, &cut, -1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return real(file);
}

/* How many bytes a send may take; 0: as many as the kernel takes. */
static int64_t most_of_a_send(int socket) {
  if (!to_a_peer(socket)) return 0;
  int64_t cut = __atomic_exchange_n(&faults->send_to_cut, 0, __ATOMIC_SEQ_CST);
  if (cut <= 0) return __atomic_load_n(&faults->send_bytes_max, __ATOMIC_SEQ_CST);
  __atomic_store_n(&cut_socket, socket, __ATOMIC_SEQ_CST);
  return cut;
}

ssize_t send(int socket, const void *bytes, size_t count, int flags) {
  REAL(send);
  if (send_fails(socket)) return -1;
  int64_t most = most_of_a_send(socket);
  return real(socket, bytes, most > 0 && (size_t)most < count ? (size_t)most : count, flags);
}

ssize_t sendmsg(int socket, const struct msghdr *message, int flags) {
  REAL(sendmsg);
  if (send_fails(socket)) return -1;
  int64_t most = most_of_a_send(socket);
  if (most <= 0) return real(socket, message, flags);
  struct msghdr shorter = *message;
  for (size_t i = 0; i < message->msg_iovlen; ++i) {
    if (message->msg_iov[i].iov_len == 0) continue;
    struct iovec part = message->msg_iov[i];
    if (part.iov_len > (size_t)most) part.iov_len = (size_t)most;
    shorter.msg_iov = &part;
    shorter.msg_iovlen = 1;
    return real(socket, &shorter, flags);
  }
  return real(socket, message, flags);
}
