#pragma once
/// What an operator may have kept for a pod, and what he may not. Pure.
///
/// Whoever uses an address keeps it, whatever is forced. Unforced, nobody loses what is kept for
/// him.
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "allocator/fairness.hpp"

namespace allocator {

/// Whose an address in use is.
enum class User : std::uint8_t { nobody, the_pod, somebody_else };

/// How the pod is bound to another address of the family than those that are wanted.
enum class Elsewhere : std::uint8_t { no, held, in_use };

/// What stands on the disk about an address that is wanted for one interface of a pod.
struct HoldFacts {
  HeldAddress wanted;  ///< as it would be held
  User user = User::nobody;
  bool is_closed = false;           ///< its record cannot be read, or makes no sense
  bool is_bound_to_pod = false;     ///< its record names the pod
  bool is_bound_to_others = false;  ///< it names another one
  Elsewhere elsewhere = Elsewhere::no;
};

/// What becomes of it.
enum class Hold : std::uint8_t {
  held,              ///< it is kept for the pod from now on
  bound_in_use,      ///< the pod uses it, and is bound to it from now on
  already,           ///< it was so
  closed,            ///< nobody can tell whose it is
  in_use,            ///< somebody else uses it, or perhaps does
  others,            ///< it is kept for another pod
  elsewhere,         ///< another address is kept for the pod
  elsewhere_in_use,  ///< the pod uses another address
  full               ///< as many are held as may be, of the family or of the pod
};

/// True when the pod has the address afterwards.
inline bool is_kept(Hold hold) {
  return hold == Hold::held || hold == Hold::bound_in_use || hold == Hold::already;
}
/// True when something is to be written for it.
inline bool is_news(Hold hold) { return hold == Hold::held || hold == Hold::bound_in_use; }

/// Whether bindings may end that nobody uses, and are in the way.
enum class Force : std::uint8_t { no, yes };

/// How many addresses more may be held, so that none has to go for it.
class HeldRoom {
 public:
  /// Beside those that are held already.
  explicit HeldRoom(const std::vector<HeldAddress>& held);
  /// Takes a place; false when there is none for this family, or this pod.
  [[nodiscard]] bool take(const HeldAddress& one);

 private:
  std::map<Family, std::size_t> of_family_;
  std::map<std::pair<Family, std::uint64_t>, std::size_t> of_pod_;
};

/// What becomes of the addresses that are wanted for one interface of a pod. The last one comes
/// first: where not all have room, those stay that the pod had last.
std::vector<Hold> judge_holds(const std::vector<HoldFacts>& wanted, Force force, HeldRoom& room);

}  // namespace allocator
