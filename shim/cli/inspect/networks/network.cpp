#include "shim/cli/inspect/networks/network.hpp"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "allocator/error.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/protocol/environment.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim::inspect {
namespace {

using allocator::store::CachedAttachment;
using allocator::store::FileSystem;
using allocator::store::Oddity;
using allocator::store::SurveyedAddress;

constexpr std::size_t kRangesLimit = std::size_t{1} << 20;
constexpr const char* kNetdirName = "netdir";

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// The names in a folder, sorted; none where it is missing.
std::vector<std::string> names_in(FileSystem& fs, const std::string& path) {
  const auto folder = fs.open_directory(path);
  auto names = folder ? fs.list(*folder) : std::vector<std::string>();
  std::sort(names.begin(), names.end());
  return names;
}

/// True for a folder that some plugin has used as a network's.
bool is_network_folder(FileSystem& fs, const std::string& path) {
  try {
    const auto names = names_in(fs, path);
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return name == "lock" || allocator::store::address_of_name(name).has_value();
    });
  } catch (const std::system_error&) {
    return false;  // no folder
  }
}

/// True when somebody has to be looked for in the runtime's cache.
bool has_strangers(const allocator::store::Survey& survey) {
  return std::any_of(survey.addresses.begin(), survey.addresses.end(), [](const auto& entry) {
    return entry.second.attachment && !entry.second.is_bound_now();
  });
}

Owner owner_in(const CachedAttachment& cached) {
  if (!cached.pod) return {{}, {}, cached.attachment.ifname, {}, cached.netns_path};
  return {cached.pod->pod_namespace, cached.pod->pod_name, cached.pod->ifname, cached.uid,
          cached.netns_path};
}

struct OddityRule {
  const Rule& rule;
  std::string_view message;
};

OddityRule rule_of(Oddity::Kind kind) {
  switch (kind) {
    case Oddity::Kind::folder:
      return {rules::kFolder, "cannot be read"};
    case Oddity::Kind::unreadable_file:
      return {rules::kFileUnreadable, "the disk does not give it; its address is in use for ever"};
    case Oddity::Kind::no_regular_file:
      return {rules::kFileOdd, "no regular file; its address is in use for ever"};
    case Oddity::Kind::empty_file:
      return {rules::kFileEmpty,
              "empty, as a power cut leaves files of host-local's; its address "
              "is in use meanwhile"};
    case Oddity::Kind::note:
      return {rules::kFileNote, "names no attachment; its address is in use for ever"};
    case Oddity::Kind::foreign_name:
      return {rules::kForeignFile, "no file of host-local's or ours"};
    case Oddity::Kind::nested:
      return {rules::kNested,
              "addresses are in use in a folder inside the network's own, where "
              "dataDir used to end in the network's name"};
    case Oddity::Kind::closed_record:
      return {rules::kRecordClosed, "its address is given to nobody"};
    case Oddity::Kind::malformed_record:
      return {rules::kRecordMalformed, "makes no sense"};
    case Oddity::Kind::lock:
      return {rules::kLock, "the folder was read without its lock"};
  }
  return {rules::kFolder, ""};
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

void add_node_options(CommandSpec& command, NodeOptions& options) {
  command.text("--conf", options.conf, "a configuration, or the folder of them (/etc/cni/net.d)");
  command.text("--data-dir", options.data_dir,
               "host-local's folder of networks, also for configurations that name another one");
  command.text("--state-dir", options.state_dir, "the folder of the bindings, likewise");
  command.text("--network", options.network, "this network only");
  command.text("--root", options.root, "a copy of another node's folders, in place of /");
}

Owner Network::owner_of(const SurveyedAddress& one) const {
  if (one.binding && (!one.attachment || one.is_bound_now())) {
    const auto& pod = one.binding->pod;
    return {pod.pod_namespace, pod.pod_name, pod.ifname, one.binding->uid,
            one.stamp ? one.stamp->netns_path : std::string()};
  }
  if (!one.attachment) return {};
  Owner owner;
  const auto [first, last] = cached.equal_range(one.attachment->container_id);
  for (auto known = first; known != last; ++known) {
    if (known->second.attachment == *one.attachment) owner = owner_in(known->second);
  }
  owner.ifname = one.attachment->ifname;
  if (owner.netns.empty() && one.stamp) owner.netns = one.stamp->netns_path;
  return owner;
}

bool Network::is_excluded(const Owner& owner) const {
  const auto options = store_options(conf.placement, network_dir);
  return owner.is_known() && !options.retains({owner.pod_namespace, owner.pod_name, owner.ifname});
}

Node::Node(FileSystem& under, const NodeOptions& options) try
    : options_(options), fs_(under, options.root) {
  for (std::string* folder : {&options_.data_dir, &options_.state_dir})
    if (!folder->empty()) *folder = validate::clean_path(*folder);
  add_configured();
  add_folders();
  add_remembered();
  networks_.sort([](const Network& left, const Network& right) {
    return std::tie(left.name, left.network_dir) < std::tie(right.name, right.network_dir);
  });
  for (auto& network : networks_) survey(network);
  if (networks_.empty() && !options.network.empty())
    refuse_option("--network", options.network,
                  "is none of this node's networks; looked in " + places());
} catch (const std::system_error& error) {
  const int number = error.code().value();
  if (number == ENOSYS && !options.root.empty())
    throw UsageError("--root: needs Linux 5.6 or newer");
  throw UsageError(std::string(error.what()) + (number == EACCES ? "; run it as root" : ""));
}

std::string Node::places() const {
  return (options_.conf.empty() ? kDefaultConfFolder : options_.conf) + ", " +
         (options_.data_dir.empty() ? std::string(kDefaultDataDir) : options_.data_dir) + " and " +
         state_dir();
}

std::string Node::state_dir() const {
  return options_.state_dir.empty() ? std::string(kDefaultStateDir) : options_.state_dir;
}

Network& Node::begin() { return networks_.emplace_back(); }

/// The first that is found of a folder counts.
void Node::end() {
  const Network& last = networks_.back();
  const bool is_wanted =
      !last.name.empty() && (options_.network.empty() || last.name == options_.network);
  const auto is_same = [&](const Network& other) { return other.network_dir == last.network_dir; };
  if (!is_wanted ||
      std::find_if(networks_.begin(), networks_.end(), is_same) != std::prev(networks_.end()))
    networks_.pop_back();
}

void Node::add_configured() {
  for (const auto& one : plugin_confs(fs_, options_.conf, findings_)) add_conf(one);
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
    const bool is_label = !network.delegate.empty() && network.delegate != "host-local";
    network.network_dir = is_label ? DelegateConf(head).network_dir()
                                   : network.conf.placement.data_dir + "/" + network.name;
  } catch (const CniError& error) {
    refused = error.what();
  }
  const bool is_wanted = options_.network.empty() || network.name == options_.network;
  if (!refused.empty() && is_wanted)
    found(findings_, lacks_ranges ? rules::kRangesMissing : rules::kConfRefused, network.name,
          conf.file, refused);
  end();
}

