#include "shim/cli/generate/per_node.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/generate/generate.hpp"
#include "shim/cli/generate/node_list.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

using allocator::Cidr;

constexpr std::size_t kNamedLimit = 10;
/// `kubectl apply` keeps the whole object as JSON in an annotation of it; the API server takes
/// 256 KiB of these (and 1 MiB of keys and values). The rest of the object needs some room too.
constexpr std::size_t kConfigMapLimit = std::size_t{240} << 10;

/// Gathers faults, so that all of them are told at once.
class Faults {
 public:
  explicit Faults(const std::string& source) : source_(source) {}

  void add(const std::string& fault) {
    if (count_++ < kNamedLimit) text_ += (text_.empty() ? "" : "; ") + fault;
  }
  void raise_if_any(const std::string& remedy) const {
    if (count_ == 0) return;
    const std::string more =
        count_ > kNamedLimit ? "; and " + std::to_string(count_ - kNamedLimit) + " more" : "";
    throw UsageError("--nodes: " + source_ + ": " + text_ + more + "; " + remedy);
  }

 private:
  const std::string& source_;
  std::string text_;
  std::size_t count_ = 0;
};

NodeRanges ranges_of(const ListedNode& listed, Faults& without, Faults& bad) {
  NodeRanges node{listed.name, {}};
  auto cidrs = listed.pod_cidrs;
  if (cidrs.empty() && !listed.pod_cidr.empty()) cidrs.push_back(listed.pod_cidr);
  if (cidrs.empty()) without.add("node " + listed.name + " has no pod CIDR");
  if (!is_identifier(listed.name)) bad.add("a node is named " + go_quoted(listed.name));
  for (const auto& one : cidrs) {
    const auto cidr = Cidr::parse(one);
    if (!cidr) {
      bad.add("node " + listed.name + " has the pod CIDR " + go_quoted(one));
    } else {
      node.pod_cidrs.push_back({cidr->network(), cidr->prefix_length});
    }
  }
  return node;
}

void refuse_doubles(std::vector<NodeRanges>& nodes, const std::string& source) {
  Faults doubles(source);
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeRanges& left, const NodeRanges& right) { return left.name < right.name; });
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    if (nodes[i].name == nodes[i - 1].name)
      doubles.add("node " + nodes[i].name + " is there twice");
  }
  doubles.raise_if_any("give one list of one cluster");
}

/// In the order of first addresses, two blocks have an address in common only if one of them has
/// one with the block before that reaches furthest.
void refuse_overlaps(const std::vector<NodeRanges>& nodes, const std::string& source) {
  struct Block {
    Cidr cidr;
    const std::string* node;
  };
  std::vector<Block> blocks;
  for (const auto& node : nodes)
    for (const auto& cidr : node.pod_cidrs) blocks.push_back({cidr, &node.name});
  std::sort(blocks.begin(), blocks.end(), [](const Block& left, const Block& right) {
    return left.cidr.address < right.cidr.address;
  });
  Faults overlaps(source);
  const Block* furthest = nullptr;
  for (const auto& block : blocks) {
    const bool is_near = furthest != nullptr &&
                         furthest->cidr.address.family() == block.cidr.address.family() &&
                         block.cidr.address <= furthest->cidr.last();
    if (is_near)
      overlaps.add("nodes " + *furthest->node + " (" + furthest->cidr.to_string() + ") and " +
                   *block.node + " (" + block.cidr.to_string() + ") overlap");
    if (!is_near || block.cidr.last() > furthest->cidr.last()) furthest = &block;
  }
  overlaps.raise_if_any("two pods would get one address; give each node a range of its own");
}

}  // namespace

std::vector<NodeRanges> read_nodes(std::FILE* stream, const std::string& source) {
  const auto listed = read_node_list(stream, source);
  Faults without(source);
  Faults bad(source);
  std::vector<NodeRanges> nodes;
  nodes.reserve(listed.size());
  for (const auto& one : listed) nodes.push_back(ranges_of(one, without, bad));
  bad.raise_if_any("give the output of kubectl get nodes -o json");
  without.raise_if_any(
      "give the cluster one (kube-controller-manager --allocate-node-cidrs), or set spec.podCIDRs");
  refuse_doubles(nodes, source);
  refuse_overlaps(nodes, source);
  return nodes;
}

std::vector<NodeRanges> nodes_of(const std::string& option) {
  if (option == "-") return read_nodes(stdin, "standard input");
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(option.c_str(), "re"),
                                                             &std::fclose);
  if (!file) throw UsageError("--nodes: " + option + ": " + std::strerror(errno));
  return read_nodes(file.get(), option);
}

std::string ranges_text(const NodeRanges& node) {
  std::string text;
  for (const auto& cidr : node.pod_cidrs) text += cidr.to_string() + "\n";
  return text;
}

std::vector<NodesConfigMap> make_nodes_config_maps(const std::vector<NodeRanges>& nodes,
                                                   const std::string& name_space) {
  std::size_t size = 0;
  std::vector<std::pair<std::string, Json>> members;
  std::vector<NodesConfigMap> maps;
  const auto finish = [&] {
    const std::string number = maps.empty() ? "" : "-" + std::to_string(maps.size() + 1);
    const std::string name = "delegated-ipam-nodes" + number;
    Json data = Json::object();
    // Not by operator[]: it would look through all of them for each.
    auto& object = data.get_ref<Json::object_t&>();
    for (auto& [key, value] : members) object.emplace_back(std::move(key), std::move(value));
    maps.push_back({name, make_config_map(name, name_space, std::move(data))});
    members.clear();
    size = 0;
  };
  for (const auto& node : nodes) {
    const std::string text = ranges_text(node);
    const std::size_t more = Json(node.name).dump().size() + Json(text).dump().size() + 2;
    if (size + more > kConfigMapLimit) finish();
    size += more;
    members.emplace_back(node.name, text);
  }
  finish();
  return maps;
}

}  // namespace shim
