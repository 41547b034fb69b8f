#pragma once
/// Which address an attachment gets: the policy, as a pure function over a lazy snapshot of the
/// store.
///
/// An address counts as, first match wins: in use (an attachment holds it), reserved (gateway,
/// excluded, somebody's pin), held (no attachment, but a binding), free. For each range set, all or
/// none:
///   1. the pod's pin
///   2. a requested address
///   3. the pod's own held address
///   4. round robin over free addresses
///   5. an address that another pod holds, see fairness.hpp; that pod's binding ends; if none is
///      held, one with a record that makes no sense
///   6. an address in use whose owner is proven dead, oldest boot first
///   7. an address that is set aside, which 3 to 6 pass over
/// At 1 to 3 an address whose owner is proven dead counts as not in use: it is taken over.
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/error.hpp"
#include "allocator/fairness.hpp"
#include "allocator/range_set.hpp"
#include "allocator/reservations.hpp"

namespace allocator {

/// What choose() needs to know of the store; each question is asked only when its answer matters.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  /// The holder of `address` as "<container ID> <ifname>"; nullopt when no attachment holds it.
  virtual std::optional<std::string> holder(const Address& address) = 0;
  virtual bool is_in_use(const Address& address) = 0;
  /// True when an attachment holds the address, or a record is there that binds it, even one that
  /// makes no sense: what round robin passes over.
  virtual bool is_taken(const Address& address) = 0;
  virtual std::optional<Binding> binding(const Address& address) = 0;
  /// Who uses `address` and the file that says so, for whoever is refused it.
  virtual std::string describe_use(const Address& address) = 0;
  /// True when nobody can tell whether a pod is bound to `address`: it is handed out to nobody.
  virtual bool is_closed(const Address& address) = 0;
  /// Every address that is bound and not in use: asked for only when nothing is free.
  virtual std::vector<HeldAddress> held() = 0;
  /// What held() said is not so. True when it says something else the next time, as it had not
  /// looked at everything.
  virtual bool distrust_held() = 0;
  /// The number that stands for a namespace in held().
  virtual std::uint64_t number_of_namespace(const std::string& name) = 0;
  /// True when the attachment that holds `address` is proven dead. Expensive: asked only when its
  /// address would be taken.
  virtual bool is_dead(const Address& address) = 0;
  /// The addresses of a set that are in use, those whose owners lived in the oldest boots first.
  /// Proves nothing.
  virtual std::vector<Address> in_use_by_age(const RangeSet& set) = 0;
  /// True for an address that its main plugin is expected to refuse: it is the last resort.
  virtual bool is_set_aside(const Address& address) = 0;
  /// All of these.
  virtual std::vector<Address> set_aside() = 0;
  /// The cursor of a range set: the address handed out last.
  virtual std::optional<Address> cursor(std::size_t set) = 0;
};

/// One attachment's wish.
struct Wish {
  /// Who asks; nullopt: a plain allocation that leaves no binding.
  std::optional<PodKey> pod;
  /// The pod's bound addresses, newest first, each one verified.
  std::vector<Address> bound;
  /// Addresses asked for by CNI_ARGS, args or runtimeConfig, in that order.
  std::vector<Address> requested;
  /// Who wrote the pod may ask for what another namespace has: true is for nodes of one tenant. A
  /// caller without a pod speaks for the operator, and may always.
  bool may_ask_for_others = false;
  /// Addresses that this attachment holds already: a set with one keeps it.
  std::vector<Address> present;
  /// Set: an attachment with an address in a set that it requests nothing from is an error, as in
  /// host-local. The text is the container ID for the message.
  std::optional<std::string> refuse_duplicate_of;
  /// Addresses that other interfaces of the same sandbox hold: a pin among them is used up, not
  /// busy.
  std::vector<Address> same_sandbox;
};

/// Why a pod does not get an address that it asks for: it is kept for another namespace's. The text
/// is the pod's author's to read, and names no pod of others.
std::string kept_for_others_text(const Address& address);

enum class Reason { present, pin, requested, held, round_robin, evicted, reclaimed };

struct Pick {
  Address address;
  const Range* range;
  std::size_t set;
  Reason reason;
  /// The attachment that holds the address is dead and ends with this pick.
  bool takes_over = false;
  /// The pod whose binding on the address ends.
  std::optional<Binding> evicted;
  /// In which boot the address was used last, as its binding tells, the pod's own or the one that
  /// ends: Binding::boot8, which is empty where that is not known. nullopt: no binding.
  std::optional<std::string> last_boot = std::nullopt;
  /// Somebody had the address in this boot, or may have had it: neighbours may know him by it.
  bool was_used = false;
};

/// All picks, or those up to the set that failed and why it failed.
struct Choice {
  std::vector<Pick> picks;
  std::optional<Error> failure;
};

/// Chooses one address from every range set. `sets` must outlive the choice.
/// Errors: Choice::failure; its texts are host-local's where host-local has one.
Choice choose(const RangeSets& sets, const Reservations& reservations, const Wish& wish,
              Snapshot& snapshot);

}  // namespace allocator
