#include "shim/cni/conf/own_keys.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace shim {
namespace {

constexpr double kTimeoutLimitSeconds = 3600;
constexpr double kLogSizeLimitMib = 1 << 20;
constexpr double kLogBackupLimit = 1000;

constexpr std::array<std::string_view, 15> kOwnKeys = {
    "inProcess",      "retain",         "exclude",  "pins",     "rangesFrom",
    "ipFamilies",     "onDuplicate",    "requests", "stateDir", "durability",
    "timeoutSeconds", "keepInterfaces", "logFile",  "logLevel", "logOptions"};

/// Runs one key's reading; a broken key is ignored where nothing may stop a release.
template <typename Read>
void read_key(Strictness strictness, Read read) {
  try {
    read();
  } catch (const CniError&) {
    if (strictness == Strictness::strict) throw;
  }
}

void read_retain(const ConfigReader& ipam, RetainConf& retain) {
  const Json* value = ipam.find("retain");
  if (value == nullptr) return;
  if (value->is_boolean()) {
    retain.enabled = value->get<bool>();
    return;
  }
  if (!value->is_object()) {
    fail_type(*value, ipam.path_of("retain"), "true, false or an object", ipam.code());
  }
  const ConfigReader object = ipam.object("retain");
  retain.require_same_uid = object.flag("requireSameUID").value_or(false);
  retain.exclude = object.texts("exclude");
  for (const auto& glob : retain.exclude) {
    if (std::count(glob.begin(), glob.end(), '/') == 1) continue;
    object.fail("exclude", "must hold \"namespace/pod\" globs such as \"batch/*\", but has " +
                               go_quoted(glob));
  }
}

void read_log(const ConfigReader& ipam, Strictness strictness, LogConf& log) {
  read_key(strictness, [&] { log.file = ipam.text("logFile").value_or(""); });
  read_key(strictness, [&] {
    const std::vector<std::string> levels = {"panic", "error",   "warning",
                                             "info",  "verbose", "debug"};
    if (const auto level = ipam.choice("logLevel", levels)) log.level = levels[*level];
  });
  read_key(strictness, [&] {
    const ConfigReader options = ipam.object("logOptions");
    log.max_size_mib = static_cast<std::uint64_t>(
        options.positive_number("maxSize", kLogSizeLimitMib).value_or(100));
    log.max_backups =
        static_cast<unsigned>(options.positive_number("maxBackups", kLogBackupLimit).value_or(5));
  });
}

allocator::Span read_span(const std::string& text, const std::string& path) {
  const auto fail = [&](const std::string& problem) {
    throw CniError(ErrorCode::invalid_config, path + " " + problem + ": " + go_quoted(text))
        .at(path);
  };
  const auto dash = text.find('-');
  if (dash == std::string::npos) {
    if (const auto cidr = allocator::Cidr::parse(text)) return {cidr->network(), cidr->last()};
    if (const auto address = allocator::Address::parse(text)) return {*address, *address};
  } else {
    const auto first = allocator::Address::parse(std::string_view(text).substr(0, dash));
    const auto last = allocator::Address::parse(std::string_view(text).substr(dash + 1));
    if (first && last && first->family() != last->family())
      fail("is a span from one address family to the other");
    if (first && last && *first > *last)
      fail("is a span that ends before it starts; swap the two addresses");
    if (first && last) return {*first, *last};
  }
  throw CniError(ErrorCode::invalid_config,
                 path + " must be an address, a CIDR block or a span \"first-last\", but is " +
                     go_quoted(text))
      .at(path);
}

/// Splits "namespace/pod". `path`: of the object that has such keys.
std::pair<std::string, std::string> read_pod_name(const std::string& key, const std::string& path) {
  const auto slash = key.find('/');
  const bool valid = slash != std::string::npos && slash > 0 && slash + 1 < key.size() &&
                     key.find('/', slash + 1) == std::string::npos;
  if (valid) return {key.substr(0, slash), key.substr(slash + 1)};
  throw CniError(ErrorCode::invalid_config,
                 "the keys of " + path + " must be \"namespace/pod\", but one is " + go_quoted(key))
      .at(path);
}

void add_pin(const allocator::Pin& pin, const std::string& path,
             std::vector<allocator::Pin>& pins) {
  for (const auto& other : pins) {
    if (other.address != pin.address) continue;
    if (other.pod_namespace == pin.pod_namespace && other.pod_name == pin.pod_name) return;
    throw CniError(ErrorCode::invalid_config,
                   path + " pins " + pin.address.to_string() + " to " + pin.pod_namespace + "/" +
                       pin.pod_name + ", but it is pinned to " + other.pod_namespace + "/" +
                       other.pod_name + " already; give each pod its own address")
        .at(path);
  }
  pins.push_back(pin);
}

void read_pins(const ConfigReader& ipam, std::vector<allocator::Pin>& pins) {
  const ConfigReader object = ipam.object("pins");
  if (!object.is_present()) return;
  for (const auto& [key, value] : object.json()->items()) {
    const std::string path = object.path_of(key);
    const auto [pod_namespace, pod_name] = read_pod_name(key, ipam.path_of("pins"));
    if (!value.is_array()) fail_type(value, path, "an array of addresses", object.code());
    std::size_t index = 0;
    for (const auto& element : value) {
      const std::string place = path + "/" + std::to_string(index++);
      const auto& text = require_text(element, place, object.code());
      const auto address = allocator::Address::parse(text);
      if (!address)
        throw CniError(object.code(), place + " must be an address, but is " + go_quoted(text))
            .at(place);
      add_pin({pod_namespace, pod_name, *address}, place, pins);
    }
  }
}

}  // namespace

