// kind cluster files: what they mount into the nodes.
// Source: kind v1alpha4 configuration: networking.disableDefaultCNI, podSubnet,
// nodes[].extraMounts.
#include <algorithm>

#include "shim/cli/validate/document/edit.hpp"
#include "shim/cli/validate/network/network.hpp"
#include "shim/cli/validate/node/together.hpp"

namespace shim::validate {
namespace {

using allocator::Cidr;

/// A file that a node gets.
struct Mount {
  std::string pointer;
  std::size_t node;
  std::string host_path;
  std::string container_path;
  const Json* json;
};

std::vector<Mount> mounts_of(const Json& cluster) {
  std::vector<Mount> mounts;
  const auto& nodes = elements(cluster, "nodes");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& list = elements(nodes[i], "extraMounts");
    for (std::size_t j = 0; j < list.size(); ++j) {
      mounts.push_back({joined({"/nodes/", std::to_string(i), "/extraMounts/", std::to_string(j)}),
                        i, std::string(text_member(list[j], "hostPath")),
                        clean_path(text_member(list[j], "containerPath")), &list[j]});
    }
  }
  return mounts;
}

bool is_conflist(const Mount& mount) {
  const std::string_view path = mount.container_path;
  const bool is_file =
      path.ends_with(".conflist") || path.ends_with(".conf") || path.ends_with(".json");
  return path.starts_with("/etc/cni/net.d/") && is_file;
}

bool is_binary(const Mount& mount) { return mount.container_path.ends_with("/delegated-ipam"); }

/// The ranges of ours in a conflist that is mounted; none when it cannot be read.
std::vector<LiteralRange> ranges_of(const Mount& mount, const Context& context,
                                    const File& cluster) {
  const auto text = context.mounted(mount.host_path, cluster);
  if (!text) return {};
  Findings ignored;
  const Documents documents = read_documents({{mount.host_path, *text}}, ignored);
  std::vector<LiteralRange> ranges;
  const auto add = [&](const Json& plugin) {
    if (!uses_us(plugin)) return;
    const auto found = literal_ranges(*object_member(plugin, "ipam"));
    ranges.insert(ranges.end(), found.begin(), found.end());
  };
  for (const auto& network : documents.networks) {
    if (network.is_single) add(network.json);
    for (const auto& plugin : elements(network.json, "plugins")) add(plugin);
  }
  return ranges;
}

std::vector<Cidr> pod_subnets(const Json& cluster) {
  std::string_view text = text_at(cluster, "networking/podSubnet");
  const std::string_view family = text_at(cluster, "networking/ipFamily");
  if (text.empty() && family == "ipv6") text = "fd00:10:244::/56";
  if (text.empty() && family == "dual") text = "10.244.0.0/16,fd00:10:244::/56";
  if (text.empty()) text = "10.244.0.0/16";
  std::vector<Cidr> subnets;
  for (const auto part : split_list(text)) {
    if (const auto cidr = Cidr::parse(part)) subnets.push_back(*cidr);
  }
  return subnets;
}

bool contain(const std::vector<Cidr>& subnets, const LiteralRange& range) {
  return std::any_of(subnets.begin(), subnets.end(), [&](const Cidr& subnet) {
    return subnet.contains(range.first) && subnet.contains(range.last);
  });
}

/// The node that was seen with a range before.
struct Seen {
  LiteralRange range;
  std::size_t node;
  std::string_view host_path;
};

/// One finding a mount: the first range that another node has as well.
void check_shared(const Mount& mount, const std::vector<LiteralRange>& ranges,
                  std::vector<Seen>& seen, const Report& report) {
  for (const auto& range : ranges) {
    const auto twin = std::find_if(seen.begin(), seen.end(), [&](const Seen& other) {
      return other.node != mount.node && other.range.first.family() == range.first.family() &&
             other.range.first <= range.last && range.first <= other.range.last;
    });
    if (twin == seen.end()) continue;
    const bool is_same = twin->host_path == mount.host_path;
    report.found(
        rules::kKindShared, {mount.pointer},
        {"node ", std::to_string(twin->node), " has ", twin->range.text, " from ",
         is_same ? "the same conflist" : twin->host_path, ": both hand out the same addresses"});
    break;
  }
  for (const auto& range : ranges) seen.push_back({range, mount.node, mount.host_path});
}

void check_mounted_binary(const Mount& mount, const Report& report) {
  if (text_at(*mount.json, "readOnly") == "true") return;
  report.found(rules::kKindBinary, {mount.pointer},
               {mount.container_path,
                " is the host's own file, writable from the node, and cannot be replaced there by "
                "rename"});
}

}  // namespace

void check_kind(Part& part, const Context& context, const Report& report) {
  Json& cluster = *part.json;
  const auto subnets = pod_subnets(cluster);
  std::vector<Seen> seen;
  bool is_ours = false;
  for (const auto& mount : mounts_of(cluster)) {
    is_ours = is_ours || is_binary(mount) || is_conflist(mount);
    if (is_binary(mount)) check_mounted_binary(mount, report);
    if (!is_conflist(mount)) continue;
    const auto ranges = ranges_of(mount, context, context.documents->files[part.file]);
    check_shared(mount, ranges, seen, report);
    for (const auto& range : ranges) {
      if (contain(subnets, range)) continue;
      report.found(rules::kKindPodSubnet, {mount.pointer},
                   {range.text, " of ", mount.host_path, " is not inside podSubnet"});
    }
  }
  if (!is_ours || text_at(cluster, "networking/disableDefaultCNI") == "true") return;
  report.found(rules::kKindDefaultCni, {"/networking/disableDefaultCNI"},
               {"kind installs kindnet beside the conflist that is mounted"});
  set_at_path(cluster, "networking/disableDefaultCNI", true);
}

}  // namespace shim::validate
