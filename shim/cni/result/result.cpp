#include "shim/cni/result/result.hpp"

#include <algorithm>
#include <array>

#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"

namespace shim {
namespace {

struct KnownVersion {
  std::string_view text;
  ResultFamily family;
};

constexpr std::array kKnownVersions{
    KnownVersion{"0.1.0", ResultFamily::pair},   KnownVersion{"0.2.0", ResultFamily::pair},
    KnownVersion{"0.3.0", ResultFamily::list},   KnownVersion{"0.3.1", ResultFamily::list},
    KnownVersion{"0.4.0", ResultFamily::list},   KnownVersion{"1.0.0", ResultFamily::newest},
    KnownVersion{"1.1.0", ResultFamily::newest},
};

}  // namespace

std::optional<ResultFamily> result_family(std::string_view version) {
  const auto known = std::find_if(kKnownVersions.begin(), kKnownVersions.end(),
                                  [&](const auto& entry) { return entry.text == version; });
  if (known == kKnownVersions.end()) return std::nullopt;
  return known->family;
}

const std::string& version_of(const ResultDocument& document) {
  return std::visit([](const auto& result) -> const std::string& { return result.cni_version; },
                    document);
}

std::string print_result(const Result& result, std::string_view cni_version) {
  Result newest = result;
  if (newest.cni_version.empty()) newest.cni_version = kNewestVersion;
  return print_document(convert(newest, cni_version));
}

}  // namespace shim
