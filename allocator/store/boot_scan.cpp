#include "allocator/store/boot_scan.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>
#include <system_error>

#include "allocator/store/alive/process_address.hpp"
#include "allocator/store/bindings.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {
namespace {

/// Runs one step; trouble with one file is that file's own and is told in the log. Returns false
/// when it may be tried again.
template <typename Step>
bool attempt(std::vector<std::string>& notes, const std::string& name, Step step) {
  try {
    step();
  } catch (const std::system_error& error) {
    notes.push_back("boot scan: " + name + ": " + error.what());
    return false;
  } catch (const ClosedRecord& error) {
    notes.push_back("boot scan: " + name + ": " + error.what());
  }
  return true;
}

/// No owner in it: nothing but NULs, if anything.
bool is_blank(const std::string& owner) { return owner.find_first_not_of('\0') == owner.npos; }

}  // namespace

std::optional<Marker> parse_marker(const std::string& name) {
  const auto first = name.find('_');
  if (first == std::string::npos) return std::nullopt;
  const auto second = name.find('_', first + 1);
  if (second == std::string::npos || second == first + 1 || second + 1 == name.size()) {
    return std::nullopt;
  }
  if (name.find('_', second + 1) != std::string::npos) return std::nullopt;
  const auto address = Address::parse(std::string_view(name).substr(0, first));
  if (!address) return std::nullopt;
  return Marker{*address, PodKey{name.substr(first + 1, second - first - 1),
                                 name.substr(second + 1), kPodInterface}};
}

bool BootScan::look_at_files() {
  network_.scan();
  const auto deadline = std::chrono::steady_clock::now() + parts_.options.boot_scan_patience;
  for (const auto& file : network_.files()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (!file.address) continue;
    attempt(parts_.notes, file.name, [&] {
      if (is_blank(file.owner)) {
        remove_if_torn(file);
      } else if (names_attachment(file)) {
        stamp_if_unstamped(file);
      }
    });
  }
  if (changed_) network_.scan();
  return true;
}

/// A power cut turns what the Go plugin wrote without fsync into files of no bytes or of NULs: they
/// belong to nobody, and no DEL would ever match them. Whoever reserves an address by hand writes
/// something into the file.
void BootScan::remove_if_torn(const AttachmentFile& file) {
  if (!file.readable) {
    parts_.notes.push_back("boot scan: " + file.name + " cannot be read and stays in use");
    return;
  }
  const auto content = network_.read(file.name);
  if (!content) {
    parts_.notes.push_back("boot scan: " + file.name + " is no regular file and stays in use");
    return;
  }
  if (!is_blank(content->bytes)) return;
  network_.remove(file.name);
  changed_ = true;
  parts_.notes.push_back("healed " + file.name +
                         ": its file was empty, left by a power cut; the address is free again");
}

/// From now on the attachment is known to be of this boot at the latest: a leak from the Go
/// plugin's time is proven dead after the next reboot.
void BootScan::stamp_if_unstamped(const AttachmentFile& file) {
  const auto fd = network_.open(file.name);
  if (!fd) return;
  const std::string container_id = parse_owner(file.owner).container_id;
  const auto text = parts_.fs.get_attribute(*fd, kStampAttribute);
  auto stamp = text ? decode_stamp(*text) : std::nullopt;
  if (!text) stamp = network_.recorded_stamp(file.name);
  if (stamp && stamp->container_hash == container_hash(container_id)) {
    if (text && text->starts_with("1~")) renew_earlier_stamp(*fd, *stamp, container_id);
    return;
  }
  seen_first_.insert(file.name);
  const std::string first_seen = encode(stamp_of_unknown(parts_.viewpoint(), container_id));
  if (network_.set_stamp(*fd, first_seen) == Supported::yes) return;
  network_.record_stamp(*file.address, network_.file_identity(*fd), first_seen);
}

bool BootScan::is_of_now(const Stamp& stamp) {
  const Viewpoint& here = parts_.viewpoint();
  return !stamp.boot_id.empty() &&
         (stamp.boot_id == here.boot_id || stamp.boot_id == here.container_boot);
}

bool BootScan::may_be_of_now(const AttachmentFile& file) {
  const auto stamp = network_.stamp_of(file.name);
  return !stamp || is_of_now(*stamp);
}

/// Where nothing tells, it may be.
bool BootScan::is_made_since_boot(const AttachmentFile& file, const std::optional<Stamp>& stamp) {
  if (!parts_.is_first && stamp && seen_first_.count(file.name) == 0) return false;
  return !stamp || is_of_now(*stamp);
}

/// Stamps of earlier versions tell too little to be judged from within a container, or over its
/// boots. While the namespace is there, everything can still be learned.
void BootScan::renew_earlier_stamp(const Fd& file, const Stamp& stamp,
                                   const std::string& container_id) {
  if (!is_of_now(stamp) || stamp.netns_inode == 0) return;
  const auto there = parts_.fs.network_namespace(stamp.netns_path);
  if (!there || there->inode != stamp.netns_inode) return;
  static_cast<void>(network_.set_stamp(
      file, encode(stamp_of_call(parts_.fs, parts_.viewpoint(), container_id, stamp.netns_path))));
}

