// What an operator frees: an attachment whose DEL never comes, and what is kept for a pod.
#include <algorithm>

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

/// The number that hold() has given to what was freed.
std::uint64_t number_of(RecordFolder& records, const std::vector<Address>& freed) {
  std::uint64_t number = 0;
  for (const auto& address : freed) {
    if (const auto binding = records.readable_binding(address))
      number = std::max(number, binding->sequence);
  }
  return number;
}

}  // namespace

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
    if (session.records()) outcome.sequence = number_of(*session.records(), outcome.freed);
    session.held().settle();
    session.set_asides().end(attachment);
    if (!failures.any()) session.run().put_tombstone(attachment, boottime_now());
  }
  session.flush_release(failures);
  failures.raise();
  return outcome;
}

Forgotten LeaseStore::forget_pod(const PodKey& pod, std::uint64_t newest,
                                 const std::vector<std::uint64_t>& own) {
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
      const bool is_known = binding.sequence <= newest ||
                            std::find(own.begin(), own.end(), binding.sequence) != own.end();
      const bool may_live =
          !is_known || session.network().is_in_use(address) || session.is_lost(address, binding);
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

}  // namespace allocator::store
