#include "shim/cni/protocol/arguments.hpp"

#include <algorithm>
#include <cctype>
#include <vector>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

struct Pair {
  std::string_view text;
  std::string_view key;
  std::string_view value;
  bool well_formed;
};

std::vector<Pair> split_pairs(std::string_view text) {
  std::vector<Pair> pairs;
  std::size_t start = 0;
  while (start <= text.size()) {
    const auto end = std::min(text.find(';', start), text.size());
    const std::string_view pair = text.substr(start, end - start);
    const auto equals = pair.find('=');
    const bool well_formed = std::count(pair.begin(), pair.end(), '=') == 1;
    pairs.push_back(well_formed ? Pair{pair, pair.substr(0, equals), pair.substr(equals + 1), true}
                                : Pair{pair, {}, {}, false});
    start = end + 1;
  }
  return pairs;
}

[[noreturn]] void fail_arguments(const std::string& text) {
  throw CniError(ErrorCode::internal, "ARGS: " + text);
}

bool parse_flag(const Pair& pair) {
  std::string value(pair.value);
  std::transform(value.begin(), value.end(), value.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  fail_arguments("error parsing value of pair " + go_quoted(pair.text) +
                 ": boolean unmarshal error: invalid input " + cut(value));
}

std::optional<allocator::Address> parse_ip(const Pair& pair) {
  if (pair.value.empty()) return std::nullopt;
  const auto address = parse_requested_address(pair.value);
  if (!address) {
    fail_arguments("error parsing value of pair " + go_quoted(pair.text) + ": invalid IP address " +
                   cut(pair.value));
  }
  return address;
}

/// Stores a Kubernetes key; false for any other.
bool take_pod_key(const Pair& pair, Arguments& arguments) {
  if (pair.key == "K8S_POD_NAMESPACE") arguments.pod_namespace = pair.value;
  if (pair.key == "K8S_POD_NAME") arguments.pod_name = pair.value;
  if (pair.key == "K8S_POD_UID") arguments.pod_uid = pair.value;
  return pair.key.starts_with("K8S_POD_");
}

[[noreturn]] void fail_unknown(const std::vector<std::string_view>& pairs) {
  std::string list;
  for (const auto& pair : pairs) list += (list.empty() ? "" : " ") + go_quoted(pair);
  throw CniError(ErrorCode::internal, "ARGS: unknown args [" + list + "]", {},
                 "add IgnoreUnknown=1 to CNI_ARGS to have them ignored");
}

}  // namespace

std::optional<allocator::Address> parse_requested_address(std::string_view text) {
  if (text.find('/') == std::string_view::npos) return allocator::Address::parse(text);
  const auto cidr = allocator::Cidr::parse(text);
  if (!cidr) return std::nullopt;
  return cidr->address;
}

Arguments parse_arguments(std::string_view text) {
  Arguments arguments;
  if (text.empty()) return arguments;
  bool ignore_unknown = false;
  std::vector<std::string_view> unknown;
  for (const auto& pair : split_pairs(text)) {
    if (!pair.well_formed) {
      throw CniError(ErrorCode::internal, "ARGS: invalid pair " + go_quoted(pair.text), {},
                     "CNI_ARGS must be KEY=VALUE;KEY=VALUE without a \";\" at the end");
    }
    if (pair.key == "IgnoreUnknown") {
      ignore_unknown = parse_flag(pair);
    } else if (pair.key == "IP") {
      arguments.ip = parse_ip(pair);
    } else if (pair.key == "CommonArgs") {
      fail_arguments(
          "cannot unmarshal into field 'CommonArgs' - type '*types.CommonArgs' does not implement "
          "encoding.TextUnmarshaler");
    } else {
      take_pod_key(pair, arguments);
      unknown.push_back(pair.text);
    }
  }
  if (!unknown.empty() && !ignore_unknown) fail_unknown(unknown);
  return arguments;
}

Arguments parse_arguments_leniently(std::string_view text) {
  Arguments arguments;
  for (const auto& pair : split_pairs(text)) {
    if (!pair.well_formed) continue;
    if (pair.key == "IP") arguments.ip = parse_requested_address(pair.value);
    take_pod_key(pair, arguments);
  }
  return arguments;
}

}  // namespace shim
