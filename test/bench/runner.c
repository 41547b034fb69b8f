/* Runs commands that it reads from stdin, and tells what each took. Small and static, so that it adds little of its
 * own: a child that is started with vfork(2) begins with its parent's memory in its own peak.
 *
 *     e KEY=VALUE      one variable of the next command's environment, which has no other
 *     a ARGUMENT       one argument of the next command
 *     r STDIN BINARY   run it, wait for it; the next one has no variables and no arguments again
 *     s STDIN BINARY   start it, and wait for nothing
 *     j                wait for all that were started
 *     x                print a line "." and everything before it
 *
 * r and j print a line a command: "<start> <end> <status of wait(2)> <peak memory in KiB> <processor>", times in ns of
 * CLOCK_MONOTONIC, from before the fork until it is collected; the processor in us that it and its children have used.
 * What commands print is appended to the file that the argument names; it is emptied by the first command after x.
 * Paths have no spaces. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kLine = 65536, kVariables = 64, kArguments = 64, kRunning = 4096 };

struct Command {
  pid_t pid;
  long long start, end;
  int status;
  long peak;
  long long processor;
};

static struct Command commands[kRunning];
static int running;
static char* environment[kVariables + 1];
static int variables;
static char* words[1 + kArguments + 1];  /* the first is the binary */
static int arguments;
static int is_first = 1;

static void fail(const char* what) {
  fprintf(stderr, "runner: %s\n", what);
  exit(1);
}

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void start(struct Command* command, const char* input, char* binary, const char* output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_APPEND, 0);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  if (is_first && truncate(output, 0) != 0) fail("cannot empty the file for answers");
  is_first = 0;
  words[0] = binary;
  command->start = now();
  if (posix_spawn(&command->pid, binary, &actions, NULL, words, environment) != 0) fail(binary);
  posix_spawn_file_actions_destroy(&actions);
  for (; arguments > 0; --arguments) {
    free(words[arguments]);
    words[arguments] = NULL;
  }
  while (variables > 0) free(environment[--variables]);
  environment[0] = NULL;
}

static void ended(struct Command* command, int status, const struct rusage* used) {
  command->end = now();
  command->status = status;
  command->peak = used->ru_maxrss;
  command->processor = (used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000LL + used->ru_utime.tv_usec +
                       used->ru_stime.tv_usec;
}

static void print(const struct Command* command) {
  printf("%lld %lld %d %ld %lld\n", command->start, command->end, command->status, command->peak, command->processor);
}

static void run(const char* input, char* binary, const char* output) {
  struct Command command;
  struct rusage used;
  int status;
  start(&command, input, binary, output);
  if (wait4(command.pid, &status, 0, &used) != command.pid) fail("wait4");
  ended(&command, status, &used);
  print(&command);
}

static void join(void) {
  for (int left = running; left > 0; --left) {
    struct rusage used;
    int status;
    pid_t pid = wait4(-1, &status, 0, &used);
    if (pid < 0) fail("wait4");
    for (int i = 0; i < running; ++i)
      if (commands[i].pid == pid) ended(&commands[i], status, &used);
  }
  for (int i = 0; i < running; ++i) print(&commands[i]);
  running = 0;
}

int main(int count, char** given) {
  static char line[kLine];
  if (count != 2) fail("usage: runner FILE-FOR-ANSWERS");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\n")] = '\0';
    char* rest = line + 2;
    char* binary = line[0] == 'r' || line[0] == 's' ? strchr(rest, ' ') : NULL;
    if (binary) *binary++ = '\0';
    if (line[0] == 'e' && variables < kVariables) {
      environment[variables++] = strdup(rest);
      environment[variables] = NULL;
    } else if (line[0] == 'a' && arguments < kArguments) {
      words[++arguments] = strdup(rest);
    } else if (line[0] == 'r' && binary) {
      run(rest, binary, given[1]);
    } else if (line[0] == 's' && binary && running < kRunning) {
      start(&commands[running++], rest, binary, given[1]);
    } else if (line[0] == 'j') {
      join();
    } else if (line[0] == 'x') {
      puts(".");
      fflush(stdout);
      is_first = 1;
    } else {
      fail("a line that says nothing");
    }
  }
  return 0;
}
