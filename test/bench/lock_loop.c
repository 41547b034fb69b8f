/* The system calls that an ordinary ADD makes while it holds the network's lock, and nothing else: what the lock costs
 * at least. usage: lock_loop NETWORK_FOLDER RUN_FOLDER RECORD_FOLDER ROUNDS; the folders are an ADD's own, NETWORK_FOLDER
 * has a lock and a cursor. What a round makes it removes again, behind the lock. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static int expect(int result, const char* call) {
  if (result == -1) {
    perror(call);
    exit(1);
  }
  return result;
}

static void read_small(const char* path) {
  char text[256];
  int fd = expect(open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), path);
  expect((int)read(fd, text, sizeof text), "read");
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int network = expect(open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC), argv[1]);
  const int run = expect(open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC), argv[2]);
  const int records = expect(open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC), argv[3]);
  char lock_path[4096], parent[64], target[4096], entries[4096], stamp[90];
  char tomb[] = "tombs/0000000000000000000000000000000000000000000000000000000000000000";
  struct {
    struct file_handle head;
    unsigned char bytes[MAX_HANDLE_SZ];
  } handle;
  struct statx about;
  struct stat older;
  int mount;
  memset(stamp, 's', sizeof stamp);
  snprintf(lock_path, sizeof lock_path, "%s/lock", argv[1]);
  for (int left = atoi(argv[4]); left > 0; --left) {
    const int lock = expect(openat(network, "lock", O_RDONLY | O_NOFOLLOW | O_CLOEXEC), "lock");
    expect(statx(lock, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &about), "statx");
    expect(flock(lock, LOCK_EX | LOCK_NB), "flock");
    expect(statx(AT_FDCWD, lock_path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &about), "statx");
    readlinkat(run, "scan", target, sizeof target);
    const int folder = expect(open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC), argv[3]);
    readlinkat(run, tomb, target, sizeof target);
    snprintf(parent, sizeof parent, "/proc/%d/stat", getppid());
    read_small(parent);
    stat("/proc/self/ns/pid", &older);
    handle.head.handle_bytes = MAX_HANDLE_SZ;
    name_to_handle_at(AT_FDCWD, "/var/run/netns/none", &handle.head, &mount, AT_SYMLINK_FOLLOW);
    lseek(network, 0, SEEK_SET); /* the plugin's folder is a new descriptor */
    while (expect((int)getdents64(network, entries, sizeof entries), "getdents64") > 0) continue;
    readlinkat(records, "pod.bench_loop@eth0", target, sizeof target);
    const int cursor = expect(openat(network, "last_reserved_ip.0", O_RDWR | O_NOFOLLOW | O_CLOEXEC), "cursor");
    fstat(cursor, &older);
    const int length = expect((int)read(cursor, target, 64), "read");
    readlinkat(records, "ip.10.9.255.9", target + 64, 64);
    const int file = expect(openat(network, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), "O_TMPFILE");
    expect((int)write(file, "bench-loop\r\neth0", 16), "write");
    fsetxattr(file, "user.delegated-ipam", stamp, sizeof stamp, 0);
    expect(statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &about), "statx");
    expect(linkat(file, "", network, "10.9.255.9", AT_EMPTY_PATH), "linkat");
    expect(symlinkat("1~10.9.255.9~", records, "pod.bench_loop@eth0"), "symlinkat");
    expect(symlinkat("1~bench~loop~eth0~~0~0~325be87b", records, "ip.10.9.255.9"), "symlinkat");
    expect((int)pwrite(cursor, target, (size_t)length, 0), "pwrite");
    close(lock);
    fsync(file);
    fsync(network);
    fsync(records);
    unlinkat(network, "10.9.255.9", 0);
    unlinkat(records, "pod.bench_loop@eth0", 0);
    unlinkat(records, "ip.10.9.255.9", 0);
    close_range(records + 1, ~0U, 0);
    (void)folder;
  }
  return 0;
}
