#pragma once
/// The CNI environment of one call, read and validated in the Go library's order.
/// Source: CNI spec 1.1.0 section 2 "Execution Protocol"; facts of the reference library where the
/// spec is silent.
#include <functional>
#include <optional>
#include <string>

namespace shim {

/// Gives the value of an environment variable; nullptr when it is not set.
using VariableLookup = std::function<const char*(const char*)>;

struct Environment {
  std::string command;       ///< CNI_COMMAND, never empty
  std::string container_id;  ///< CNI_CONTAINERID; validated for ADD, DEL and CHECK
  std::string netns;         ///< CNI_NETNS; may be empty for DEL
  std::string ifname;        ///< CNI_IFNAME
  std::string args;          ///< CNI_ARGS, raw
  std::string path;          ///< CNI_PATH, raw
};

/// The value of CNI_COMMAND; nullopt when it is missing or empty: then we are not called as a
/// plugin.
std::optional<std::string> requested_command(const VariableLookup& lookup);

/// Reads and validates the environment.
/// Errors: throws CniError 4. A variable that is there but invalid is reported before a missing
/// one.
Environment read_environment(const VariableLookup& lookup);

/// True for what may be a name inside a folder: not "." or "..", and without "/" and NUL. Every
/// name that others give and that becomes part of a path passes this function, most of them by
/// is_identifier(), which asks for more.
bool is_file_name(std::string_view text);

/// True for what may be a container ID or a network name: letters, digits, "_", ".", "-", the first
/// a letter or digit.
bool is_identifier(std::string_view text);

}  // namespace shim
