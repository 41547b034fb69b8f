#pragma once
/// Whose held addresses go when they have to: every namespace pays for its own pods first, so that
/// no tenant ends another one's bindings by making many pods. Pure.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "allocator/address.hpp"

namespace allocator {

// How many addresses of a family are kept at most.
inline constexpr std::size_t kHeldPerFamily = 4096;  ///< in no use
inline constexpr std::size_t kHeldPerPod = 16;       ///< of these one pod's, on all its interfaces
inline constexpr std::size_t kBoundPerFamily = 4;    ///< in use or not, of one interface of a pod

/// An address that is bound and in no use. Names are told apart by numbers, which whoever reads the
/// store makes of them.
struct HeldAddress {
  Address address;
  std::uint64_t space;  ///< the pod's namespace
  std::uint64_t pod;    ///< with its namespace, without its interface
  std::uint64_t sequence;
};

/// The one that makes room for a new pod: of the pod's own namespace if that has any, else of the
/// namespace that has most; of these the one held longest. nullptr when there is none.
/// `space`: the pod's namespace; nullopt for a caller without a pod.
const HeldAddress* first_to_go(const std::vector<HeldAddress>& held,
                               const std::optional<std::uint64_t>& space);

/// What is too much: of a pod, on all its interfaces, over `per_pod`; of all together over `limit`,
/// taken from the namespace that has most at the time. Of each the ones held longest.
std::vector<HeldAddress> surplus(std::vector<HeldAddress> held, std::size_t limit,
                                 std::size_t per_pod);

}  // namespace allocator
