#pragma once
/// Texts of several fields, and numbers in them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace allocator {

/// The parts of `text` between separators; none for an empty text, and no empty last part.
std::vector<std::string> split(const std::string& text, char separator);

/// The same of a record, whose empty last field is one too: what was cut must not look whole.
/// They lie in `text`.
std::vector<std::string_view> fields_of(std::string_view text, char separator);

/// A decimal number without anything around it.
/// Errors: nullopt, also over 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace allocator