bool BootScan::restore_live(const std::vector<CachedAttachment>& cached, const RangeSets& sets,
                            RecordFolder* records) {
  const bool changed_before = changed_;
  changed_ = false;
  // Of what is held back nothing more is learned in this command.
  bool is_complete = !network_.holds_back();
  std::map<Address, Claim> claims;
  for (const auto& one : cached) {
    if (attempt(parts_.notes, one.attachment.container_id,
                [&] { claim(one, sets, records, claims); }))
      continue;
    // It may live.
    is_complete = false;
    for (const auto& address : one.addresses) network_.hold_back(address);
  }
  for (const auto& entry : claims) {
    const CachedAttachment& claimant = *entry.second.cached;
    if (const CachedAttachment* rival = entry.second.rival) {
      parts_.notes.push_back("kept back " + entry.first.to_string() + ": containers " +
                             claimant.attachment.container_id + " and " +
                             rival->attachment.container_id +
                             " live and may both have it; it goes to the one that stays");
      is_complete = false;
      network_.hold_back(entry.first);
      continue;
    }
    if (attempt(parts_.notes, claimant.attachment.container_id,
                [&] { publish(claimant, entry.first); }))
      continue;
    is_complete = false;
    network_.hold_back(entry.first);
  }
  if (changed_) network_.scan();
  changed_ = changed_ || changed_before;
  return is_complete;
}

namespace {

/// How much speaks for the attachment having the address: it is bound to its pod, and to the same
/// pod object.
int strength_of(const CachedAttachment& cached, const Address& address, RecordFolder* records) {
  if (records == nullptr || !cached.pod) return 0;
  try {
    const auto binding = records->binding(address);
    if (!binding || binding->pod != *cached.pod) return 0;
    return binding->uid == cached.uid ? 2 : 1;
  } catch (const ClosedRecord&) {
    return 0;
  }
}

}  // namespace

/// An entry may be stale: its pod was deleted, and the address is somebody else's by now. Giving it
/// the file would let its DEL free a live pod's address.
void BootScan::claim(const CachedAttachment& cached, const RangeSets& sets, RecordFolder* records,
                     std::map<Address, Claim>& claims) {
  // The cache was read without the lock, and a runtime clears it after its DEL only.
  const bool is_deleted = parts_.run.tombstone(cached.attachment) ||
                          (parts_.source != nullptr && !parts_.source->still_has(cached));
  if (is_deleted) return;
  if (!parts_.fs.network_namespace(cached.netns_path)) return;
  for (const auto& address : cached.addresses) {
    if (network_.holder(address)) continue;
    if (set_of(sets, address) == sets.size()) {
      parts_.run.put_unbound(address);  // other ranges of this boot may have it
      continue;
    }
    if (!may_still_have_address(parts_.fs, cached.netns_path, address)) continue;
    const int strength = strength_of(cached, address, records);
    const auto [place, is_first] = claims.try_emplace(address, Claim{&cached, strength});
    if (is_first || place->second.cached->attachment == cached.attachment) continue;
    if (place->second.strength < strength) {
      place->second = {&cached, strength};
    } else if (place->second.strength == strength) {
      place->second.rival = &cached;
    }
  }
}

void BootScan::publish(const CachedAttachment& cached, const Address& address) {
  const auto file = network_.create(cached.attachment);
  const std::string stamp = encode(stamp_of_call(
      parts_.fs, parts_.viewpoint(), cached.attachment.container_id, cached.netns_path));
  if (network_.set_stamp(file.fd, stamp) == Supported::no)
    network_.record_stamp(address, network_.file_identity(file.fd), stamp);
  const Outcome outcome = network_.publish(file.fd, cached.attachment, address);
  if (!file.unnamed) network_.discard_private_name();
  if (outcome == Outcome::exists) network_.hold_back(address);
  if (outcome != Outcome::done) return;
  changed_ = true;
  parts_.fs.sync(file.fd, network_.path());
  parts_.notes.push_back("restored " + address.to_string() + ": container " +
                         cached.attachment.container_id + " lives and its file was missing");
}

/// Should somebody remove their files, nothing else would tell that they were in use. Also those that
/// the disk does not give: who is told to remove one removes a living pod's, as like as not.
void BootScan::mark_unbound(RecordFolder* records) {
  for (const auto& file : network_.files()) {
    if (!file.address || (file.owner.empty() && file.readable)) continue;
    attempt(parts_.notes, file.name, [&] {
      if (!is_told_by_binding(records, file)) parts_.run.put_unbound(*file.address);
    });
  }
}

/// A binding tells it only when it is of somebody who has the address: one that waits may be another
/// pod's, and so may one that cannot be read. Who ran in an earlier boot does not live.
bool BootScan::is_told_by_binding(RecordFolder* records, const AttachmentFile& file) {
  try {
    const auto binding = records != nullptr ? records->binding(*file.address) : std::nullopt;
    return binding && (binding->sequence == 0 || !may_be_of_now(file));
  } catch (const ClosedRecord&) {
    return false;
  }
}

