// Corrected networks back in their documents, and documents as text.
#include <utility>

#include "shim/cli/generate/generate.hpp"
#include "shim/cli/validate/document/document.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/yaml.hpp"

namespace shim::validate {
namespace {

/// An attachment may be a single conf: Multus reads both.
Json without_list(const Json& list) {
  Json conf = Json::object();
  for (const auto& [key, value] : entries(list)) {
    if (key != "plugins") conf[key] = value;
  }
  for (const auto& [key, value] : entries(elements(list, "plugins").front())) conf[key] = value;
  return conf;
}

/// As it is written into its document.
Json as_written(const Network& network) {
  if (network.is_drop_in) return elements(network.json, "plugins").front();
  Json json = network.json;
  if (network.is_name_implied) erase_member(json, "name");
  return network.is_for_multus() && network.is_single ? without_list(json) : json;
}

/// The text or value that the network is a part of, with this part.
Json in_its_place(const Network& network, Json part) {
  if (network.within.empty()) return part;
  Json around = network.is_text ? parse_json(scalar_text(*network.home)) : *network.home;
  around[Json::json_pointer(network.within)] = std::move(part);
  return around;
}

}  // namespace

void write_back(Documents& documents) {
  for (auto& network : documents.networks) {
    if (network.json == network.original) continue;
    Json whole = in_its_place(network, as_written(network));
    *network.home = network.is_text ? Json(conflist_text(whole)) : std::move(whole);
  }
}

bool is_corrected(const File& file) {
  return file.needs_other_name || file.as_config_map || file.documents != file.as_read;
}

std::string print_file(const File& file) {
  if (file.as_config_map) return make_flannel_patch(file.documents.at(0));
  if (!file.is_yaml) return conflist_text(file.documents.at(0));
  std::string text;
  for (const auto& document : file.documents)
    text += (text.empty() ? "" : "---\n") + print_yaml(document);
  return text;
}

}  // namespace shim::validate
