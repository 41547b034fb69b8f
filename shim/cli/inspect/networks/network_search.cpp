// How the networks of a node are found: by configurations, folders and records.
#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "allocator/error.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"

namespace shim::inspect {
namespace {

using allocator::store::FileSystem;

constexpr std::size_t kRangesLimit = std::size_t{1} << 20;

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The names in a folder, sorted; none where it is missing.
std::vector<std::string> names_in(FileSystem& fs, const std::string& path) {
  const auto folder = fs.open_directory(path);
  auto names = folder ? fs.list(*folder) : std::vector<std::string>();
  std::sort(names.begin(), names.end());
  return names;
}

/// The first of a folder; the end for none.
Networks::const_iterator network_of(const Networks& networks, const std::string& path) {
  return std::find_if(networks.begin(), networks.end(),
                      [&](const Network& network) { return network.network_dir == path; });
}

/// True for a folder that some plugin has used as a network's.
bool is_network_folder(FileSystem& fs, const std::string& path) {
  try {
    const auto folder = fs.open_directory(path);
    bool is_one = false;
    if (folder) {
      fs.visit(*folder, [&](const allocator::store::DirectoryEntry& entry) {
        is_one = is_one || entry.name == "lock" ||
                 allocator::store::address_of_name(entry.name).has_value();
      });
    }
    return is_one;
  } catch (const std::system_error&) {
    return false;  // no folder
  }
}

/// What is remembered of the ranges; nothing where the record cannot be read, which the survey tells.
std::optional<allocator::store::RememberedRanges> remembered(FileSystem& fs,
                                                             const std::string& state_dir,
                                                             const std::string& network_dir) {
  try {
    auto records = allocator::store::RecordFolder::open(fs, state_dir, network_dir);
    return records ? records->last_ranges() : std::nullopt;
  } catch (const allocator::store::ClosedRecord&) {
    return std::nullopt;
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

}  // namespace

std::string Node::state_dir() const {
  return options_.state_dir.empty() ? std::string(kDefaultStateDir) : options_.state_dir;
}

Network& Node::begin() { return networks_.emplace_back(); }

/// The first that is found of a folder counts.
void Node::end() {
  const Network& last = networks_.back();
  const bool is_wanted =
      !last.name.empty() && (options_.network.empty() || last.name == options_.network);
  if (!is_wanted || network_of(networks_, last.network_dir) != std::prev(networks_.end()))
    networks_.pop_back();
}

void Node::add_conf(const PluginConf& conf) {
  Network& network = begin();
  network.file = conf.file;
  network.ipam_type = conf.ipam_type;
  std::string refused;
  bool lacks_ranges = conf.lacks_ranges;
  try {
    const ConfHead head = read_head(conf.document, Strictness::lenient);
    network.name = head.name;
    if (!head.choice.is_built_in) network.delegate = head.choice.names.back();
    network.conf = read_net_conf_leniently(conf.document, head);
    try {
      read_conf(conf.document, head, network);
    } catch (const CniError& error) {
      refused = error.what();
      lacks_ranges = lacks_ranges || error.code == ErrorCode::try_again_later;
    } catch (const allocator::Error& error) {
      refused = error.what();
    }
    if (!options_.data_dir.empty()) network.conf.placement.data_dir = options_.data_dir;
    if (!options_.state_dir.empty()) network.conf.placement.state_dir = options_.state_dir;
    network.network_dir = network.chooses() ? network.conf.placement.data_dir + "/" + network.name
                                            : DelegateConf(head).network_dir();
  } catch (const CniError& error) {
    refused = error.what();
  }
  const bool is_wanted = options_.network.empty() || network.name == options_.network;
  if (!refused.empty() && is_wanted)
    found(findings_, lacks_ranges ? rules::kRangesMissing : rules::kConfRefused, network.name,
          conf.file, refused);
  if (!conf.lacks_ranges) network.flannel_file = conf.flannel_file;
  end();
}

/// As an ADD reads it. What another plugin hands out is not ours to know.
void Node::read_conf(const Json& document, const ConfHead& head, Network& network) {
  if (!network.chooses()) return;
  const ConfInputs inputs{
      {}, [&](const RangesSource& source, const PlacementConf& placement, const std::string&) {
        return ranges_from(source, placement, network);
      }};
  network.conf = read_net_conf(document, head, inputs);
}

/// What an ADD would get from the source, or would remember of it. A copy is of another node than
/// the one that looks at it: there what is remembered is that node's.
std::vector<std::string> Node::ranges_from(const RangesSource& source,
                                           const PlacementConf& placement, Network& network) {
  const std::string data_dir = options_.data_dir.empty() ? placement.data_dir : options_.data_dir;
  const std::string state = options_.state_dir.empty() ? placement.state_dir : options_.state_dir;
  const auto last = remembered(fs_, state, data_dir + "/" + network.name);
  const bool is_ours =
      last && !last->is_anonymous &&
      (fs_.has_root() || (last->node == source.node && last->source == source.name));
  network.forgets_ranges = !is_ours;
  if (is_ours && fs_.has_root()) return last->cidrs;
  std::string why;
  for (const auto& path : source.paths) {
    try {
      return parse_ranges(source.kind, fs_.read_regular(path, kRangesLimit), path);
    } catch (const std::exception& error) {
      if (why.empty()) why = error.what();
    }
  }
  if (is_ours) return last->cidrs;
  throw CniError(ErrorCode::try_again_later,
                 "rangesFrom: no subnet for this node yet (" + why + "), and none is remembered");
}

void Node::add_folder(const std::string& path) {
  Network& network = begin();
  network.name = last_part(path);
  network.network_dir = path;
  network.conf.placement.state_dir = state_dir();
  end();
}

/// Networks without a configuration, beside those that have one.
void Node::add_folders() {
  std::set<std::string> folders = {options_.data_dir.empty() ? std::string(kDefaultDataDir)
                                                             : options_.data_dir};
  for (const auto& network : networks_) {
    if (network.conf.placement.data_dir_given && options_.data_dir.empty())
      folders.insert(network.conf.placement.data_dir);
  }
  for (const auto& folder : folders) {
    for (const auto& name : names_in(fs_, folder)) {
      const std::string path = folder + "/" + name;
      const bool is_known = network_of(networks_, path) != networks_.end();
      if (!is_known && is_identifier(name) && is_network_folder(fs_, path)) add_folder(path);
    }
  }
}

/// Networks that the state folder remembers. With --data-dir, only those in that folder.
void Node::add_remembered() {
  for (const auto& path : allocator::store::known_network_dirs(fs_, state_dir())) {
    if (options_.data_dir.empty() || path == options_.data_dir + "/" + last_part(path))
      add_folder(path);
  }
}

}  // namespace shim::inspect
