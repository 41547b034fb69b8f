#include "allocator/store/record_folder.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/store/fields.hpp"
#include "allocator/store/fingerprint.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr std::size_t kNameLimit = 200;  // below NAME_MAX (255) with room for prefixes
constexpr std::string_view kBindingPrefix = "ip.";
constexpr const char* kNetdirName = "netdir";
constexpr const char* kBootsName = "boots";
constexpr const char* kRangesName = "node-ranges";
constexpr const char* kAnonymousRangesName = "ranges";
constexpr std::size_t kBootLimit = 16;
constexpr const char* kTemporaryName = ".new";

std::string binding_name(const Address& address) {
  return std::string(kBindingPrefix) + address.to_string();
}

/// The record's hint text; a hashed name keeps the pod's names in the target.
std::string hint_text(const PodKey& pod, const PodHint& hint) {
  if (key_text(pod).size() <= kNameLimit) return encode(hint);
  return encode(hint) + "~" + escape(pod.pod_namespace) + "~" + escape(pod.pod_name) + "~" +
         escape(pod.ifname);
}

void refuse_newer(const std::string& record, const std::string& path) {
  if (state_of_record(record) != RecordState::newer_format) return;
  throw NewerFormat("read record " + path + ": written by a newer version of delegated-ipam (\"" +
                    record + "\"); install that version again");
}

}  // namespace

std::string record_folder_name(const std::string& netdir) {
  std::string name;
  std::size_t start = netdir.starts_with('/') ? 1 : 0;
  while (start <= netdir.size()) {
    const auto end = std::min(netdir.find('/', start), netdir.size());
    if (!name.empty()) name += '_';
    name += escape(std::string_view(netdir).substr(start, end - start));
    start = end + 1;
  }
  return name.size() <= kNameLimit ? name : "~" + sha256_hex(netdir);
}

std::optional<Address> bound_address(const std::string& name) {
  if (!name.starts_with(kBindingPrefix)) return std::nullopt;
  return Address::parse(std::string_view(name).substr(kBindingPrefix.size()));
}

std::string hint_name(const PodKey& pod) {
  const std::string key = key_text(pod);
  return key.size() <= kNameLimit ? "pod." + key : "pod~" + sha256_hex(key);
}

RecordFolder RecordFolder::create(FileSystem& fs, const std::string& state_dir,
                                  const std::string& netdir, std::vector<std::string>& changed) {
  if (auto existing = open(fs, state_dir, netdir)) {
    // Whoever made the folder may have died before this.
    if (!fs.read_link(existing->folder_, kNetdirName)) {
      fs.make_link("1~" + netdir, existing->folder_, kNetdirName);
    }
    return std::move(*existing);
  }
  const std::string path = state_dir + "/" + record_folder_name(netdir);
  RecordFolder folder(fs, make_folder(fs, path, kFolderMode, changed));
  fs.make_link("1~" + netdir, folder.folder_, kNetdirName);
  folder.is_new_ = true;
  return folder;
}

std::optional<RecordFolder> RecordFolder::open(FileSystem& fs, const std::string& state_dir,
                                               const std::string& netdir) {
  auto folder = fs.open_directory(state_dir + "/" + record_folder_name(netdir));
  if (!folder) return std::nullopt;
  return RecordFolder(fs, std::move(*folder));
}

std::optional<std::string> RecordFolder::read(const std::string& name) {
  if (const auto known = read_.find(name); known != read_.end()) return known->second;
  if (is_new_ && !wrote(name)) return std::nullopt;
  auto record = fs_->read_link(folder_, name);
  if (record) refuse_newer(*record, folder_.path + "/" + name);
  read_.emplace(name, record);
  return record;
}

bool RecordFolder::wrote(const std::string& name) const {
  return std::any_of(changes_.begin(), changes_.end(),
                     [&](const RecordChange& change) { return change.name == name; });
}

std::optional<Binding> RecordFolder::binding(const Address& address) {
  const auto record = read(binding_name(address));
  return record ? decode_binding(*record) : std::nullopt;
}

std::optional<PodHint> RecordFolder::hint(const PodKey& pod) {
  const auto record = read(hint_name(pod));
  return record ? decode_hint(*record) : std::nullopt;
}

std::vector<std::pair<Address, Binding>> RecordFolder::bindings() {
  std::vector<std::pair<Address, Binding>> all;
  for (const auto& name : fs_->list(folder_)) {
    const auto address = bound_address(name);
    if (!address) continue;
    if (auto found = binding(*address)) all.emplace_back(*address, std::move(*found));
  }
  return all;
}

void RecordFolder::put(const Address& address, const Binding& binding) {
  change(binding_name(address), encode(binding));
}

void RecordFolder::put(const PodKey& pod, const PodHint& hint) {
  change(hint_name(pod), hint_text(pod, hint));
}

void RecordFolder::remove(const Address& address) { remove_record(binding_name(address)); }

void RecordFolder::forget_evicted(const PodKey& pod) {
  const auto pod_hint = hint(pod);
  if (!pod_hint) return;
  const bool bound_elsewhere = std::any_of(pod_hint->addresses.begin(), pod_hint->addresses.end(),
                                           [&](const Address& address) {
                                             const auto other = binding(address);
                                             return other && other->pod == pod;
                                           });
  if (!bound_elsewhere) remove_record(hint_name(pod));
}

std::vector<std::string> RecordFolder::read_list(const std::string& name) {
  const auto record = read(name);
  if (!record || !record->starts_with("1~")) return {};
  return split(record->substr(2), ',');
}