bool BootScan::has_work_for_records(const std::vector<CachedAttachment>& cached) const {
  return !network_.files().empty() ||
         std::any_of(cached.begin(), cached.end(),
                     [](const auto& one) { return one.pod.has_value(); });
}

bool BootScan::learn_bindings(RecordFolder& records, const std::vector<CachedAttachment>& cached,
                              const RangeSets& sets) {
  bool learned = adopt_in_use(records, cached);
  // What a pod runs on comes before what it once had.
  for (const bool in_use : {true, false}) {
    for (const auto& file : network_.files()) {
      if (file.address) continue;
      learned &=
          attempt(parts_.notes, file.name, [&] { adopt_marker(records, file.name, in_use); });
    }
  }
  for (const auto& one : cached) {
    if (!one.pod || !parts_.options.retains(*one.pod)) continue;
    learned &= attempt(parts_.notes, one.pod->display(), [&] { adopt_lost(records, one, sets); });
  }
  learned &= attempt(parts_.notes, "bindings", [&] { stamp_released(records); });
  if (!boot8().empty())
    attempt(parts_.notes, "boots", [&] { knew_boot_ = !records.append_boot(boot8()); });
  return learned;
}

/// A DEL on a full disk, or somebody who wiped the folder, left bindings that look as if they were
/// still in use: from now on they wait in the queue like all others.
void BootScan::stamp_released(RecordFolder& records) {
  std::vector<Address> released;
  const auto found = records.survey();
  for (const auto& [address, binding] : found.bindings) {
    if (binding.sequence != 0 || network_.holder(address)) continue;
    released.push_back(address);
    // Its pod may still run where the cache could not be read this time.
    if (binding.boot8 == boot8()) parts_.run.put_unbound(address);
  }
  if (hold(records, parts_.run, released, {})) trim(records);
  for (const auto& reason : found.closed) {
    parts_.notes.push_back("boot scan: " + reason + "; until then nobody is given its address");
  }
  for (const auto& address : found.stamped) {
    if (!network_.holder(address)) records.remove_stamp_record(address);
  }
}

/// Of several sandboxes of a pod the newest one that has files is the one whose address is kept.
bool BootScan::adopt_in_use(RecordFolder& records, const std::vector<CachedAttachment>& cached) {
  bool learned = true;
  std::set<std::string> done;
  for (const auto& one : cached) {  // the newest first
    if (!one.pod || !parts_.options.retains(*one.pod) || done.count(key_text(*one.pod)) != 0)
      continue;
    learned &= attempt(parts_.notes, one.attachment.container_id, [&] {
      if (adopt_attachment(records, one)) done.insert(key_text(*one.pod));
    });
  }
  return learned;
}

/// All addresses of an attachment together: it has one from each range set. False when it has no
/// files.
bool BootScan::adopt_attachment(RecordFolder& records, const CachedAttachment& cached) {
  std::vector<Address> addresses;
  bool is_ours = false;
  bool is_seen_first = false;
  for (const auto& file : network_.find(cached.attachment)) {
    if (!file.address) continue;
    addresses.push_back(*file.address);
    const auto stamp = network_.stamp_of(file.name);
    is_ours = is_ours || (stamp && !stamp->netns_path.empty());
    is_seen_first = is_seen_first || is_made_since_boot(file, stamp);
  }
  const Binding binding{*cached.pod, cached.uid, 0, 0, boot8()};
  if (!is_ours && is_seen_first && !addresses.empty()) {
    // The Go plugin made the files since the last look: whatever was bound before them is older.
    bind_attachment(records, addresses, binding, parts_.notes);
  } else {
    for (const auto& address : addresses) adopt(records, address, binding, addresses);
  }
  return !addresses.empty();
}

void BootScan::adopt_marker(RecordFolder& records, const std::string& name, bool wants_in_use) {
  const auto marker = parse_marker(name);
  if (!marker || !parts_.options.retains(marker->pod)) return;
  const bool in_use = network_.holder(marker->address).has_value();
  if (in_use != wants_in_use) return;
  // Released before anything that we have seen: first to go.
  const std::uint64_t sequence = in_use ? 0 : 1;
  std::vector<Address> of_attachment;
  const AttachmentFile* own = network_.file_of(marker->address);
  for (const auto& file : network_.files()) {
    const bool is_same = own != nullptr && !own->owner.empty() && file.owner == own->owner;
    if (is_same && file.address) of_attachment.push_back(*file.address);
  }
  adopt(records, marker->address, {marker->pod, {}, sequence, 0, in_use ? boot8() : std::string()},
        of_attachment);
}

void BootScan::adopt_lost(RecordFolder& records, const CachedAttachment& cached,
                          const RangeSets& sets) {
  for (const auto& address : cached.addresses) {
    const bool is_strange = !sets.empty() && set_of(sets, address) == sets.size();
    if (is_strange || network_.holder(address)) continue;
    adopt(records, address, {*cached.pod, cached.uid, 1, 0, {}}, cached.addresses);
  }
}

}  // namespace allocator::store
