/// Kubernetes' side of a conflist: ConfigMaps and the charts' values.
#include "allocator/address.hpp"
#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"
#include "shim/cli/yaml.hpp"

namespace shim {

using allocator::Family;

std::string cidr_of_family(const std::vector<std::string>& cidrs, const std::string& option,
                           Family family) {
  std::string found;
  for (const auto& text : cidrs) {
    const auto cidr = allocator::Cidr::parse(text);
    if (!cidr) refuse_option(option, text, "is no CIDR block; write one such as 10.244.0.0/16");
    if (cidr->address.family() != family) continue;
    if (!found.empty())
      refuse_option(option, text, "is the second of its family; give one, which covers all nodes");
    found = text;
  }
  return found;
}

std::string make_flannel_patch(const Json& conflist) {
  Json patch;
  patch["data"]["cni-conf.json"] = conflist_text(conflist);
  return print_yaml(patch);
}

std::string make_flannel_values(const Json& conflist) {
  Json values;
  values["flannel"]["cniConf"] = conflist_text(conflist);
  return print_yaml(values);
}

std::string make_config_map(const std::string& name, const std::string& name_space, Json data) {
  Json map = parse_json(R"({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}})");
  map["metadata"]["name"] = name;
  map["metadata"]["namespace"] = name_space;
  map["data"] = std::move(data);
  return print_yaml(map);
}

}  // namespace shim
