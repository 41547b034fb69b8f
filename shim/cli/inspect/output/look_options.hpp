#pragma once
/// The options that say how a reading command's answer looks.
#include <string>

#include "shim/cli/command.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

struct LookOptions {
  std::string output = "table";
  std::string columns;  ///< separated by commas
  bool no_headers = false;
};

/// Which forms a command has.
enum class Forms : std::uint8_t {
  all,        ///< table, wide, json, yaml, name
  documents,  ///< a text for people, json, yaml
  metrics     ///< those, and prometheus, svg and html
};

/// Declares -o and, where there is a table, --columns and --no-headers. `options` must outlive the
/// parsing.
void add_look_options(CommandSpec& command, Forms forms, LookOptions& options);

/// What they say, and whether the terminal takes colours: only where standard output is one, and
/// NO_COLOR is empty or not set (no-color.org).
/// Errors: throws UsageError for a form that the command has not.
Look read_look(const LookOptions& options, Forms forms);

}  // namespace shim::inspect
