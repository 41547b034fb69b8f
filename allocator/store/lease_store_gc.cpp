// What frees attachments whose DEL never comes: GC, and an operator's hand.
#include <algorithm>
#include <system_error>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/lease_store.hpp"
#include "allocator/store/state/call_start.hpp"

namespace allocator::store {
namespace {

/// Exactly this attachment's, whatever a DEL of it would find as well.
std::vector<AttachmentFile> files_named_by(NetworkDir& network, const Attachment& attachment) {
  std::vector<AttachmentFile> files;
  for (const auto& file : network.files()) {
    if (file.address && names_attachment(file) && parse_owner(file.owner) == attachment)
      files.push_back(file);
  }
  return files;
}

}  // namespace

std::vector<FreedAddress> LeaseStore::collect(const std::vector<Attachment>& valid) {
  std::vector<FreedAddress> collected;
  auto folder = open_existing();
  if (!folder) return collected;
  Session session = open_session(std::move(*folder));
  NetworkDir& network = session.network();
  static_cast<void>(session.cached());
  std::vector<Address> freed;
  FailureList failures;
  {
    const NetworkLock lock = session.lock(Session::Purpose::release);
    session.prepare({});
    network.scan();
    DeathJudge judge(fs_, session.viewpoint(), {});
    for (const auto& file : network.files()) {
      const bool is_valid =
          std::any_of(valid.begin(), valid.end(), [&](const Attachment& attachment) {
            return match_owner(file, attachment) != OwnerMatch::none;
          });
      if (!file.address || is_valid || is_protected(session, judge, file)) continue;
      failures.attempt([&] {
        session.will_remove(parse_owner(file.owner));
        network.remove(file.name);
        freed.push_back(*file.address);
        collected.push_back({parse_owner(file.owner), *file.address});
      });
    }
    network.seal();
    session.end_use(freed, {});
    session.held().settle();
  }
  if (!freed.empty()) session.flush_release(failures);
  failures.raise();
  return collected;
}

HandRelease LeaseStore::release_by_hand(const Attachment& attachment, const Owner& owner,
                                        Proof proof) {
  HandRelease outcome;
  auto folder = open_existing();
  if (!folder) return outcome;
  Session session = open_session(std::move(*folder));
  NetworkDir& network = session.network();
  FailureList failures;
  {
    const NetworkLock lock = session.lock(Session::Purpose::release);
    session.prepare({});
    network.scan();
    const auto files = files_named_by(network, attachment);
    DeathJudge judge(fs_, session.viewpoint(), {});
    const auto may_be_freed = [&](const AttachmentFile& file) {
      if (proof == Proof::waived) return true;
      return session.records() && judge.is_owner_dead(network, file, network.stamp_of(file.name));
    };
    const bool all_may = std::all_of(files.begin(), files.end(), may_be_freed);
    outcome = {!files.empty(), !all_may, {}};
    if (files.empty() || !all_may) return outcome;
    session.will_remove(attachment);
    for (const auto& file : files) {
      failures.attempt([&] {
        network.remove(file.name);
        outcome.freed.push_back(*file.address);
      });
    }
    network.seal();
    if (owner.pod) session.try_records();
    session.end_use(outcome.freed, owner);
    session.held().settle();
    session.set_asides().end(attachment);
    if (!failures.any()) session.run().put_tombstone(attachment, boottime_now());
  }
  session.flush_release(failures);
  failures.raise();
  return outcome;
}

Forgotten LeaseStore::forget_pod(const PodKey& pod, std::uint64_t newest) {
  Forgotten outcome;
  std::vector<std::string> changed;
  auto folder = open_for_release({}, changed);
  if (!folder) return outcome;
  Session session = open_session(std::move(*folder), std::move(changed));
  FailureList failures;
  {
    const NetworkLock lock = session.lock(Session::Purpose::release);
    session.prepare({});
    session.look_at_network();
    if (!session.records()) return outcome;
    RecordFolder& records = *session.records();
    for (const auto& [address, binding] : records.bindings()) {
      if (binding.pod != pod) continue;
      const bool may_live = binding.sequence > newest || session.network().is_in_use(address) ||
                            session.is_lost(address, binding);
      (may_live ? outcome.in_use : outcome.ended).push_back(address);
    }
    if (!outcome.in_use.empty()) outcome.ended.clear();
    if (outcome.ended.empty()) return outcome;
    session.held().touch(outcome.ended);
    for (const auto& address : outcome.ended) records.remove(address);
    records.forget_evicted(pod);
    session.held().settle();
  }
  session.flush_release(failures);
  failures.raise();
  return outcome;
}

/// A runtime's list may be older than the attachment: a network namespace that is still there, at
/// its path or with somebody in it, says that it lives. What the Go plugin made says nothing of a
/// namespace; the runtime's cache does.
bool LeaseStore::is_protected(Session& session, DeathJudge& judge, const AttachmentFile& file) {
  const Attachment owner = parse_owner(file.owner);
  if (!names_attachment(file) || has_no_namespace(owner)) return true;
  try {
    auto stamp = session.network().stamp_of(file.name);
    if (stamp && stamp->container_hash != container_hash(owner.container_id)) stamp.reset();
    if (stamp && !stamp->netns_path.empty()) return judge.is_seen_alive(*stamp);
    if (judge.is_dead(owner, stamp)) return false;
    const auto& cached = session.cached();
    const auto known = std::find_if(cached.begin(), cached.end(), [&](const auto& one) {
      return match_owner(file, one.attachment) != OwnerMatch::none && !one.netns_path.empty();
    });
    return known == cached.end() || fs_.network_namespace(known->netns_path).has_value();
  } catch (const std::system_error&) {
    return true;  // what we may not look at may be alive
  }
}

}  // namespace allocator::store