void read_placement_keys(const ConfigReader& ipam, Strictness strictness,
                         PlacementConf& placement) {
  read_key(strictness, [&] {
    placement.state_dir = ipam.text("stateDir").value_or(placement.state_dir);
    if (!placement.state_dir.starts_with('/')) {
      const std::string given = std::exchange(placement.state_dir, PlacementConf{}.state_dir);
      ipam.fail("stateDir", "must be an absolute path, but is " + go_quoted(given));
    }
  });
  read_key(strictness, [&] {
    if (ipam.choice("durability", {"full", "none"}) == 1)
      placement.durability = allocator::store::Durability::none;
  });
  read_key(strictness, [&] { read_retain(ipam, placement.retain); });
  read_key(strictness, [&] {
    const auto seconds = ipam.positive_number("timeoutSeconds", kTimeoutLimitSeconds);
    if (seconds)
      placement.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
  });
  read_key(strictness, [&] { static_cast<void>(ipam.flag("keepInterfaces")); });
  read_key(strictness, [&] { static_cast<void>(ipam.object("rangesFrom")); });
  read_log(ipam, strictness, placement.log);
}

void read_allocation_keys(const ConfigReader& ipam, AllocationConf& allocation,
                          std::vector<std::string>& warnings) {
  ipam.each("exclude", [&](const Json& element, const std::string& path) {
    allocation.reservations.excluded.push_back(
        read_span(require_text(element, path, ipam.code()), path));
  });
  read_pins(ipam, allocation.reservations.pins);
  for (const auto& pin : allocation.reservations.pins) {
    const std::size_t set = allocator::set_of(allocation.sets, pin.address);
    if (set < allocation.sets.size() && !allocation.sets[set].is_gateway(pin.address)) continue;
    warnings.push_back("pin " + pin.address.to_string() + " of " + pin.pod_namespace + "/" +
                       pin.pod_name + " is outside this node's ranges, or a gateway: ignored");
  }
}

allocator::store::OnDuplicate read_on_duplicate(const ConfigReader& ipam) {
  using allocator::store::OnDuplicate;
  const bool is_error = ipam.choice("onDuplicate", {"return", "error"}) == 1;
  return is_error ? OnDuplicate::error : OnDuplicate::same_addresses;
}

std::vector<allocator::Family> read_families(const ConfigReader& ipam) {
  std::vector<allocator::Family> families;
  for (const auto& name : ipam.texts("ipFamilies")) {
    if (name != "IPv4" && name != "IPv6") {
      ipam.fail("ipFamilies", "must hold \"IPv4\" and \"IPv6\" only, but has " + go_quoted(name));
    }
    const auto family = name == "IPv4" ? allocator::Family::v4 : allocator::Family::v6;
    if (std::find(families.begin(), families.end(), family) == families.end())
      families.push_back(family);
  }
  return families;
}

allocator::RangeSets apply_families(const ConfigReader& ipam, const allocator::RangeSets& sets) {
  if (!ipam.has("ipFamilies")) return sets;
  allocator::RangeSets result;
  for (const auto family : read_families(ipam)) {
    std::copy_if(sets.begin(), sets.end(), std::back_inserter(result),
                 [&](const allocator::RangeSet& set) { return set.family() == family; });
  }
  if (result.empty()) {
    ipam.fail("ipFamilies", "leaves no range: none of the configured ranges is of these families");
  }
  return result;
}

void refuse_own_keys(const ConfigReader& delegate) {
  if (!delegate.is_present()) return;
  for (const auto key : kOwnKeys) {
    if (delegate.has(key))
      delegate.fail(key, "is a key of delegated-ipam: move it beside delegate");
  }
}

std::span<const std::string_view> own_keys() { return kOwnKeys; }

bool is_own_key(std::string_view key) {
  return std::any_of(kOwnKeys.begin(), kOwnKeys.end(),
                     [&](std::string_view own) { return same_key(own, key); });
}

bool read_keep_interfaces(const ConfigReader& ipam) {
  return ipam.flag("keepInterfaces").value_or(false);
}

void refuse_allocator_keys(const ConfigReader& ipam, const std::string& plugin) {
  for (const char* key : {"exclude", "pins"}) {
    if (!ipam.has(key)) continue;
    ipam.fail(key, "is for the built-in host-local only: " + go_quoted(plugin) +
                       " chooses its addresses itself; remove the key, or configure it in " +
                       ipam.path_of("delegate"));
  }
}

}  // namespace shim
