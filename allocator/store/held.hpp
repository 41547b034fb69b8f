#pragma once
/// From in use to held: what becomes of the bindings when attachments end.
#include <optional>
#include <string>
#include <vector>

#include "allocator/store/owner.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

/// Stamps the bindings of freed addresses with the next sequence number. A binding that cannot be
/// stamped (full disk, a closed record) stays as it is: that costs its place in the
/// queue, nothing else, and the release has happened. An address without a binding is adopted for
/// `owner`, unless that pod has one of the family already. Now and then the bindings in no use are
/// counted: at most 4 096 of a family stay, and 16 of a pod, see surplus().
void hold(RecordFolder& records, RunFolder& run, const std::vector<Address>& freed,
          const Owner& owner);

/// Binds `address` to a pod that has no binding of the family yet, but for those on addresses of
/// the same attachment: one a range set. False when it has one, or the address is bound.
bool adopt(RecordFolder& records, const Address& address, const Binding& binding,
           const std::vector<Address>& of_attachment);

/// Binds the addresses of one attachment to a pod that uses them now, whatever was bound before:
/// other pods' bindings on them end, and so do the pod's own on other addresses of their families.
void bind_attachment(RecordFolder& records, const std::vector<Address>& addresses,
                     const Binding& binding);

/// The first addresses of each family, as many as a pod may be bound to.
std::vector<Address> newest_of_each_family(const std::vector<Address>& addresses);

/// Binds a pod to the addresses that it has got now, and to nothing else of their families. Tells
/// in `notes` when its address changed, or another pod's binding ended.
void rebind(RecordFolder& records, const Binding& binding, const std::vector<Address>& addresses,
            std::vector<std::string>& notes);

/// Ends every binding of a pod.
void forget(RecordFolder& records, const PodKey& pod);

}  // namespace allocator::store
