#pragma once
/// What pods are bound to, and every change of it: given an address, given up, held, adopted.
///
/// Rule of retention, written here once: the hint first, as one without bindings is ignored and a
/// binding without a hint would be held for nobody; then the bindings; then those that are given
/// up, which stay in the hint until they are gone. After a crash in between a pod is bound to what
/// it had or to what it was given, or to both; the next ADD mends the hint. The lock is held; undo
/// is the record folder's.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allocator/fairness.hpp"
#include "allocator/store/owner.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

/// A binding as one in a list of held addresses.
HeldAddress as_held(const Address& address, const Binding& binding);
/// The number that stands for a namespace there.
std::uint64_t number_of_namespace(const std::string& name);

/// The next sequence number: who gets it has been held shortest of all.
std::uint64_t next_release_number(RecordFolder& records, RunFolder& run);

/// Stamps the bindings of freed addresses with the next sequence number. A binding that cannot be
/// stamped (full disk, a closed record) stays as it is: that costs its place in the
/// queue, nothing else, and the release has happened. An address without a binding is adopted for
/// `owner`, unless that pod has one of the family already. True when it is time to count the
/// bindings in no use, see trim().
bool hold(RecordFolder& records, RunFolder& run, const std::vector<Address>& freed,
          const Owner& owner);

/// Ends the bindings that are too many of those that are held: at most 4 096 of a family stay, and
/// 16 of a pod, see surplus(). What cannot be ended, or is not held after all, stays.
void trim(RecordFolder& records, std::vector<HeldAddress> held,
          const std::function<bool(const Address&)>& is_in_use);
/// The same for who keeps no list of them: whatever a DEL has stamped counts.
void trim(RecordFolder& records);

/// Binds `address` to a pod that has no binding of the family yet, but for those on addresses of
/// the same attachment: one a range set. False when it has one, or the address is bound.
bool adopt(RecordFolder& records, const Address& address, const Binding& binding,
           const std::vector<Address>& of_attachment);

/// The same where what binds the address cannot be read, or makes no sense: that ends.
bool adopt_damaged(RecordFolder& records, const Address& address, const Binding& binding,
                   const std::vector<Address>& of_attachment);

using Bindings = RecordFolder::Bindings;

/// What the pod is bound to, newest first: the addresses of its hint whose bindings name it.
/// Records that cannot be read are left out; where its hint is one of them, there is none.
Bindings bindings_of(RecordFolder& records, const PodKey& pod);

/// What a pod is bound to from now on.
struct Rebinding {
  /// Before: the verified bindings, and the hint that led to them, if it can be read.
  Bindings bound;
  std::optional<PodHint> known;
  PodHint hint;  ///< from now on
  /// True: the pod's hint on the disk cannot be read and must not be written over.
  bool is_hint_closed = false;
  /// Addresses to bind, each with its new binding. What else was bound, and is in no hint any more,
  /// is given up.
  Bindings given;
  /// True: where the disk is full, what changes nothing of importance (the count of returns, the
  /// order of the hint) is left out, and told in the notes.
  bool may_be_left_out = false;
};

/// Errors: throws std::system_error, ClosedRecord: what was written so far is the undo's. Bindings
/// of other pods on the addresses end. Returns the given addresses whose bindings a full disk has
/// left as they were.
std::vector<Address> rebind(RecordFolder& records, const PodKey& pod, const Rebinding& change,
                            std::vector<std::string>& notes);

/// The addresses of the boot before `boot8` that the next hint must remember.
std::vector<Address> previous_boot(const std::optional<PodHint>& known, const Bindings& bound,
                                   const std::string& boot8);

/// Binds the addresses of one attachment to a pod that uses them now, whatever was bound before:
/// other pods' bindings on them end, and so do the pod's own on other addresses of their families.
void bind_attachment(RecordFolder& records, const std::vector<Address>& addresses,
                     const Binding& binding, std::vector<std::string>& notes);

/// Binds a pod to the addresses that it has got from a plugin, and to nothing else of their
/// families. Tells in `notes` when its address changed, or another pod's binding ended: those.
Bindings bind_answer(RecordFolder& records, const Binding& binding,
                     const std::vector<Address>& addresses, std::vector<std::string>& notes);

/// The first addresses of each family, as many as a pod may be bound to.
std::vector<Address> newest_of_each_family(const std::vector<Address>& addresses);

/// Ends every binding of a pod.
void forget(RecordFolder& records, const PodKey& pod);

}  // namespace allocator::store
