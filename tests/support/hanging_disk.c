/* Lets fsync(2) and fdatasync(2) hang while the file that HANG_WHILE names is there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void hang(void) {
  const char *path = getenv("HANG_WHILE");
  while (path != NULL && access(path, F_OK) == 0) usleep(10000);
}

int fsync(int fd) {
  hang();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd) {
  hang();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
