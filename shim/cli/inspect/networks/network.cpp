#include "shim/cli/inspect/networks/network.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <system_error>

#include "shim/cli/progress.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/conf/ranges_source.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim::inspect {
namespace {

using allocator::store::CachedAttachment;
using allocator::store::FileSystem;
using allocator::store::Oddity;
using allocator::store::SurveyedAddress;

constexpr std::size_t kHostNameLimit = 4096;

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

/// What the runtime's cache says of an attachment; nullptr for nothing, or where it was not read.
const CachedAttachment* find_cached(const Network& network,
                                    const allocator::Attachment& attachment) {
  const CachedAttachment* found = nullptr;
  const auto [first, last] = network.cached.equal_range(attachment.container_id);
  for (auto known = first; known != last; ++known) {
    if (known->second.attachment == attachment) found = &known->second;
  }
  return found;
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
    case Oddity::Kind::lost_file:
      return {rules::kFileLost, "was removed, and the sandbox that has its address is there"};
    case Oddity::Kind::nested:
      return {rules::kNested,
              "addresses are in use in a folder inside the network's own, where "
              "dataDir used to end in the network's name"};
    case Oddity::Kind::closed_record:
      return {rules::kRecordClosed, "its address is given to nobody"};
    case Oddity::Kind::malformed_record:
      return {rules::kRecordMalformed, "makes no sense"};
    case Oddity::Kind::closed_pins:
      return {rules::kRecordClosed, "nothing is pinned by hand"};
    case Oddity::Kind::cursor:
      return {rules::kCursor, "is no address"};
    case Oddity::Kind::lock:
      return {rules::kLock, "the folder was read without its lock"};
  }
  return {rules::kFolder, ""};
}

[[noreturn]] void refuse(const std::system_error& error, const NodeOptions& options) {
  const int number = error.code().value();
  if (number == ENOSYS && !options.root.empty())
    throw UsageError("--root: needs Linux 5.6 or newer");
  throw UsageError(std::string(error.what()) + (number == EACCES ? "; run it as root" : ""));
}

/// The pod whose address a file or record is about: "shop/web-0"; empty for none that is known.
std::string pod_at(const Network& network, const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  if (name.starts_with("ip.")) name.erase(0, 3);
  const auto address = allocator::Address::parse(name);
  const SurveyedAddress* one = address ? network.survey.find(*address) : nullptr;
  const Owner owner = one != nullptr ? network.owner_of(*one) : Owner{};
  return owner.is_known() ? owner.key().display() : std::string();
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
  if (const auto* known = find_cached(*this, *one.attachment)) owner = owner_in(*known);
  owner.ifname = one.attachment->ifname;
  if (owner.netns.empty() && one.stamp) owner.netns = one.stamp->netns_path;
  return owner;
}

std::string Network::mac_of(const SurveyedAddress& one) const {
  if (!one.is_in_use || !one.attachment) return {};
  const auto* known = find_cached(*this, *one.attachment);
  return known == nullptr ? std::string() : known->mac;
}

bool is_in_memory(FileSystem& fs, const std::string& path) {
  const auto folder = fs.open_directory(path);
  struct statfs status {};
  if (!folder || ::fstatfs(folder->fd.number(), &status) != 0) return false;
  const auto type = static_cast<std::uint32_t>(status.f_type);
  return type == TMPFS_MAGIC || type == RAMFS_MAGIC;
}

bool Network::is_excluded(const Owner& owner) const {
  const auto options = store_options(conf.placement, network_dir);
  return owner.is_known() && !options.retains(owner.key());
}

bool Network::keeps(const allocator::PodKey& pod) const {
  return !is_host_locals() && conf.placement.retain.enabled &&
         !is_excluded({pod.pod_namespace, pod.pod_name, pod.ifname, {}, {}});
}

Node::Node(FileSystem& under, const NodeOptions& options, ReadCache when_cache, Compare compare) try
    : options_(options), when_cache_(when_cache), compare_(compare), fs_(under, options.root) {
  set_folders();
  for (const auto& one : plugin_confs(fs_, options_.conf, findings_)) add_conf(one);
  add_folders();
  add_remembered();
  survey_all();
} catch (const std::system_error& error) {
  refuse(error, options);
}