/// As an ADD reads it. What another plugin hands out is not ours to know.
void Node::read_conf(const Json& document, const ConfHead& head, Network& network) {
  if (!network.delegate.empty() && network.delegate != "host-local") return;
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
      if (is_identifier(name) && is_network_folder(fs_, path)) add_folder(path);
    }
  }
}

/// Networks that the state folder remembers. With --data-dir, only those in that folder.
void Node::add_remembered() {
  const std::string state = state_dir();
  for (const auto& name : names_in(fs_, state)) {
    try {
      const auto folder = fs_.open_directory(state + "/" + name);
      const auto record = folder ? fs_.read_link(*folder, kNetdirName) : std::nullopt;
      if (!record || !record->starts_with("1~/")) continue;
      const std::string path = record->substr(2);
      if (options_.data_dir.empty() || path == options_.data_dir + "/" + last_part(path))
        add_folder(path);
    } catch (const std::system_error&) {
      continue;  // something else that lies there
    }
  }
}

void Node::survey(Network& network) {
  allocator::store::SurveyPlace place;
  place.network_dir = network.network_dir;
  place.state_dir = network.conf.placement.state_dir;
  place.is_copy = fs_.has_root();
  place.cursors = network.conf.allocation.sets.size();
  network.survey = allocator::store::survey(fs_, place);
  if (has_strangers(network.survey)) read_cache(network);
  // What another plugin hands out has no file: its records tell who has it.
  if (!network.delegate.empty() && network.delegate != "host-local") {
    for (auto& [address, one] : network.survey.addresses)
      one.is_in_use = one.binding && one.binding->sequence == 0;
  }
  tell_of_oddities(network);
  if (network.file.empty()) {
    found(findings_, rules::kRangesUnknown, network.name, network.network_dir,
          "no configuration of this network was found, so its ranges are not known");
  }
}

void Node::read_cache(Network& network) {
  for (auto& one : ResultCache(fs_).attachments(network.name)) {
    std::string container_id = one.attachment.container_id;
    network.cached.emplace(std::move(container_id), std::move(one));
  }
}

void Node::tell_of_oddities(const Network& network) {
  for (const auto& oddity : network.survey.oddities) {
    const auto [rule, message] = rule_of(oddity.kind);
    found(findings_, rule, network.name, oddity.path,
          validate::joined({message, oddity.why.empty() ? "" : ": ", oddity.why}));
  }
  for (const auto& attachment : network.survey.pending) {
    found(findings_, rules::kPending, network.name, network.network_dir,
          validate::joined({"the release of ", attachment.container_id, " ", attachment.ifname,
                            " waits for a disk that takes changes"}));
  }
}

}  // namespace shim::inspect
