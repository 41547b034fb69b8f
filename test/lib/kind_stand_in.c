/* The programs on PATH that kind_stand_in.py stands in for: none knows anything. Each tells the server at the socket
 * that KIND_STAND_INS names how it was called, and says and returns what is answered. Static, as a run starts hundreds.
 *
 *     call      number of arguments, arguments (the name first), each ended by a NUL; then what is on stdin, if "-" or
 *               "-i" is an argument, and a NUL: without it the caller was killed
 *     answer    two uint32_t: exit code, bytes for stdout; then these, and the rest for stderr
 *
 * A call is sent when it is complete: the server takes one after the other and waits for nobody. A server that ends
 * without an answer ends the call: exit code 69. */
#include <libgen.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char* what) {
  perror(what);
  exit(69);
}

/* All that comes until the end, in memory that nobody frees. */
static char* read_all(int fd, size_t* size) {
  char* data = NULL;
  ssize_t count;
  *size = 0;
  do {
    data = realloc(data, *size + 65536);
    if (data == NULL) fail("memory");
    count = read(fd, data + *size, 65536);
    if (count < 0) fail("stand-in: read");
    *size += (size_t)count;
  } while (count > 0);
  return data;
}

static void write_all(int fd, const char* data, size_t size) {
  while (size > 0) {
    const ssize_t count = write(fd, data, size);
    if (count < 0) fail("stand-in: write");
    data += count;
    size -= (size_t)count;
  }
}

static int connected(void) {
  struct sockaddr_un place = {.sun_family = AF_UNIX};
  const char* path = getenv("KIND_STAND_INS");
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  strncpy(place.sun_path, path ? path : "", sizeof place.sun_path - 1);
  if (connect(server, (struct sockaddr*)&place, sizeof place) != 0)
    fail("stand-in: no server at KIND_STAND_INS");
  return server;
}

int main(int count, char** arguments) {
  uint32_t head[2];
  size_t size = 0;
  char number[16];
  char* input = NULL;
  arguments[0] = basename(arguments[0]);
  for (int i = 1; i < count && !input; ++i)
    if (!strcmp(arguments[i], "-") || !strcmp(arguments[i], "-i")) input = read_all(0, &size);

  const int server = connected();
  signal(SIGPIPE, SIG_IGN); /* a server that goes away is told of */
  write_all(server, number, (size_t)sprintf(number, "%d", count) + 1);
  for (int i = 0; i < count; ++i) write_all(server, arguments[i], strlen(arguments[i]) + 1);
  write_all(server, input, size);
  write_all(server, "", 1);
  shutdown(server, SHUT_WR);
  signal(SIGPIPE, SIG_DFL);

  const char* answer = read_all(server, &size);
  if (size < sizeof head) {
    fprintf(stderr, "stand-in: the server has ended without an answer to %s\n", arguments[0]);
    return 69;
  }
  memcpy(head, answer, sizeof head);
  answer += sizeof head;
  write_all(1, answer, head[1]);
  write_all(2, answer + head[1], size - sizeof head - head[1]);
  return (int)head[0];
}
