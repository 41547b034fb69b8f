#include <csignal>

#include "shim/cli/commands.hpp"

namespace shim {
namespace {

/// Waits for the end of the pod that it is the only container of.
ExitCode wait_for_end() {
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  // As the first process of a container: without a handler the kernel would drop them.
  sigprocmask(SIG_BLOCK, &ends, nullptr);
  int received = 0;
  sigwait(&ends, &received);
  return ExitCode::fine;
}

}  // namespace

void add_pause(CommandSpec& root) {
  auto command = root.command(
      "pause", "wait for SIGTERM: what the installer's pod runs after it has installed");
  command.hide("hold");
  command.runs(&wait_for_end);
}

}  // namespace shim
