#include "shim/cni/conf/ranges_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "allocator/address.hpp"
#include "allocator/fields.hpp"
#include "shim/cni/conf/range_slices.hpp"
#include "shim/cni/protocol/environment.hpp"

namespace shim {
namespace {

/// YurtHub's cache of Node objects: the layout of today, and that of its older versions.
constexpr std::array<const char*, 3> kYurthubNodes = {
    "/etc/kubernetes/cache/kubelet/nodes.v1.core/", "/etc/kubernetes/cache/kubelet/nodes/",
    "/etc/kubernetes/cache/flanneld/nodes.v1.core/"};

std::string network_text(const std::string& text, const std::string& path) {
  const auto cidr = allocator::Cidr::parse(text);
  if (!cidr) {
    throw CniError(ErrorCode::try_again_later,
                   "rangesFrom: " + path + ": " + go_quoted(text) + " is no CIDR block");
  }
  // Flannel writes the address of its bridge: the subnet plus one.
  return allocator::Cidr{cidr->network(), cidr->prefix_length}.to_string();
}

/// A span is for a part of a subnet that the configuration names.
std::string block_or_span_text(const std::string& text, const std::string& path) {
  const auto span = text.find('/') == std::string::npos ? parse_block_or_span(text) : std::nullopt;
  if (span) return span->first.to_string() + "-" + span->last.to_string();
  return network_text(text, path);
}

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

void append_list(const std::string& list, const std::string& path,
                 std::vector<std::string>& ranges) {
  for (const auto& field : allocator::split(list, ',')) {
    if (const auto text = trimmed(field); !text.empty())
      ranges.push_back(block_or_span_text(text, path));
  }
}

/// A subnet that was cut off while it was written ("10.244.1.1/2") lies outside its network.
void refuse_torn(const std::vector<std::string>& subnets, const std::vector<std::string>& networks,
                 const std::string& path) {
  const auto covers = [](const std::string& network, const std::string& subnet) {
    const auto outer = allocator::Cidr::parse(network);
    const auto inner = allocator::Cidr::parse(subnet);
    return outer && inner && outer->address.family() == inner->address.family() &&
           outer->prefix_length <= inner->prefix_length &&
           allocator::Cidr{inner->address, outer->prefix_length}.network() == outer->network();
  };
  const bool all_inside =
      std::all_of(subnets.begin(), subnets.end(), [&](const std::string& subnet) {
        return networks.empty() ||
               std::any_of(networks.begin(), networks.end(),
                           [&](const std::string& network) { return covers(network, subnet); });
      });
  if (all_inside) return;
  throw CniError(ErrorCode::try_again_later,
                 "rangesFrom: " + path + ": the subnet is not inside the network");
}

std::vector<std::string> parse_lines(const std::string& text, const std::string& path) {
  std::vector<std::string> ranges;
  std::vector<std::string> networks;
  // There a key without a value is nothing to stumble over; a list of CIDR blocks has no keys.
  const bool is_subnet_env = text.find("FLANNEL_") != std::string::npos;
  for (const auto& written : allocator::split(text, '\n')) {
    const std::string line = trimmed(written.substr(0, written.find('#')));
    const auto equals = line.find('=');
    if (line.empty() || (is_subnet_env && equals == std::string::npos)) continue;
    const std::string key = equals == std::string::npos ? "" : line.substr(0, equals);
    const std::string value = equals == std::string::npos ? line : line.substr(equals + 1);
    if (key.empty() || key == "FLANNEL_SUBNET" || key == "FLANNEL_IPV6_SUBNET") {
      append_list(value, path, ranges);
    } else if (key == "FLANNEL_NETWORK" || key == "FLANNEL_IPV6_NETWORK") {
      append_list(value, path, networks);
    }
  }
  if (is_subnet_env && !ranges.empty()) refuse_torn(ranges, networks, path);
  return ranges;
}

std::vector<std::string> parse_node(const std::string& text, const std::string& path) {
  std::vector<std::string> ranges;
  Json node;
  try {
    node = parse_json(text);
  } catch (const JsonSyntaxError& error) {
    throw CniError(ErrorCode::try_again_later, "rangesFrom: " + path + ": " + error.what());
  }
  const ConfigReader spec =
      ConfigReader(&node, "rangesFrom: " + path + ": ", ErrorCode::try_again_later).object("spec");
  for (const auto& cidr : spec.texts("podCIDRs")) ranges.push_back(network_text(cidr, path));
  if (const auto cidr = spec.text("podCIDR"); ranges.empty() && cidr)
    ranges.push_back(network_text(*cidr, path));
  return ranges;
}

/// Relative to what, nobody could say.
std::string checked_path(const ConfigReader& source, std::string_view key,
                         const std::string& path) {
  if (path.starts_with('/')) return path;
  source.fail(key, "must be an absolute path, but is " + go_quoted(path));
}

/// A node's name becomes part of a path.
std::string checked_node(const ConfigReader& source, std::string_view key,
                         const std::string& name) {
  if (is_identifier(name)) return name;
  source.fail(key, "must be a node's name, but is " + go_quoted(name));
}

}  // namespace

std::string node_name() {
  const char* variable = std::getenv("NODE_NAME");
  if (variable != nullptr && *variable != '\0') return variable;
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

RangesSource read_ranges_source(const ConfigReader& ipam,
                                const std::function<std::string()>& own_node_name) {
  const ConfigReader source = ipam.object("rangesFrom");
  const int forms = (source.has("subnetFile") ? 1 : 0) + (source.has("nodesDir") ? 1 : 0) +
                    (source.has("yurthubNode") ? 1 : 0);
  if (forms != 1) {
    ipam.fail("rangesFrom", "must have exactly one of subnetFile, nodesDir and yurthubNode");
  }
  if (const auto file = source.text("subnetFile")) {
    const std::string path = checked_path(source, "subnetFile", *file);
    return {RangesSource::Kind::subnet_file, {path}, path, own_node_name()};
  }
  if (const auto folder = source.text("nodesDir")) {
    const std::string node = source.text("node").value_or("");
    const std::string name = checked_node(source, "node", node.empty() ? own_node_name() : node);
    const std::string path = checked_path(source, "nodesDir", *folder);
    return {RangesSource::Kind::node_file, {path + "/" + name}, path, name};
  }
  const std::string node = source.text("yurthubNode").value_or("");
  const std::string name =
      checked_node(source, "yurthubNode", node.empty() ? own_node_name() : node);
  RangesSource result{RangesSource::Kind::yurthub_node, {}, "yurthub", name};
  for (const char* folder : kYurthubNodes) {
    result.paths.push_back(folder + name);
    result.paths.push_back(folder + name + ".json");
  }
  return result;
}

std::vector<std::string> parse_ranges(RangesSource::Kind kind, const std::string& text,
                                      const std::string& path) {
  auto ranges =
      kind == RangesSource::Kind::yurthub_node ? parse_node(text, path) : parse_lines(text, path);
  // One block twice is one block.
  for (auto one = ranges.begin(); one != ranges.end(); ++one) {
    ranges.erase(std::remove(one + 1, ranges.end(), std::string(*one)), ranges.end());
  }
  if (!ranges.empty()) return ranges;
  throw CniError(ErrorCode::try_again_later, "rangesFrom: " + path + " names no subnet");
}

}  // namespace shim
