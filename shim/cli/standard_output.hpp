#pragma once
/// What a command tells people: its answer on standard output, what stands beside it on standard
/// error.
#include <string_view>

namespace shim {

/// Writes to standard output. Who reads only the first lines (head) is no error.
/// Errors: throws UsageError when it cannot be written.
void write_stdout(std::string_view text);

/// Writes what is told beside the answer.
void write_stderr(std::string_view text);

}  // namespace shim
