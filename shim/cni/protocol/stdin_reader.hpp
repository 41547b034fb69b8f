#pragma once
/// The configuration text from stdin, bounded in size and time.
#include <chrono>
#include <cstdint>
#include <string>

namespace shim {

/// What ADD and STATUS take: more than Kubernetes' 256 KiB of annotations as JSON (six bytes for a
/// "<") beside any configuration.
constexpr std::size_t kStdinLimit = std::size_t{4} << 20;
/// What DEL, CHECK and GC take: what has been added must be released, whatever a runtime adds
/// since.
constexpr std::size_t kReleaseStdinLimit = std::size_t{16} << 20;
constexpr std::chrono::seconds kStdinPatience{10};

/// Whether the writer has closed its end: what can be read now is all there is.
enum class Writer : std::uint8_t { gone, unknown };

/// Reads descriptor `fd` to its end. `writer`: what poll(2) has said already; once it is gone,
/// nothing has to be waited for.
/// Errors: throws CniError 5 when it cannot be read or is not closed within `patience`; 6 for more
/// than `limit` bytes.
std::string read_stdin(std::size_t limit, int fd = 0,
                       std::chrono::milliseconds patience = kStdinPatience,
                       Writer writer = Writer::unknown);

}  // namespace shim
