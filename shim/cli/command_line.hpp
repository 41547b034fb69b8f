#pragma once
/// The operator's face of the executable.

namespace shim {

/// How the tool ends.
enum class ExitCode : int { fine = 0, found_something = 1, usage_or_io = 2 };

/// Runs the command line. Without arguments: name, version and CNI versions on stderr, as the
/// reference plugins do.
int run_command_line(int argc, char** argv);

}  // namespace shim
