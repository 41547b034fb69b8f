#pragma once
/// SHA-256 of short texts: names for keys that are too long for a file name, and the container ID
/// in a stamp.
#include <cstdint>
#include <string>
#include <string_view>

namespace allocator::store {

/// SHA-256 as 64 lower-case hexadecimal digits (FIPS 180-4).
std::string sha256_hex(std::string_view text);
/// The first eight bytes of it, as a number.
std::uint64_t sha256_number(std::string_view text);

}  // namespace allocator::store
