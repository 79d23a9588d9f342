/*
 * A disk that fails under a program that has its files open, by LD_PRELOAD: fsync(2) and fdatasync(2)
 * hang while the file that HANG_WHILE names is there, and whatever writes to a regular file is
 * refused with EROFS, as after an error that makes the kernel mount a file system read-only, while
 * the file that READ_ONLY_WHILE names is there.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static int is_there(const char *variable) {
  const char *path = getenv(variable);
  return path != NULL && access(path, F_OK) == 0;
}

static void hang(void) {
  while (is_there("HANG_WHILE")) usleep(10000);
}

static int is_refused(int fd) {
  struct stat found;
  if (!is_there("READ_ONLY_WHILE")) return 0;
  if (fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return 0;
  errno = EROFS;
  return 1;
}

int fsync(int fd) {
  hang();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  hang();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}

ssize_t write(int fd, const void *octets, size_t count) {
  if (is_refused(fd)) return -1;
  return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(fd, octets, count);
}

ssize_t pwrite64(int fd, const void *octets, size_t count, off64_t at) {
  if (is_refused(fd)) return -1;
  return ((ssize_t (*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64"))(
      fd, octets, count, at);
}

ssize_t pwrite(int fd, const void *octets, size_t count, off_t at) {
  return pwrite64(fd, octets, count, at);
}

int ftruncate64(int fd, off64_t length) {
  if (is_refused(fd)) return -1;
  return ((int (*)(int, off64_t))dlsym(RTLD_NEXT, "ftruncate64"))(fd, length);
}

int ftruncate(int fd, off_t length) {
  return ftruncate64(fd, length);
}
