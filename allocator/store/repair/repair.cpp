#include "allocator/store/repair/repair.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/store/disk/errors.hpp"
#include "allocator/store/session.hpp"

namespace allocator::store {
namespace {

constexpr const char* kChanged = "has changed meanwhile: look again";
constexpr const char* kNotNoted = "nothing can be noted in /run: its pod may be alive";
constexpr std::uint64_t kReleasedFirst = 1;  // of what nobody knows when: first to go

/// A hint goes before a binding writes it anew, and who has an address comes before who had it.
int turn_of(const Flaw& flaw) {
  if (flaw.mend != Mend::bind) return 0;
  return flaw.addresses.empty() ? 2 : 1;
}

/// One call, under the lock.
class Repair {
 public:
  Repair(FileSystem& fs, Session& session, const StoreOptions& options)
      : fs_(fs), session_(session), options_(options), records_(*session.records()) {}

  std::vector<std::string> mend(const std::vector<Flaw>& wanted) {
    session_.look_at_network();
    session_.network().scan();
    const auto folder = fs_.open_directory(records_.path());
    const Surroundings around{options_.network_dir, &session_.network(), session_.cached(),
                              options_.retains};
    const auto found = folder ? find_flaws(fs_, *folder, around) : std::vector<Flaw>();
    std::vector<std::string> obstacles(wanted.size());
    for (const int turn : {0, 1, 2}) {
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (turn_of(wanted[i]) == turn) obstacles[i] = mend_if_found(wanted[i], found);
      }
    }
    session_.held().settle();
    return obstacles;
  }

  [[nodiscard]] bool has_mended() const { return has_mended_; }

 private:
  /// Trouble with one record is that record's.
  std::string mend_if_found(const Flaw& wanted, const std::vector<Flaw>& found) {
    const auto same = std::find_if(found.begin(), found.end(), [&](const Flaw& flaw) {
      return flaw.kind == wanted.kind && flaw.name == wanted.name;
    });
    if (same == found.end()) return {};
    if (!same->is_same(wanted)) return kChanged;
    try {
      has_mended_ = true;
      return mend(*same);
    } catch (const std::system_error& error) {
      if (is_own_want(error)) throw;
      return error.what();
    } catch (const ClosedRecord& closed) {
      return closed.what();
    }
  }

  std::string mend(const Flaw& flaw) {
    if (flaw.address) session_.held().touch({*flaw.address});
    switch (flaw.mend) {
      case Mend::none:
        return kChanged;
      case Mend::remove:
        return remove(flaw);
      case Mend::lead:
        lead(flaw);
        return {};
      case Mend::bind:
        return bind(flaw);
      case Mend::name:
        records_.name_owner(options_.network_dir);
        return {};
    }
    return {};
  }

  std::string remove(const Flaw& flaw) {
    if (flaw.kind == Flaw::Kind::binding && !note(*flaw.address)) return kNotNoted;
    records_.remove_damaged(flaw.name);
    return {};
  }

  void lead(const Flaw& flaw) {
    PodHint hint = records_.readable_hint(*flaw.pod).value_or(PodHint{});
    hint.addresses = flaw.addresses;
    // Nobody has noted what it had: when it is made again, it comes back to this.
    if (hint.previous_boot.empty()) hint.previous_boot = flaw.addresses;
    records_.replace_damaged(*flaw.pod, hint);
  }

  std::string bind(const Flaw& flaw) {
    const bool is_in_use = !flaw.addresses.empty();
    if (!is_in_use && !note(*flaw.address)) return kNotNoted;
    const Binding binding{*flaw.pod, flaw.uid, is_in_use ? 0 : kReleasedFirst, 0,
                          is_in_use ? boot8_of(session_.boot_id()) : std::string()};
    return adopt_damaged(records_, *flaw.address, binding, flaw.addresses) ? "" : kChanged;
  }

  /// Whose a binding was that cannot be read is unknown: he may live, and his file be removed. Then
  /// the runtime's cache is asked before somebody gets the address.
  bool note(const Address& address) {
    session_.note_unbound(address);
    return session_.run().is_unbound(address);
  }

  FileSystem& fs_;
  Session& session_;
  const StoreOptions& options_;
  RecordFolder& records_;
  bool has_mended_ = false;
};

/// The records of each flaw stay as they are, for one reason.
std::vector<std::string> all_refused(const std::vector<Flaw>& flaws, const std::string& why) {
  return {flaws.size(), why};
}

}  // namespace

std::vector<std::string> repair(FileSystem& fs, const StoreOptions& options,
                                AttachmentSource* source, const std::vector<Flaw>& flaws) {
  auto folder = fs.open_directory(options.network_dir);
  if (!folder) return all_refused(flaws, "the network has no folder: let one pod start");
  std::vector<std::string> notes;
  Session session({fs, options, source, notes}, std::move(*folder), {});
  std::vector<std::string> obstacles;
  bool has_mended = false;
  // Without the lock: it may be large.
  static_cast<void>(session.cached());
  {
    const NetworkLock lock = session.lock(Session::Purpose::release);
    session.prepare({});
    if (!session.records())
      return all_refused(flaws, "the records cannot be opened, or retain is off");
    Repair mending(fs, session, options);
    obstacles = mending.mend(flaws);
    has_mended = mending.has_mended();
  }
  FailureList failures;
  const bool is_to_flush =
      has_mended && session.records()->changes().empty() && options.durability == Durability::full;
  if (is_to_flush) failures.attempt([&] { session.records()->sync(); });
  session.flush_release(failures);
  failures.raise();
  return obstacles;
}

}  // namespace allocator::store
