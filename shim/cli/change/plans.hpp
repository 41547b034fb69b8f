#pragma once
/// What ends an attachment or a binding, for every command that does it by hand.
#include <string>
#include <vector>

#include "shim/cli/change/changes.hpp"

namespace shim::change {

/// The addresses of one attachment, or those that one interface of a pod is bound to.
using Members = std::vector<const allocator::store::SurveyedAddress*>;

/// Frees all addresses of an attachment, and holds them for its pod; `alive`: why not, where one of
/// its files does not prove it dead and proof is needed.
Change plan_freeing(const inspect::Network& network, const Members& addresses,
                    allocator::store::LeaseStore::Proof proof, const std::string& alive);

/// Gives up all that a pod that is not back has: of one interface, what is dead is freed, and what
/// is bound to it is kept for it no longer. `addresses`: those, and all others of the attachments
/// among them. `alive`: why not, where one of them is not proven dead.
Change plan_giving_up(const inspect::Network& network, const allocator::PodKey& pod,
                      const Members& addresses, const std::string& alive);

/// Ends bindings, unless the pod has used one of them since.
Change plan_end_of_binding(const inspect::Network& network, const Members& addresses);

}  // namespace shim::change