Node::Node(FileSystem& under, const NodeOptions& options, const std::vector<PluginConf>& confs) try
    : options_(options), when_cache_(ReadCache::where_needed), fs_(under, options.root) {
  set_folders();
  for (const auto& one : confs) add_conf(one);
  survey_all();
} catch (const std::system_error& error) {
  refuse(error, options);
}

void Node::set_folders() {
  for (std::string* folder : {&options_.data_dir, &options_.state_dir})
    if (!folder->empty()) *folder = validate::clean_path(*folder);
}

void Node::survey_all() {
  networks_.sort([](const Network& left, const Network& right) {
    return std::tie(left.name, left.network_dir) < std::tie(right.name, right.network_dir);
  });
  for (auto& network : networks_) survey(network);
  if (networks_.empty() && !options_.network.empty())
    refuse_option("--network", options_.network,
                  "is none of this node's networks; looked in " + places());
}

std::string Node::name() {
  if (!fs_.has_root()) return node_name();
  try {
    const std::string text = fs_.read_regular("/etc/hostname", kHostNameLimit);
    return text.substr(0, text.find('\n'));
  } catch (const std::exception&) {
    return {};
  }
}

std::string Node::boot() const {
  return networks_.empty() ? std::string() : allocator::boot8_of(networks_.front().survey.boot_id);
}

std::string Node::places() const {
  return (options_.conf.empty() ? kDefaultConfFolder : options_.conf) + ", " +
         (options_.data_dir.empty() ? std::string(kDefaultDataDir) : options_.data_dir) + " and " +
         state_dir();
}

void Node::survey(Network& network) {
  allocator::store::SurveyPlace place;
  place.network_dir = network.network_dir;
  place.state_dir = network.conf.placement.state_dir;
  place.is_copy = fs_.has_root();
  place.cursors = network.conf.allocation.sets.size();
  const bool is_compared = compare_ == Compare::yes && network.chooses();
  const auto cached =
      is_compared ? ResultCache(fs_).attachments(network.name) : std::vector<CachedAttachment>();
  place.cached = is_compared ? &cached : nullptr;
  place.retains = store_options(network.conf.placement, network.network_dir).retains;
  Progress progress("looking at network " + network.name);
  place.goes_on = [&] { progress.step(); };
  network.survey = allocator::store::survey(fs_, place);
  if (network.reads_pins()) {
    auto& reservations = network.conf.allocation.reservations;
    reservations = with_pins(std::move(reservations), network.survey.pins);
  }
  if (when_cache_ == ReadCache::always || has_strangers(network.survey)) read_cache(network);
  // What another plugin hands out has no file: its records tell who has it.
  if (!network.chooses()) {
    for (auto& [address, one] : network.survey.addresses)
      one.is_in_use = one.binding && one.binding->sequence == 0;
  }
  tell_of_oddities(network);
  if (network.file.empty() && !network.survey.addresses.empty()) {
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
    const bool says_whose = oddity.kind == Oddity::Kind::lost_file;
    const std::string pod = says_whose ? std::string() : pod_at(network, oddity.path);
    found(findings_, rule, network.name, oddity.path,
          validate::joined({message, oddity.why.empty() ? "" : ": ", oddity.why,
                            pod.empty() ? "" : "; it is ", pod, pod.empty() ? "" : "'s"}));
  }
  for (const auto& attachment : network.survey.pending) {
    found(findings_, rules::kPending, network.name, network.network_dir,
          validate::joined({"the release of ", attachment.container_id, " ", attachment.ifname,
                            " waits for a disk that takes changes"}));
  }
}

void leave_to_exit(std::unique_ptr<Node> node) {
  static auto& left = *new std::unique_ptr<Node>;  // never destroyed, always to be found: no leak
  left = std::move(node);
}

}  // namespace shim::inspect
