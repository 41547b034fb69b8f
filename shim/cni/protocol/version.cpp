#include "shim/cni/protocol/version.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using Numbers = std::array<int, 3>;

std::vector<std::string_view> split_at_dots(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  for (std::size_t end = 0; (end = text.find('.', start)) != std::string_view::npos;
       start = end + 1) {
    parts.push_back(text.substr(start, end - start));
  }
  parts.push_back(text.substr(start));
  return parts;
}

int parse_part(std::string_view part, std::string_view which) {
  std::string_view digits = part;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const bool whole = !digits.empty() && end == digits.data() + digits.size();
  if (whole && error == std::errc{}) return value;
  const std::string cause =
      whole && error == std::errc::result_out_of_range ? "value out of range" : "invalid syntax";
  throw CniError(ErrorCode::decoding_failure,
                 "failed to convert " + std::string(which) + " version part " + go_quoted(part) +
                     ": strconv.Atoi: parsing " + go_quoted(part) + ": " + cause);
}

Numbers parse(std::string_view version) {
  if (version.empty()) return {0, 1, 0};
  const auto parts = split_at_dots(version);
  if (parts.size() > 3) {
    throw CniError(ErrorCode::decoding_failure,
                   "invalid version " + go_quoted(version) + ": too many parts");
  }
  constexpr std::array<std::string_view, 3> names = {"major", "minor", "micro"};
  Numbers numbers{};
  for (std::size_t i = 0; i < parts.size(); ++i) numbers[i] = parse_part(parts[i], names[i]);
  return numbers;
}

}  // namespace

bool is_supported(std::string_view version) {
  return std::find(kSupportedVersions.begin(), kSupportedVersions.end(), version) !=
         kSupportedVersions.end();
}

bool at_least(std::string_view version, std::string_view minimum) {
  return parse(version) >= parse(minimum);
}

void require_supported(std::string_view version) {
  const std::string_view meant = version.empty() ? kOldestVersion : version;
  if (is_supported(meant)) return;
  std::string supported;
  for (const auto one : kSupportedVersions)
    supported += (supported.empty() ? "" : " ") + go_quoted(one);
  throw CniError(ErrorCode::incompatible_version, "incompatible CNI versions",
                 "config is " + go_quoted(meant) + ", plugin supports [" + supported + "]");
}

std::string_view first_version_with(std::string_view verb) {
  if (verb == "GC" || verb == "STATUS") return "1.1.0";
  return verb == "CHECK" ? "0.4.0" : kOldestVersion;
}

void require_verb(std::string_view version, std::string_view verb) {
  const auto first = first_version_with(verb);
  if (first == kOldestVersion) return;
  if (!at_least(version, first)) {
    throw CniError(ErrorCode::incompatible_version,
                   "config version does not allow " + std::string(verb));
  }
  if (!at_least(kNewestVersion, version)) {
    throw CniError(ErrorCode::incompatible_version,
                   "plugin version does not allow " + std::string(verb));
  }
}

std::string version_report() {
  std::string list;
  for (const auto version : kSupportedVersions)
    list += (list.empty() ? "\"" : ",\"") + std::string(version) + "\"";
  return R"({"cniVersion":")" + std::string(kNewestVersion) + R"(","supportedVersions":[)" + list +
         "]}\n";
}

std::string version_list() {
  std::string list;
  for (const auto version : kSupportedVersions)
    list += (list.empty() ? "" : ", ") + std::string(version);
  return list;
}

}  // namespace shim
