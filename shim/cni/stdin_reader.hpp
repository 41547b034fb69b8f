#pragma once
/// The configuration text from stdin, bounded in size and time.
#include <chrono>
#include <string>

namespace shim {

constexpr std::size_t kStdinLimit = std::size_t{1} << 20;
constexpr std::chrono::seconds kStdinPatience{10};

/// Reads descriptor `fd` to its end.
/// Errors: throws CniError 5 when it cannot be read or is not closed within `patience`; 6 for more
/// than kStdinLimit bytes.
std::string read_stdin(int fd = 0, std::chrono::milliseconds patience = kStdinPatience);

}  // namespace shim
