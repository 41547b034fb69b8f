#include "allocator/store/state/record_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>

#include "allocator/store/disk/errors.hpp"
#include "allocator/store/disk/sha256.hpp"

namespace allocator::store {
namespace {

constexpr std::size_t kNameLimit = 200;  // below NAME_MAX (255) with room for prefixes
constexpr std::string_view kBindingPrefix = "ip.";
constexpr const char* kNetdirName = "netdir";
constexpr std::string_view kStampPrefix = "stamp.";
constexpr const char* kTemporaryName = ".new";
constexpr int kTemporaryNames = 3;
// From so many single looks on, one list of all names is cheaper.
constexpr std::size_t kSingleLooks = 64;

std::string binding_name(const Address& address) {
  return std::string(kBindingPrefix) + address.to_string();
}

/// The address that a record of this kind is about; nullopt for a record of another kind.
std::optional<Address> address_in(std::string_view name, std::string_view prefix) {
  return name.starts_with(prefix) ? Address::parse(name.substr(prefix.size())) : std::nullopt;
}

std::string stamp_name(const Address& address) {
  return std::string(kStampPrefix) + address.to_string();
}

/// The record's hint text; a hashed name keeps the pod's names in the target.
std::string hint_text(const PodKey& pod, const PodHint& hint) {
  if (key_text(pod).size() <= kNameLimit) return encode(hint);
  return encode(hint) + "~" + escape(pod.pod_namespace) + "~" + escape(pod.pod_name) + "~" +
         escape(pod.ifname);
}

/// `name`: makes the record's.
void refuse_newer(const std::string& record, const std::string& folder,
                  const std::function<std::string()>& name) {
  if (state_of_record(record) != RecordState::newer_format) return;
  throw NewerFormat("read record " + folder + "/" + name() +
                    ": written by a newer version of delegated-ipam (\"" + record +
                    "\"); install that version again");
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

std::optional<Address> bound_address(std::string_view name) {
  return address_in(name, kBindingPrefix);
}

std::string hint_name(const PodKey& pod) {
  const std::string key = key_text(pod);
  return key.size() <= kNameLimit ? "pod." + key : "pod~" + sha256_hex(key);
}

RecordFolder RecordFolder::create(FileSystem& fs, const std::string& state_dir,
                                  const std::string& netdir, std::vector<std::string>& changed) {
  if (auto existing = open(fs, state_dir, netdir)) {
    existing->complete(netdir);
    return std::move(*existing);
  }
  return make(fs, state_dir, netdir, changed);
}

RecordFolder RecordFolder::make(FileSystem& fs, const std::string& state_dir,
                                const std::string& netdir, std::vector<std::string>& changed) {
  const std::string path = state_dir + "/" + record_folder_name(netdir);
  RecordFolder folder(fs, make_folder(fs, path, kOwnFolderMode, changed));
  fs.make_link("1~" + netdir, folder.folder_, kNetdirName);
  folder.is_new_ = true;
  return folder;
}

void RecordFolder::complete(const std::string& netdir) {
  try {
    if (!fs_->read_link(folder_, kNetdirName)) fs_->make_link("1~" + netdir, folder_, kNetdirName);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
  }
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
  auto record = read_from_disk(name);
  if (record) refuse_newer(*record, folder_.path, [&] { return name; });
  read_.emplace(name, record);
  return record;
}

std::optional<std::string> RecordFolder::read_from_disk(const std::string& name) {
  try {
    return fs_->read_link(folder_, name);
  } catch (const std::system_error& error) {
    // What is not even listed is no entry's trouble: without this, a folder that gives nothing any
    // more would be searched for an address without a record for ever.
    if (is_own_want(error) || !is_listed(name)) throw;
    throw DamagedRecord("read record " + folder_.path + "/" + name + ": " + error.code().message() +
                        "; repair the disk or remove the record");
  }
}

bool RecordFolder::is_listed(const std::string& name) {
  if (!listed_) {
    const auto names = fs_->list(folder_);
    listed_ = std::set<std::string>(names.begin(), names.end());
  }
  return listed_->count(name) != 0;
}

bool RecordFolder::wrote(const std::string& name) const {
  return std::any_of(changes_.begin(), changes_.end(),
                     [&](const RecordChange& change) { return change.name == name; });
}

std::optional<Binding> RecordFolder::binding(const Address& address) {
  const auto record = read(binding_name(address));
  return record ? decode_binding(*record) : std::nullopt;
}

bool RecordFolder::has_binding(const Address& address) {
  const std::string name = binding_name(address);
  const auto known = read_.find(name);
  if (known != read_.end()) return known->second.has_value();
  if (!bound_ && ++looks_ == kSingleLooks) list_bound();
  if (bound_ && !wrote(name)) return bound_->contains(address);
  try {
    return read(name).has_value();
  } catch (const ClosedRecord&) {
    return true;
  }
}

/// Where the folder cannot be listed, single looks have to do.
void RecordFolder::list_bound() {
  AddressSet bound;
  try {
    fs_->visit(folder_, [&](const DirectoryEntry& entry) {
      if (const auto address = bound_address(entry.name)) bound.insert(*address);
    });
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    return;
  }
  bound_ = std::move(bound);
}

std::optional<PodHint> RecordFolder::hint(const PodKey& pod) {
  const auto record = read(hint_name(pod));
  return record ? decode_hint(*record) : std::nullopt;
}

EntryText RecordFolder::look_up_binding(const Address& address) {
  return fs_->look_up_link(folder_, binding_name(address));
}

std::unique_ptr<EntryReader> RecordFolder::begin_reading_hints(const std::vector<PodKey>& pods) {
  return fs_->begin_reading(pods.size(), [this, &pods](std::size_t number) {
    return fs_->look_up_link(folder_, hint_name(pods[number]));
  });
}

/// What the disk has not given is asked for again, which tells what is wrong with it.
std::optional<Binding> RecordFolder::binding(const Address& address, const EntryText& text) {
  if (text.error != 0) return binding(address);
  if (!text.bytes) return std::nullopt;
  refuse_newer(*text.bytes, folder_.path, [&] { return binding_name(address); });
  return decode_binding(*text.bytes);
}

std::optional<PodHint> RecordFolder::hint(const PodKey& pod, const EntryText& text) {
  if (text.error != 0) return hint(pod);
  if (!text.bytes) return std::nullopt;
  refuse_newer(*text.bytes, folder_.path, [&] { return hint_name(pod); });
  return decode_hint(*text.bytes);
}

std::optional<Binding> RecordFolder::readable_binding(const Address& address) {
  try {
    return binding(address);
  } catch (const ClosedRecord&) {
    return std::nullopt;
  }
}

std::optional<PodHint> RecordFolder::readable_hint(const PodKey& pod) {
  try {
    return hint(pod);
  } catch (const ClosedRecord&) {
    return std::nullopt;
  }
}

std::optional<std::string> RecordFolder::why_closed(const Address& address) {
  try {
    static_cast<void>(read(binding_name(address)));
    return std::nullopt;
  } catch (const ClosedRecord& closed) {
    return closed.what();
  }
}

RecordFolder::Survey RecordFolder::survey() {
  Survey found;
  if (is_new_ && changes_.empty() && read_.empty()) return found;
  for (const auto& name : fs_->list(folder_)) {
    if (const auto stamped = address_in(name, kStampPrefix)) found.stamped.push_back(*stamped);
    const auto address = address_in(name, kBindingPrefix);
    if (!address) continue;
    try {
      if (auto one = binding(*address)) found.bindings.emplace_back(*address, std::move(*one));
    } catch (const ClosedRecord& closed) {
      found.closed.emplace_back(closed.what());
    }
  }
  return found;
}

std::optional<std::string> RecordFolder::stamp_record(const Address& address) {
  try {
    return read(stamp_name(address));
  } catch (const ClosedRecord&) {
    return std::nullopt;
  }
}

void RecordFolder::put_stamp_record(const Address& address, const std::string& record) {
  change(stamp_name(address), record);
}

void RecordFolder::remove_stamp_record(const Address& address) {
  remove_record(stamp_name(address));
}

void RecordFolder::put(const Address& address, const Binding& binding) {
  change(binding_name(address), encode(binding));
}

void RecordFolder::put(const PodKey& pod, const PodHint& hint) {
  change(hint_name(pod), hint_text(pod, hint));
}

void RecordFolder::replace_damaged(const PodKey& pod, const PodHint& hint) {
  rewrite(hint_name(pod), hint_text(pod, hint));
}

void RecordFolder::replace_damaged(const Address& address, const Binding& binding) {
  rewrite(binding_name(address), encode(binding));
}

void RecordFolder::remove_damaged(const std::string& name) { rewrite(name, std::nullopt); }

void RecordFolder::name_owner(const std::string& netdir) { rewrite(kNetdirName, "1~" + netdir); }

/// What is not looked at before cannot be restored.
void RecordFolder::rewrite(const std::string& name, const std::optional<std::string>& target) {
  write(name, target);
  read_.erase(name);
}

void RecordFolder::remove(const Address& address) { remove_record(binding_name(address)); }

void RecordFolder::forget_evicted(const PodKey& pod) {
  const auto pod_hint = readable_hint(pod);
  if (!pod_hint) return;
  const bool bound_elsewhere = std::any_of(pod_hint->addresses.begin(), pod_hint->addresses.end(),
                                           [&](const Address& address) {
                                             const auto other = readable_binding(address);
                                             return other && other->pod == pod;
                                           });
  if (!bound_elsewhere) remove_record(hint_name(pod));
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
  const std::string temporary = make_temporary(*target);
  try {
    fs_->rename(folder_, temporary, name);
  } catch (...) {
    fs_->unlink(folder_, temporary);
    throw;
  }
}

/// A crash may have left the name behind: the lock says that nobody else is writing. Where the disk
/// has damaged it, another one does.
std::string RecordFolder::make_temporary(const std::string& target) {
  for (int number = 0;; ++number) {
    std::string name = std::string(kTemporaryName) + (number == 0 ? "" : std::to_string(number));
    try {
      if (fs_->make_link(target, folder_, name) == Outcome::done) return name;
      fs_->unlink(folder_, name);
      fs_->make_link(target, folder_, name);
      return name;
    } catch (const std::system_error& error) {
      const int cause = error.code().value();
      const bool may_be_the_name =
          cause == EBADMSG || cause == EUCLEAN || cause == EIO || cause == EISDIR;
      if (!may_be_the_name || number == kTemporaryNames) throw;
    }
  }
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

std::vector<std::string> known_network_dirs(FileSystem& fs, const std::string& state_dir) {
  std::vector<std::string> paths;
  const auto state = fs.open_directory(state_dir);
  if (!state) return paths;
  for (const auto& name : fs.list(*state)) {
    const auto path = owner_of(fs, state_dir + "/" + name);
    // Records of other delegates belong to no folder.
    if (path && path->starts_with('/')) paths.push_back(*path);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> known_network_dirs(FileSystem& fs, const std::string& state_dir,
                                            const std::string& network) {
  auto paths = known_network_dirs(fs, state_dir);
  std::erase_if(paths, [&](const std::string& path) { return !path.ends_with("/" + network); });
  return paths;
}

}  // namespace allocator::store
