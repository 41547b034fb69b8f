#include "shim/cni/conf/delegate_conf.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

#include "allocator/store/delegates/delegate_bindings.hpp"
#include "shim/cni/conf/annotations.hpp"
#include "shim/cni/conf/own_keys.hpp"
#include "shim/cni/conf/ranges.hpp"
#include "shim/cni/protocol/arguments.hpp"
#include "shim/cni/protocol/config_reader.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

/// A delegate talks to daemons and servers.
constexpr std::chrono::seconds kDefaultTimeout{90};

constexpr std::array<const char*, 5> kRangeKeys = {"subnet", "rangeStart", "rangeEnd", "gateway",
                                                   "ranges"};
constexpr std::array<const char*, 3> kOtherInherited = {"routes", "dataDir", "resolvConf"};

ConfigReader ipam_of(const Json& document) {
  return ConfigReader(&document, "", ErrorCode::invalid_config).object("ipam");
}

bool has_ranges(const Json& block) {
  return find_member(block, "ranges") != nullptr || find_member(block, "subnet") != nullptr;
}

void inherit(const Json& outer, const char* key, Json& block) {
  const Json* value = find_member(outer, key);
  if (value != nullptr && find_member(block, key) == nullptr) block[key] = *value;
}

/// The delegate's own block; without one, the keys of `ipam` that are not ours.
Json own_block(const Json& ipam, const std::string& type) {
  Json block = {{"type", type}};
  const Json* delegate = find_member(ipam, "delegate");
  auto& members = block.get_ref<Json::object_t&>();  // whose look-up compares all keys
  for (const auto& [key, value] : (delegate != nullptr ? *delegate : ipam).items()) {
    const bool is_ours = delegate == nullptr && (is_own_key(key) || same_key(key, "delegate"));
    if (!is_ours && !same_key(key, "type")) members.emplace_back(key, value);
  }
  return block;
}

Json effective_block(const Json& ipam, const std::string& type) {
  Json block = own_block(ipam, type);
  // `subnet` and `ranges` add up in host-local: a delegate with the one must not get the other.
  const bool narrows = has_ranges(block) && has_ranges(ipam);
  for (const char* key : kRangeKeys) {
    const bool defines = same_key(key, "ranges") || same_key(key, "subnet");
    if (!narrows || !defines) inherit(ipam, key, block);
  }
  for (const char* key : kOtherInherited) inherit(ipam, key, block);
  return block;
}

/// Flannel's range is the node's, an inner one may be everybody's.
void refuse_wider_ranges(const Json& document, const std::string& cni_version) {
  const ConfigReader outer = ConfigReader(&document, "", ErrorCode::internal).object("ipam");
  const Json* delegate = outer.find("delegate");
  // Beside rangesFrom a subnet is no range yet.
  const bool is_configured = delegate != nullptr && !outer.has("rangesFrom");
  if (!is_configured || !has_ranges(*delegate) || !has_ranges(*outer.json())) return;
  const ConfigReader inner(delegate, "/ipam/delegate", ErrorCode::internal);
  static_cast<void>(complete_ranges(
      read_ranges(outer, inner, ConfigReader(nullptr, "/runtimeConfig", ErrorCode::internal)),
      cni_version));
}

std::optional<allocator::Family> family_of(const Json& range) {
  const Json* subnet = find_member(range, "subnet");
  if (subnet == nullptr || !subnet->is_string()) return std::nullopt;
  const auto cidr = allocator::Cidr::parse(subnet->get<std::string>());
  return cidr ? std::optional(cidr->address.family()) : std::nullopt;
}

/// Leaves out, and orders, what host-local would lease only to be thrown away afterwards.
void apply_families_to(const std::vector<allocator::Family>& families, Json& block) {
  const Json* ranges = find_member(block, "ranges");
  if (families.empty() || ranges == nullptr || !ranges->is_array()) return;
  Json kept = Json::array();
  for (const auto family : families) {
    for (const auto& set : *ranges) {
      const bool is_set = set.is_array() && !set.empty();
      if (is_set && family_of(set.front()) == family) kept.push_back(set);
    }
  }
  set_member(block, "ranges", std::move(kept));
}

void add_ranges_from(const ConfigReader& ipam, const ConfInputs& inputs, DelegateConf& conf,
                     Json& block) {
  if (!ipam.has("rangesFrom")) return;
  if (!conf.is_host_local()) {
    ipam.fail("rangesFrom", "is for host-local only; " + go_quoted(conf.type) +
                                " has its own configuration in " + ipam.path_of("delegate"));
  }
  const RangesSource source = read_ranges_source(ipam, &node_name);
  const ConfigReader stock(ipam.json(), "/ipam", ErrorCode::internal);
  const ConfigReader inner(ipam.find("delegate"), "/ipam/delegate", ErrorCode::internal);
  RangesAsWritten written =
      read_ranges(stock, inner, ConfigReader(nullptr, "/runtimeConfig", ErrorCode::internal));
  ask_ranges_source(source, inputs, conf, written);
  static_cast<void>(complete_ranges(written, conf.cni_version));
  for (const char* key : kRangeKeys) erase_member(block, key);
  block["ranges"] = ranges_json(written.sets);
}

