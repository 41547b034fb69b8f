#pragma once
/// Addresses that are left aside, because the main plugin took back the ADD that had taken them
/// over from a dead attachment of this boot whose DEL never came.
///
/// A main plugin may know the old sandbox still, and refuse its address to the new one until its
/// DEL comes or it finds out itself (Cilium's agent: 5 to 10 minutes): the pod would not come up
/// meanwhile. So it gets another address, and its own one back when the old DEL has come, or 15
/// minutes of uptime have passed. Never for owners of another boot: then nobody knows them any
/// more, and what refuses is only busy.
///
///     ADD  takes over: remembers whose address it was (see repeat.hpp)
///     DEL  that takes this ADD back: the address is set aside
///     ADD  of any pod: another address, as long as there is one
///     DEL  of the old attachment: the address is its pod's again
///
/// All of it lies in /run: when it vanishes, the address is tried once more.
#include <cstdint>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

/// An address that an ADD took over from an attachment whose DEL has not come.
struct TakenOver {
  Address address;
  Attachment old;

  friend bool operator==(const TakenOver&, const TakenOver&) = default;
};

class SetAsides {
 public:
  /// Reads what is set aside; nothing, in no system call, where nothing is. The network's lock is
  /// held. `runtime` must outlive the object. `generation`: see RunFolder; or the boot_id alone.
  SetAsides(RunFolder& run, std::string generation);

  /// True for an address that its main plugin is expected to refuse.
  [[nodiscard]] bool is_refused(const Address& address) const;
  /// True for one that may be tried again.
  [[nodiscard]] bool is_due_back(const Address& address) const;
  [[nodiscard]] std::vector<Address> refused() const;

  /// Sets aside what was taken over and is taken back, unless the old attachment's DEL has come
  /// meanwhile; tells of it in `notes`.
  void put(const std::vector<TakenOver>& taken, std::vector<std::string>& notes);
  /// The DEL of an old attachment has come: its addresses are due back.
  void end(const Attachment& old);
  /// An address is given out again. Returns whose it was, if its DEL has not come: then it is as if
  /// it had been taken over once more.
  std::vector<TakenOver> take(const Address& address);

 private:
  struct Mark {
    Address address;
    Attachment old;
    std::uint64_t since;  ///< ns of CLOCK_BOOTTIME; 0: the old attachment's DEL has come
  };

  [[nodiscard]] bool is_active(const Mark& mark) const;
  [[nodiscard]] std::string boot8() const { return boot8_of(generation_); }
  void write(const Mark& mark);

  RunFolder& run_;
  std::string generation_;
  std::uint64_t now_ = 0;
  std::vector<Mark> marks_;
};

}  // namespace allocator::store
