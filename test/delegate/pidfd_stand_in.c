/* Valgrind up to 3.20 knows no pidfd_open(2). Preloaded, this answers it with the reading end of a pipe that is closed
 * when the process has ended: poll(2) tells the same, and it is a descriptor that must be closed like the real one.
 * Every other call of syscall(3) goes to the kernel. For x86-64. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kMost = 64 };
static pthread_t watchers[kMost];
static int watcher_count;

/* The watchers' own descriptors and memory are not the program's: they go before it is looked what is left. */
__attribute__((destructor)) static void join_watchers(void) {
  for (int i = 0; i < watcher_count; ++i) pthread_join(watchers[i], NULL);
}

/* `both`: the process in the upper half, the pipe's other end in the lower one. */
static void* watch(void* both) {
  siginfo_t ignored;
  const id_t pid = (id_t)((uintptr_t)both >> 32);
  while (waitid(P_PID, pid, &ignored, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  close((int)((uintptr_t)both & 0xffffffff));
  return NULL;
}

static long raw(long number, const long* a) {
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

static long stand_in(pid_t pid) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  if (pid == getpid()) {
    close(ends[1]);
    return ends[0];
  }
  const uintptr_t both = (uintptr_t)pid << 32 | (uintptr_t)ends[1];
  if (watcher_count == kMost) abort();
  if (pthread_create(&watchers[watcher_count], NULL, watch, (void*)both) != 0) return -1;
  ++watcher_count;
  return ends[0];
}

long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  return number == SYS_pidfd_open ? stand_in((pid_t)a[0]) : raw(number, a);
}