/// Notes what one part of the configuration asks for; a list of another type, and texts that are no
/// addresses, are the plugin's to refuse.
void note_requests(const ConfigReader& part, DelegateConf& conf) {
  const Json* ips = part.find("ips");
  if (ips == nullptr || !ips->is_array()) return;
  for (const auto& element : *ips) {
    conf.caller_requests = true;
    const auto* text = element.get_ptr<const std::string*>();
    const auto address = text == nullptr ? std::nullopt : parse_requested_address(*text);
    if (address) conf.requested_by_caller.push_back(*address);
  }
}

bool has_usable_ranges(const Json& block, const std::string& cni_version) {
  try {
    const ConfigReader reader(&block, "/ipam", ErrorCode::internal);
    const ConfigReader nothing(nullptr, "", ErrorCode::internal);
    return !complete_ranges(read_ranges(reader, nothing, nothing), cni_version).empty();
  } catch (const std::exception&) {
    return false;
  }
}

/// Mistyped it is host-local's to refuse.
void read_data_dir(const Json& block, PlacementConf& placement) {
  const Json* value = find_member(block, "dataDir");
  if (value != nullptr && value->is_string()) set_data_dir(*value, placement);
}

void set_document(const Json& document, Json block, DelegateConf& conf) {
  conf.document = document;
  set_member(conf.document, "ipam", std::move(block));
}

}  // namespace

std::string DelegateConf::network_dir() const {
  return is_host_local() ? placement.data_dir + "/" + name
                         : allocator::store::delegate_label(type, name);
}

DelegateConf read_delegate_conf(const Json& document, const ConfHead& head,
                                const ConfInputs& inputs) {
  DelegateConf conf(head);
  const ConfigReader ipam = ipam_of(document);
  conf.placement.timeout = kDefaultTimeout;
  read_placement_keys(ipam, Strictness::strict, conf.placement);
  refuse_allocator_keys(ipam, conf.type);
  conf.on_duplicate = read_on_duplicate(ipam);
  conf.keep_interfaces = read_keep_interfaces(ipam);
  conf.families = read_families(ipam);
  conf.placement.retain_pod = read_retain_annotation(document);
  conf.requested = read_address_annotation(document);
  const ConfigReader root(&document, "", ErrorCode::invalid_config);
  const ConfigReader args = root.object("args").object("cni");
  const ConfigReader runtime_config = root.object("runtimeConfig");
  const auto by_args = parse_arguments_leniently(inputs.args).ip;
  conf.requests = read_requests(ipam);
  refuse_too_many_requests(document, by_args.has_value());
  conf.caller_requests = by_args.has_value();
  if (by_args) conf.requested_by_caller.push_back(*by_args);
  note_requests(args, conf);
  note_requests(runtime_config, conf);
  Json block = effective_block(*ipam.json(), conf.type);
  read_data_dir(block, conf.placement);
  if (conf.is_host_local()) refuse_wider_ranges(document, conf.cni_version);
  add_ranges_from(ipam, inputs, conf, block);
  if (conf.is_host_local()) apply_families_to(conf.families, block);
  set_document(document, std::move(block), conf);
  return conf;
}

DelegateConf read_delegate_conf_leniently(const Json& document, const ConfHead& head) {
  DelegateConf conf(head);
  conf.placement.timeout = kDefaultTimeout;
  read_common_leniently(document, ipam_of(document), conf);
  Json block = effective_block(*find_member(document, "ipam"), conf.type);
  if (conf.is_host_local() && !has_usable_ranges(block, conf.cni_version)) {
    // Taken out, as host-local refuses null for some of them.
    for (const char* key : kRangeKeys) erase_member(block, key);
    for (const char* key : {"routes", "resolvConf"}) erase_member(block, key);
    set_member(block, "ranges", Json::array({Json::array({{{"subnet", "127.0.0.0/8"}}})}));
  }
  read_data_dir(block, conf.placement);
  set_document(document, std::move(block), conf);
  return conf;
}

Json with_requested(Json document, const std::vector<allocator::Address>& addresses) {
  const auto object_at = [](const Json& object, const char* key) {
    const Json* member = find_member(object, key);
    return member != nullptr && member->is_object() ? *member : Json::object();
  };
  Json args = object_at(document, "args");
  Json cni = object_at(args, "cni");
  const Json* before = find_member(cni, "ips");
  Json ips = before != nullptr && before->is_array() ? *before : Json::array();
  for (const auto& address : addresses) ips.push_back(address.to_string());
  set_member(cni, "ips", std::move(ips));
  set_member(args, "cni", std::move(cni));
  set_member(document, "args", std::move(args));
  return document;
}

void set_member(Json& object, const std::string& key, Json value) {
  std::vector<std::string> spellings;
  for (const auto& item : object.items()) {
    if (same_key(item.key(), key)) spellings.push_back(item.key());
  }
  for (const auto& spelling : spellings) {
    if (spelling != spellings.front()) object.erase(spelling);
  }
  object[spellings.empty() ? key : spellings.front()] = std::move(value);
}

void erase_member(Json& object, std::string_view key) {
  for (auto member = object.begin(); member != object.end();)
    member = same_key(member.key(), key) ? object.erase(member) : std::next(member);
}

}  // namespace shim
