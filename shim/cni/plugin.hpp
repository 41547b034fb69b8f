#pragma once
/// The plugin: one CNI command from environment and stdin to stdout and exit code.
#include <functional>
#include <string>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"
#include "delegate/process.hpp"
#include "shim/cni/announce/wire.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim {

/// Where a command's input comes from and its output goes to.
struct PluginIo {
  VariableLookup variables;
  /// The whole of it; throws CniError for more than `limit` bytes.
  std::function<std::string(std::size_t limit)> read_stdin;
  /// Throws std::system_error when not all of the text could be written.
  std::function<void(std::string_view)> write_stdout;
  std::function<void(std::string_view)> write_stderr;
  /// The whole environment, as execve(2) has it: delegates get their share of it.
  const char* const* all_variables;
  /// Where addresses are announced; null: nowhere.
  announce::Wire* wire = nullptr;
};

/// Runs the command of CNI_COMMAND and returns the exit code: 0, or 1 after an error object on
/// stdout and one line on stderr. Never throws.
int run_plugin(const PluginIo& io, allocator::store::FileSystem& fs,
               delegate::ProcessRunner& processes);

/// Who we are, and which versions we speak: what a plugin prints on stderr when it is run by hand.
std::string about_text();

}  // namespace shim
