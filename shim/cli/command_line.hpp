#pragma once
/// The operator's face of the executable.

namespace shim {

/// Runs the command line; returns the exit code (shim/cli/command.hpp). Without arguments: name,
/// version and CNI versions on stderr, as the reference plugins do.
int run_command_line(int argc, char** argv);

}  // namespace shim
