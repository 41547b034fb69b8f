// GC: frees attachments whose DEL never comes.
#include <algorithm>
#include <system_error>

#include "allocator/store/alive/death.hpp"
#include "allocator/store/lease_store.hpp"
#include "allocator/store/state/call_start.hpp"

namespace allocator::store {

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
