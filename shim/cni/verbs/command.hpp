#pragma once
/// One CNI command, with everything it works on.
#include <functional>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"
#include "delegate/process.hpp"
#include "shim/cni/announce/wire.hpp"
#include "shim/cni/conf/head.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

struct Command {
  const Environment& environment;
  const Json& document;
  const ConfHead& head;
  allocator::store::FileSystem& fs;
  delegate::ProcessRunner& processes;
  /// Our whole environment, as execve(2) has it.
  const char* const* variables;
  const std::function<void(std::string_view)>& write_stdout;
  const std::function<void(std::string_view)>& write_stderr;
  /// Where addresses are announced; null: nowhere.
  announce::Wire* wire;
};

}  // namespace shim
