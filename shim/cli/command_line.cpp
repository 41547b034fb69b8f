#include "shim/cli/command_line.hpp"

#include <CLI/CLI.hpp>

#include "shim/cni/plugin.hpp"

namespace shim {
namespace {

constexpr const char* kDescription =
    "CNI IPAM plugin that keeps pod addresses across reboots.\n"
    "Container runtimes run it with CNI_COMMAND set; put it into a CNI_PATH folder and write\n"
    "\"ipam\": {\"type\": \"delegated-ipam\", \"delegate\": {\"type\": \"host-local\", ...}} into "
    "a conflist.";

}  // namespace

int run_command_line(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << about_text();
    return static_cast<int>(ExitCode::fine);
  }
  CLI::App app(kDescription, "delegated-ipam");
  app.set_version_flag("--version", about_text());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return static_cast<int>(app.exit(error) == 0 ? ExitCode::fine : ExitCode::usage_or_io);
  }
  return static_cast<int>(ExitCode::fine);
}

}  // namespace shim
