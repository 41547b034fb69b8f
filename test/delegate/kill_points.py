"""The system calls at which a kill or an error is worth a try; see kill_test.py."""

RUN = "/run/delegated-ipam"
KILLED = -9
TIMING = ("poll", "read", "write", "wait4", "rt_sigreturn", "getdents64")  # not the same number in each run
# A kill at one of these is a kill at the next of the others: nobody outside can tell.
UNSEEN = ("brk", "mmap", "munmap", "mprotect", "fstat", "newfstatat", "statx", "close", "lseek", "fcntl", "getpid",
          "gettid", "rt_sigaction", "rt_sigprocmask", "prctl", "getrandom", "clock_gettime", "fgetxattr", "readlinkat",
          "readlink", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "futex", "execve",
          "exit_group")


def seen(calls):
    """Those at which a kill makes a difference, from the first that comes to our files on."""
    first = next(place for place, call in enumerate(calls) if RUN in call.args)
    return [call for call in calls[first:] if call.name not in UNSEEN]


def place(call):
    return f"{call.name} number {call.occurrence} ({call.args[:100]})"


def is_error(outcome):
    """True for exit code 1 and a CNI error."""
    answer = outcome.json or {}
    return outcome.exit == 1 and answer.get("code", 0) > 0 and bool(answer.get("msg")) and "ips" not in answer
