#include "shim/cli/validate/node/together.hpp"

#include <algorithm>
#include <map>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/cilium_settings.hpp"

namespace shim::validate {
namespace {

/// A plugin with our `ipam`, where it stands.
struct Ours {
  const Network* network;
  const Json* plugin;
  std::string pointer;
};

std::vector<Ours> plugins_of_ours(const Documents& documents) {
  std::vector<Ours> all;
  for (const auto& network : documents.networks) {
    const auto& plugins = elements(network.json, "plugins");
    for (std::size_t i = 0; i < plugins.size(); ++i) {
      if (!uses_us(plugins[i])) continue;
      all.push_back({&network, &plugins[i], network.pointer + network.plugin_pointer(i)});
    }
  }
  return all;
}

/// host-local's folder for the network.
std::string address_folder(const Ours& ours) {
  return joined({data_dir_of(*object_member(*ours.plugin, "ipam")), "/",
                 text_member(ours.network->json, "name")});
}

/// The network but for its ranges: the same on all nodes of one cluster.
Json without_ranges(const Ours& ours) {
  Json plugin = *ours.plugin;
  Json& ipam = *object_member(plugin, "ipam");
  replace_ranges(ipam, Json::array());
  for (const char* key : {"rangesFrom", "dataDir"}) erase_member(ipam, key);
  if (Json* delegate = object_member(ipam, "delegate")) erase_member(*delegate, "dataDir");
  return plugin;
}

void check_shared_folder(const std::vector<Ours>& sharers, const std::vector<std::string>& names,
                         Findings& findings) {
  const Json first = without_ranges(sharers.front());
  for (const auto& one : sharers) {
    if (without_ranges(one) == first) continue;
    Report(findings, one.network->file, one.pointer)
        .found(rules::kSharedStore, {},
               {"another network than the one in ", names[sharers.front().network->file],
                ", but both keep their addresses in ", address_folder(one)});
  }
}

/// A literal range and who has it.
struct Owned {
  LiteralRange range;
  const Ours* owner;

  [[nodiscard]] std::size_t file() const { return owner->network->file; }
  [[nodiscard]] bool overlaps(const Owned& other) const {
    return range.first.family() == other.range.first.family() && range.first <= other.range.last &&
           other.range.first <= range.last;
  }
};

std::vector<Owned> literal_ranges_of(const std::vector<Ours>& sharers) {
  std::vector<Owned> owned;
  for (const auto& one : sharers) {
    if (one.network->is_for_all_nodes()) continue;
    for (const auto& range : literal_ranges(*object_member(*one.plugin, "ipam")))
      owned.push_back({range, &one});
  }
  return owned;
}

/// Files of one network are those of several nodes: none may have an address of another one's.
void check_overlaps(const std::vector<Ours>& sharers, const std::vector<std::string>& names,
                    Findings& findings) {
  const auto owned = literal_ranges_of(sharers);
  for (auto one = owned.begin(); one != owned.end(); ++one) {
    const auto twin = std::find_if(owned.begin(), one, [&](const Owned& other) {
      return other.file() != one->file() && other.overlaps(*one);
    });
    if (twin == one) continue;
    Report(findings, one->file(), one->owner->pointer)
        .found(rules::kOverlap, {one->range.pointer},
               {one->range.text, " overlaps ", twin->range.text, " in ", names[twin->file()]});
  }
}

bool is_agent(const Part& part) {
  return part.kind == PartKind::cilium_values || part.kind == PartKind::cilium_config;
}

bool is_cilium_setup(const Part& part) {
  return is_agent(part) &&
         AgentSettings(*part.json, part.kind).get(settings::kMode) == "delegated-plugin";
}

/// As is_cilium_setup, or to be corrected into one.
bool is_meant_as_setup(const Part& part) {
  return is_cilium_setup(part) ||
         (is_agent(part) && is_meant_for_plugin(AgentSettings(*part.json, part.kind)));
}

void check_cilium_conflists(const Documents& documents, Findings& findings) {
  const auto& parts = documents.parts;
  if (std::none_of(parts.begin(), parts.end(), is_cilium_setup)) return;
  for (const auto& network : documents.networks) {
    const Json* plugin = find_plugin_of(network.json, "cilium-cni");
    if (plugin == nullptr || find_member(*plugin, "ipam") != nullptr) continue;
    Report(findings, network.file, network.pointer)
        .found(rules::kCiliumNoIpam, {},
               {"Cilium is in delegated-plugin mode, but this conflist names no IPAM plugin"});
  }
}

}  // namespace

Context make_context(const Documents& documents) {
  Context context{};
  context.documents = &documents;
  for (const auto& network : documents.networks) {
    context.uses_us = context.uses_us || uses_us(network);
    const Json* cilium = find_plugin_of(network.json, "cilium-cni");
    context.has_cilium = context.has_cilium || (cilium != nullptr && uses_us(*cilium));
  }
  for (const auto& part : documents.parts)
    context.has_cilium = context.has_cilium || is_meant_as_setup(part);
  return context;
}

void check_stores(const Documents& documents, Findings& findings) {
  std::vector<std::string> names;
  for (const auto& file : documents.files) names.push_back(file.name);
  std::map<std::string, std::vector<Ours>> folders;
  for (const auto& one : plugins_of_ours(documents)) {
    const Json& ipam = *object_member(*one.plugin, "ipam");
    if (is_host_local(ipam)) folders[address_folder(one)].push_back(one);
  }
  for (const auto& [folder, sharers] : folders) {
    check_shared_folder(sharers, names, findings);
    check_overlaps(sharers, names, findings);
  }
}

void check_use(const Documents& documents, const Context& context, Findings& findings) {
  check_cilium_conflists(documents, findings);
  if (context.uses_us || context.has_cilium) return;
  for (const auto& network : documents.networks) {
    // Something that is wrong explains it.
    const bool has_findings =
        std::any_of(findings.begin(), findings.end(),
                    [&](const Finding& one) { return one.file == network.file; });
    const bool is_multus_own = !network.within.empty() && network.origin != Origin::file;
    const bool is_elsewhere = is_multus_own || elements(network.json, "plugins").empty();
    if (has_findings || is_elsewhere) continue;
    Report(findings, network.file, network.pointer)
        .found(rules::kNotUsed, {}, {"no plugin of this network uses delegated-ipam"});
  }
  for (const auto& part : documents.parts) {
    if (part.kind != PartKind::cilium_values && part.kind != PartKind::cilium_config) continue;
    const AgentSettings agent(*part.json, part.kind);
    Report(findings, part.file, part.pointer)
        .found(rules::kNotUsed, {agent.pointer(settings::kMode)},
               {"in mode ", agent.get(settings::kMode), " Cilium hands out the addresses itself"},
               "set ipam.mode to delegated-plugin, and put our \"ipam\" into Cilium's conflist");
  }
}

// YurtHub answers an offline node out of its cache: only for components that it caches for.
void check_yurthub(Part& part, const Context& context, const Report& report) {
  if (!context.has_cilium) return;
  const std::string_view agents = text_at(*part.json, part.key);
  const auto list = split_list(agents);
  const bool is_cached = std::any_of(list.begin(), list.end(), [](std::string_view agent) {
    return agent == "cilium-agent" || agent == "*";
  });
  if (is_cached) return;
  report.found(
      rules::kYurthub, {"/", part.key},
      {"YurtHub keeps nothing for cilium-agent: after a reboot without the cloud the agent "
       "does not start, and no pod gets an address"});
  (*part.json)[part.key] = joined({agents, agents.empty() ? "" : ",", "cilium-agent"});
}

}  // namespace shim::validate