void RecordFolder::put_list(const std::string& name, const std::vector<std::string>& list) {
  std::string record = "1~";
  for (const auto& field : list) record += (record.size() == 2 ? "" : ",") + field;
  change(name, record);
}

std::vector<std::string> RecordFolder::boots() { return read_list(kBootsName); }

bool RecordFolder::append_boot(const std::string& boot8) {
  auto list = boots();
  if (!list.empty() && list.back() == boot8) return false;
  std::erase(list, boot8);
  list.push_back(boot8);
  if (list.size() > kBootLimit) list.erase(list.begin());
  put_list(kBootsName, list);
  return true;
}

std::optional<RememberedRanges> RecordFolder::last_ranges() {
  const auto record = read(kRangesName);
  const auto fields = record ? split(*record, '~') : std::vector<std::string>();
  constexpr std::size_t width = 4;  // "1~<node>~<source>~<CIDR>,<CIDR>..."
  if (fields.size() == width) {
    const auto node = unescape(fields[1]);
    const auto source = unescape(fields[2]);
    if (node && source) return RememberedRanges{*node, *source, split(fields[3], ',')};
  }
  auto anonymous = read_list(kAnonymousRangesName);
  if (anonymous.empty()) return std::nullopt;
  return RememberedRanges{{}, {}, std::move(anonymous), true};
}

void RecordFolder::put_last_ranges(const RememberedRanges& ranges) {
  std::string record = "1~" + escape(ranges.node) + "~" + escape(ranges.source) + "~";
  for (const auto& cidr : ranges.cidrs) record += (record.back() == '~' ? "" : ",") + cidr;
  if (read(kRangesName) == record) return;
  change(kRangesName, record);
  // What names no node must not be believed by an earlier version either.
  remove_record(kAnonymousRangesName);
}

void RecordFolder::remove_record(const std::string& name) {
  const auto before = read(name);
  if (!before) return;
  changes_.push_back({name, before, std::nullopt});
  read_.erase(name);
  write(name, std::nullopt);
}

void RecordFolder::change(const std::string& name, const std::string& target) {
  const auto before = read(name);
  if (before == target) return;
  changes_.push_back({name, before, target});
  read_.erase(name);
  // A first record needs no detour; only replacing one must be a rename.
  if (!before && fs_->make_link(target, folder_, name) == Outcome::done) return;
  write(name, target);
}

void RecordFolder::write(const std::string& name, const std::optional<std::string>& target) {
  if (!target) {
    fs_->unlink(folder_, name);
    return;
  }
  if (fs_->make_link(*target, folder_, kTemporaryName) == Outcome::exists) {
    // A crash left it behind: the lock says that nobody else is writing.
    fs_->unlink(folder_, kTemporaryName);
    fs_->make_link(*target, folder_, kTemporaryName);
  }
  try {
    fs_->rename(folder_, kTemporaryName, name);
  } catch (...) {
    fs_->unlink(folder_, kTemporaryName);
    throw;
  }
}

void RecordFolder::undo() {
  read_.clear();
  // A DEL that came meanwhile has stamped a binding of ours: it is held now, and its hint must
  // stay.
  const bool taken_up =
      std::any_of(changes_.begin(), changes_.end(),
                  [&](const RecordChange& change) { return was_stamped(change); });
  // Hints first: whether a binding may come back is asked of them.
  for (const bool bindings : {false, true}) {
    for (auto change = changes_.rbegin(); change != changes_.rend(); ++change) {
      if (change->name.starts_with(kBindingPrefix) != bindings) continue;
      if (!bindings && taken_up) continue;
      if (fs_->read_link(folder_, change->name) != change->after) continue;
      write(change->name, may_restore(*change) ? change->before : std::nullopt);
    }
  }
  changes_.clear();
  read_.clear();
}

/// True for a binding that somebody changed since this object wrote it, without giving it to
/// another pod.
bool RecordFolder::was_stamped(const RecordChange& change) {
  if (!change.after || !change.name.starts_with(kBindingPrefix)) return false;
  const auto now = fs_->read_link(folder_, change.name);
  if (!now || now == change.after) return false;
  const auto ours = decode_binding(*change.after);
  const auto theirs = decode_binding(*now);
  return ours && theirs && ours->pod == theirs->pod;
}

bool RecordFolder::may_restore(const RecordChange& change) {
  if (!change.before || !change.name.starts_with(kBindingPrefix)) return true;
  const auto before = decode_binding(*change.before);
  const auto address = bound_address(change.name);
  if (!before || !address) return true;
  // A pod that was bound anew meanwhile has dropped the address from its hint: it was not its own
  // then.
  const auto pod_hint = hint(before->pod);
  return pod_hint && std::find(pod_hint->addresses.begin(), pod_hint->addresses.end(), *address) !=
                         pod_hint->addresses.end();
}

/// The network folder that a folder of records belongs to; nullopt for anything else in the state
/// folder.
static std::optional<std::string> owner_of(FileSystem& fs, const std::string& path) {
  try {
    const auto folder = fs.open_directory(path);
    const auto record = folder ? fs.read_link(*folder, kNetdirName) : std::nullopt;
    if (!record || !record->starts_with("1~")) return std::nullopt;
    return record->substr(2);
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

std::vector<std::string> known_network_dirs(FileSystem& fs, const std::string& state_dir,
                                            const std::string& network) {
  std::vector<std::string> paths;
  const auto state = fs.open_directory(state_dir);
  if (!state) return paths;
  for (const auto& name : fs.list(*state)) {
    const auto path = owner_of(fs, state_dir + "/" + name);
    // Records of other delegates belong to no folder.
    if (path && path->starts_with('/') && path->ends_with("/" + network)) paths.push_back(*path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace allocator::store
