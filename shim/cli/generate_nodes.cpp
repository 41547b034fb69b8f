#include "shim/cli/generate_nodes.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/generate.hpp"
#include "shim/cni/environment.hpp"
#include "shim/cni/error.hpp"
#include "shim/cni/json_text.hpp"

namespace shim {
namespace {

using allocator::Cidr;

constexpr std::size_t kNamedLimit = 10;
/// Kubernetes counts keys and values, to 1 MiB; the rest of the object needs some room too.
constexpr std::size_t kConfigMapLimit = (std::size_t{1} << 20) - (std::size_t{16} << 10);

/// The bytes of a stream, for the parser; its own way to read one asks for each byte under a lock.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  ByteIterator() = default;  ///< the end
  explicit ByteIterator(std::FILE* stream) : stream_(stream) { ++*this; }
  char operator*() const { return byte_; }
  ByteIterator& operator++() {
    const int next = ::getc_unlocked(stream_);
    if (next == EOF) stream_ = nullptr;
    byte_ = static_cast<char>(next);
    return *this;
  }
  bool operator!=(const ByteIterator& other) const { return stream_ != other.stream_; }
  bool operator==(const ByteIterator& other) const { return stream_ == other.stream_; }

 private:
  std::FILE* stream_ = nullptr;
  char byte_ = 0;
};

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

struct NodeText {
  std::string name;
  std::string pod_cidr;
  std::vector<std::string> pod_cidrs;
};

/// Takes what is needed out of the stream of JSON events: metadata.name, spec.podCIDR(s) of the
/// objects that are nodes.
class NodeListener : public nlohmann::json_sax<Json> {
 public:
  std::vector<NodeText> nodes;
  std::string kind;  ///< of the whole document
  std::string problem;

  bool null() override { return leave_value(); }
  bool boolean(bool) override { return leave_value(); }
  bool number_integer(number_integer_t) override { return leave_value(); }
  bool number_unsigned(number_unsigned_t) override { return leave_value(); }
  bool number_float(number_float_t, const string_t&) override { return leave_value(); }
  bool binary(binary_t&) override { return leave_value(); }

  bool string(string_t& text) override {
    if (path_ == "/kind") kind = text;
    const auto at = path_.starts_with("/items[]") ? path_.substr(8) : path_;
    if (at == "/metadata/name") current_.name = text;
    if (at == "/spec/podCIDR") current_.pod_cidr = text;
    if (at == "/spec/podCIDRs[]") current_.pod_cidrs.push_back(text);
    return leave_value();
  }

  bool start_object(std::size_t) override {
    if (path_ == "/items[]") current_ = {};
    return enter("{");
  }
  bool end_object() override {
    levels_.pop_back();
    path_.resize(lengths_.back());
    lengths_.pop_back();
    if (path_ == "/items[]" || (path_.empty() && kind == "Node")) nodes.push_back(current_);
    return leave_value();
  }
  bool start_array(std::size_t) override {
    const bool is_fine = enter("[");
    path_ += "[]";
    return is_fine;
  }
  bool end_array() override {
    levels_.pop_back();
    path_.resize(lengths_.back());
    lengths_.pop_back();
    return leave_value();
  }
  bool key(string_t& name) override {
    path_.resize(lengths_.back());
    path_ += "/" + name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    problem = "byte " + std::to_string(position) + ": " + syntax_cause(error.what());
    return false;
  }

 private:
  bool enter(const char* kind_of_level) {
    levels_ += kind_of_level;
    lengths_.push_back(path_.size());
    return levels_.size() <= kMaxJsonDepth || refuse_depth();
  }
  bool refuse_depth() {
    problem = "is nested too deeply";
    return false;
  }
  /// The value of a member ends the member's part of the path.
  bool leave_value() {
    if (!levels_.empty() && levels_.back() == '{') path_.resize(lengths_.back());
    return true;
  }

  std::string path_;                  // of the value in sight, as in "/items[]/spec"
  std::string levels_;                // one '{' or '[' for each that is open
  std::vector<std::size_t> lengths_;  // of the path at each
  NodeText current_;
};

NodeRanges ranges_of(const NodeText& text, Faults& without, Faults& bad) {
  NodeRanges node{text.name, {}};
  auto cidrs = text.pod_cidrs;
  if (cidrs.empty() && !text.pod_cidr.empty()) cidrs.push_back(text.pod_cidr);
  if (cidrs.empty()) without.add("node " + text.name + " has no pod CIDR");
  if (!is_identifier(text.name)) bad.add("a node is named " + go_quoted(text.name));
  for (const auto& one : cidrs) {
    const auto cidr = Cidr::parse(one);
    if (!cidr) {
      bad.add("node " + text.name + " has the pod CIDR " + go_quoted(one));
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
  NodeListener listener;
  const bool is_read = Json::sax_parse(ByteIterator(stream), ByteIterator(), &listener);
  if (!is_read)
    throw UsageError("--nodes: " + source + ": " + listener.problem +
                     "; give the output of kubectl get nodes -o json");
  if (listener.nodes.empty())
    throw UsageError("--nodes: " + source +
                     ": there is no node in it; give the output of kubectl get nodes -o json");
  Faults without(source);
  Faults bad(source);
  std::vector<NodeRanges> nodes;
  nodes.reserve(listener.nodes.size());
  for (const auto& text : listener.nodes) nodes.push_back(ranges_of(text, without, bad));
  bad.raise_if_any("give the output of kubectl get nodes -o json");
  without.raise_if_any(
      "give the cluster one (kube-controller-manager --allocate-node-cidrs), or set spec.podCIDRs");
  refuse_doubles(nodes, source);
  refuse_overlaps(nodes, source);
  return nodes;
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
    std::string text;
    for (const auto& cidr : node.pod_cidrs) text += cidr.to_string() + "\n";
    if (size + node.name.size() + text.size() > kConfigMapLimit) finish();
    size += node.name.size() + text.size();
    members.emplace_back(node.name, text);
  }
  finish();
  return maps;
}

}  // namespace shim
