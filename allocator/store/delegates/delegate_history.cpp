// What is known of an attachment before a plugin's ADD, and of addresses that main plugins refuse.
#include <algorithm>
#include <exception>
#include <system_error>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/delegates/delegate_bindings.hpp"
#include "allocator/store/disk/network_lock.hpp"

namespace allocator::store {

Presence DelegateBindings::presence(const DelegatedOwner& owner) {
  auto folder = is_host_local() ? fs_.open_directory(options_.network_dir) : std::nullopt;
  if (!folder) return Presence::none;
  NetworkDir network(fs_, std::move(*folder));
  const NetworkLock lock(fs_, network.folder(), options_.lock_patience);
  auto records = RecordFolder::open(fs_, options_.state_dir, options_.network_dir);
  if (records) network.keep_stamps_in(&*records);
  DeathJudge judge(fs_, viewpoint(), owner.netns_path);
  const bool is_live = has_live_files(network, judge, owner.attachment);
  if (network.find(owner.attachment).empty()) return Presence::none;
  return is_live ? Presence::live : Presence::dead;
}

/// True when a file of the attachment is not proven dead. Reads the folder anew.
bool DelegateBindings::has_live_files(NetworkDir& network, DeathJudge& judge,
                                      const Attachment& attachment) {
  network.scan();
  const auto files = network.find(attachment);
  return std::any_of(files.begin(), files.end(), [&](const AttachmentFile& file) {
    return !judge.is_dead(attachment, network.stamp_of(file.name));
  });
}

bool DelegateBindings::knows_whole_boot() noexcept {
  try {
    const std::string boot = boot_id();
    if (boot.empty()) return false;
    if (run_.known_since() == boot) return true;
    std::vector<std::string> changed;  // not flushed: the mark is for this boot
    auto records = RecordFolder::create(fs_, options_.state_dir, options_.network_dir, changed);
    auto folder = fs_.open_directory(records.path());
    if (!folder) return false;
    const NetworkLock lock(fs_, *folder, options_.lock_patience);
    if (run_.known_since() == boot) return true;
    const auto boots = records.boots();
    if (!boots.empty() && boots.back() == boot8_of(boot)) return false;
    records.append_boot(boot8_of(boot));
    run_.mark_known_since(boot);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

Stamp DelegateBindings::stamp_of(const DelegatedOwner& owner) {
  return stamp_of_call(fs_, viewpoint(), owner.attachment.container_id, owner.netns_path);
}

bool DelegateBindings::is_given_elsewhere(const DelegatedOwner& owner, const Stamp& given_to) {
  if (has_no_namespace(owner.attachment)) return false;
  return DeathJudge(fs_, viewpoint(), owner.netns_path).lives_elsewhere(given_to);
}

std::vector<Address> DelegateBindings::refused_now(const Directory& folder) {
  RunFolder own(fs_, options_.run_dir, fs_.identify(folder.fd));
  return SetAsides(own, boot_id()).refused();
}

void DelegateBindings::set_aside(const std::vector<TakenOver>& taken, const Attachment& ended) {
  if (!is_host_local() || options_.retention == Retention::off) return;
  try {
    auto folder = fs_.open_directory(options_.network_dir);
    if (!folder) return;
    RunFolder own(fs_, options_.run_dir, fs_.identify(folder->fd));
    if (taken.empty() && own.set_aside().empty()) return;
    const NetworkLock lock(fs_, *folder, options_.lock_patience);
    SetAsides asides(own, boot_id());
    asides.end(ended);
    for (const auto& one : taken) {
      if (!run_.tombstone(one.old)) asides.put({one}, notes_);
    }
  } catch (const std::exception& error) {
    notes_.push_back("what the main plugin refused is not left aside: " +
                     std::string(error.what()));
  }
}

}  // namespace allocator::store
