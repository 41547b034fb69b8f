#include "shim/cni/conf/annotations.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/fields.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/config_reader.hpp"

namespace shim {
namespace {

constexpr const char* kRetain = "delegated-ipam.io/retain";
constexpr const char* kAddresses = "delegated-ipam.io/ips";

ConfigReader annotations_of(const Json& document) {
  return ConfigReader(&document, "", ErrorCode::invalid_config)
      .object("runtimeConfig")
      .object("io.kubernetes.cri.pod-annotations");
}

}  // namespace

bool read_retain_annotation(const Json& document) {
  return annotations_of(document).choice(kRetain, {"true", "false"}) != 1;
}

std::vector<allocator::Address> read_address_annotation(const Json& document) {
  const ConfigReader annotations = annotations_of(document);
  std::vector<allocator::Address> addresses;
  const std::string list = annotations.text(kAddresses).value_or("");
  for (auto field : allocator::split(list, ',')) {
    std::erase(field, ' ');
    const auto address = parse_requested_address(field);
    if (!address) {
      annotations.fail(kAddresses,
                       "must be addresses separated by commas, but has " + go_quoted(field));
    }
    addresses.push_back(*address);
  }
  return addresses;
}

std::size_t count_address_annotation(const Json& document) {
  try {
    const std::string list = annotations_of(document).text(kAddresses).value_or("");
    return list.empty() ? 0
                        : 1 + static_cast<std::size_t>(std::count(list.begin(), list.end(), ','));
  } catch (const CniError&) {
    return 0;
  }
}

}  // namespace shim
