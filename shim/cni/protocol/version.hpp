#pragma once
/// CNI versions: which ones we speak, and how they compare.
#include <array>
#include <string>
#include <string_view>

namespace shim {

constexpr std::array<std::string_view, 7> kSupportedVersions = {"0.1.0", "0.2.0", "0.3.0", "0.3.1",
                                                                "0.4.0", "1.0.0", "1.1.0"};
constexpr std::string_view kNewestVersion = kSupportedVersions.back();
constexpr std::string_view kOldestVersion = kSupportedVersions.front();

/// True when `version` is literally one of ours: "1.0" and "v1.0.0" are not.
bool is_supported(std::string_view version);

/// True when `version` is at least `minimum`; an empty version means 0.1.0.
/// Errors: throws CniError 6 with the Go library's text for what is no version.
bool at_least(std::string_view version, std::string_view minimum);

/// Errors: throws CniError 1 "incompatible CNI versions" for a version that is not supported; empty
/// means 0.1.0.
void require_supported(std::string_view version);

/// The first version that has a verb: CHECK came with 0.4.0, GC and STATUS with 1.1.0.
std::string_view first_version_with(std::string_view verb);

/// Errors: throws CniError 1 or 6 when a configuration of `version` may not ask for a verb that
/// came later than the first version, with the Go library's texts.
void require_verb(std::string_view version, std::string_view verb);

/// The answer to VERSION: one compact line with a newline.
std::string version_report();

/// "0.1.0, 0.2.0, ..." for people.
std::string version_list();

}  // namespace shim
