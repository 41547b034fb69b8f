#pragma once
/// By which the installer knows that what is mounted are the ranges that it was made for. Pure.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace shim {

/// Each node's name and what its key of the ConfigMap has, a CIDR block a line.
using NodeTexts = std::vector<std::pair<std::string, std::string>>;

/// Tells one cluster's ranges from another's, or from what they were.
/// Format: SHA-256, in 64 small hexadecimal digits, of {"node":["CIDR",...],...} as JSON without
/// spaces, nodes in the order of their names' bytes. Our Helm chart makes the same of its values.
std::string ranges_checksum(NodeTexts nodes);

/// True for what may be one.
bool is_ranges_checksum(std::string_view text);

}  // namespace shim
