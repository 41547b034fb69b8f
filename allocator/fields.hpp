#pragma once
/// Texts of several fields.
#include <string>
#include <vector>

namespace allocator::store {

/// The parts of `text` between separators; none for an empty text, and no empty last part.
std::vector<std::string> split(const std::string& text, char separator);

}  // namespace allocator::store
