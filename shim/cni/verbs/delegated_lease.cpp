#include "shim/cni/verbs/delegated_lease.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/store/alive/late_add.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/state/call_start.hpp"
#include "shim/cni/result/libcni_cache.hpp"
#include "shim/cni/verbs/store_inputs.hpp"

namespace shim {
namespace {

using allocator::store::DelegateJournal;

constexpr std::chrono::seconds kRollBackPatience{1};

/// Other attachments' leases may cost a command so much.
constexpr std::chrono::seconds kOthersPatience{2};

/// Between two tries of a DEL, in ns. For so long after a kill the dhcp daemon may store the lease
/// that it was asked for.
constexpr std::uint64_t kPause = 90'000'000'000;
/// After so many the plugin, or its configuration, is not what it was.
constexpr unsigned kTriesLimit = 20;

/// Without the journal a lease could be lost, or a live one freed.
DelegateJournal open_journal(allocator::store::FileSystem& fs, const DelegateConf& conf,
                             const DelegateCaller& caller, MissingPlugin missing) {
  if (missing == MissingPlugin::ends_command) static_cast<void>(caller.plugin());
  const std::string folder = allocator::store::delegate_folder(
      allocator::store::StoreOptions{}.run_dir, conf.name, conf.type);
  try {
    return {fs, folder};
  } catch (const std::system_error& error) {
    throw JournalUnavailable(ErrorCode::try_again_later,
                             "keep a journal of " + conf.type + "'s attachments: " + error.what());
  }
}

}  // namespace

allocator::store::DelegatedOwner owner_of(const Environment& environment,
                                          const DelegateConf& conf) {
  return {owner_of(parse_arguments_leniently(environment.args), environment.ifname, conf.placement),
          attachment_of(environment), environment.netns};
}

DelegatedLease::DelegatedLease(const Command& command, const DelegateConf& conf, Log& log,
                               Clock::time_point deadline, MissingPlugin missing)
    : command_(command),
      conf_(conf),
      log_(log),
      deadline_(deadline),
      caller_(command, conf),
      options_(store_options(conf.placement, conf.network_dir())),
      journal_(open_journal(command.fs, conf, caller_, missing)),
      bindings_(command.fs, options_, journal_.run(), notes_),
      owner_(owner_of(command.environment, conf)) {}

DelegatedLease::~DelegatedLease() {
  for (const auto& note : notes_) log_.notice(note);
}

void DelegatedLease::refuse_late() {
  allocator::store::refuse_late_add(
      command_.fs, journal_.run(), owner_.attachment,
      "ADD of " + owner_.attachment.container_id + " " + owner_.attachment.ifname);
}

EarlierLease DelegatedLease::earlier_lease() {
  using allocator::store::Presence;
  try {
    if (conf_.is_host_local()) {
      return {bindings_.presence(owner_), conf_.network_dir() + " had an address of it before"};
    }
    if (ResultCache(command_.fs).has_entry(conf_.name, owner_.attachment))
      return {Presence::live, "the runtime's result cache has an entry of it"};
    if (!bindings_.knows_whole_boot())
      return {Presence::live, "what /run/delegated-ipam told of this boot is lost"};
    return {};
  } catch (const std::exception& error) {
    return {Presence::live, std::string("that cannot be looked at: ") + error.what()};
  }
}

void DelegatedLease::tell_left(const std::string& why) {
  const std::string text = "the lease of " + owner_.attachment.container_id + " " +
                           owner_.attachment.ifname + " at " + conf_.type +
                           ", if there is one, is left until its DEL, as it may be older than this "
                           "ADD: " +
                           why;
  note(text);
  command_.write_stderr("delegated-ipam: " + printable_line(text) + "\n");
}

void DelegatedLease::release_left_over(Entry& entry, Clock::time_point deadline) {
  const auto content = *entry.content();
  const bool is_own = content.attachment == owner_.attachment;
  caller_.release(deadline, is_own ? std::nullopt : std::optional(content.attachment));
  const auto now = allocator::store::boottime_now();
  // A plugin whose daemon stores leases late is asked again.
  const bool may_come_up = stores_late() && (content.tries == 0 || now - content.tried < kPause);
  if (may_come_up) {
    journal_.keep_tried(entry, content.tries == 0 ? now : content.tried);
  } else {
    // Not closed: an ADD goes on under its lock.
    journal_.clear(entry);
  }
  auto owner = owner_;
  if (!is_own) {
    owner = {};
    owner.attachment = content.attachment;
  }
  bindings_.release(owner, content.addresses);
}

void DelegatedLease::end_left_over(Entry& entry, Clock::time_point deadline) {
  release_left_over(entry, deadline);
  if (!entry.may_hold_lease()) journal_.close(entry);
}

void DelegatedLease::roll_back(Entry& entry) {
  try {
    // A delegate that would not end has used up what was kept back.
    const auto deadline = std::max(deadline_, Clock::now() + kRollBackPatience);
    if (entry.may_hold_lease()) end_left_over(entry, deadline);
  } catch (const std::exception& error) {
    const std::string text = "the lease of " + owner_.attachment.container_id + " " +
                             owner_.attachment.ifname + " may be left at " + conf_.type +
                             ", until its DEL: " + error.what();
    note(text);
    command_.write_stderr("delegated-ipam: " + printable_line(text) + "\n");
    // Its DEL may have come already, while the ADD was under way.
    keep_for_later(entry);
  }
}

bool DelegatedLease::is_due(const allocator::store::JournalEntry& entry) {
  // The only DEL of an ADD that was killed may have come while it was under way.
  const auto last =
      entry.tries > 0 ? std::optional(entry.tried) : journal_.run().tombstone(entry.attachment);
  return last && allocator::store::boottime_now() - *last >= kPause;
}

void DelegatedLease::release_due() noexcept {
  try {
    const auto deadline = std::min(deadline_, Clock::now() + kOthersPatience);
    for (const auto& left : journal_.entries()) {
      if (left.attachment == owner_.attachment || !is_due(left)) continue;
      auto entry = journal_.open_left_over(left.attachment);
      if (!entry || !is_due(*entry->content())) continue;
      release_other(*entry, deadline);
      // One in a command: a delegate that is out of order must not hold up everybody.
      return;
    }
  } catch (const std::exception& error) {
    note(std::string("what other attachments left is not looked at: ") + error.what());
  }
}

void DelegatedLease::release_invalid(const std::vector<allocator::Attachment>& valid) {
  for (const auto& left : journal_.entries()) {
    if (Clock::now() >= deadline_) return;  // a try that cannot succeed would count
    if (std::find(valid.begin(), valid.end(), left.attachment) != valid.end()) continue;
    auto entry = journal_.open_left_over(left.attachment);
    if (entry) release_other(*entry, deadline_);
  }
}

void DelegatedLease::release_other(Entry& entry, Clock::time_point deadline) {
  const auto attachment = entry.content()->attachment;
  try {
    // Its ADD was acknowledged after all.
    if (journal_.known(attachment)) {
      journal_.close(entry);
      return;
    }
    end_left_over(entry, deadline);
  } catch (const std::exception& error) {
    note("the lease that " + attachment.container_id + " " + attachment.ifname +
         " may have left at " + conf_.type + " is not freed yet: " + error.what());
    keep_for_later(entry);
  }
}

void DelegatedLease::keep_for_later(Entry& entry) noexcept {
  try {
    if (entry.content() && entry.content()->tries >= kTriesLimit) {
      journal_.close(entry);
    } else {
      journal_.keep_tried(entry, allocator::store::boottime_now());
    }
  } catch (const std::exception&) {
    return;  // the entry stays as it is: its own DEL or GC comes back to it
  }
}

}  // namespace shim
