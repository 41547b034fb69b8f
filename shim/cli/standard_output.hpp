#pragma once
/// What a command tells people: its answer on standard output, what stands beside it on standard
/// error.
#include <string_view>

namespace shim {

/// Writes to standard output. Who reads only the first lines (head) is no error.
/// Errors: throws UsageError when it cannot be written.
void write_stdout(std::string_view text);

/// True when an open file is a terminal that knows colours and the like: not by TERM a dumb one.
bool is_rich_terminal(int fd);

/// Writes what is told beside the answer.
void write_stderr(std::string_view text);

}  // namespace shim
