#include "allocator/address_set.hpp"

#include <algorithm>

namespace allocator {

void AddressSet::insert(const Address& address) {
  is_sorted_ = false;
  if (address.family() == Family::v4) {
    v4_.push_back(static_cast<std::uint32_t>(address.number()));
  } else {
    v6_.push_back(address.number());
  }
}

bool AddressSet::contains(const Address& address) {
  if (!is_sorted_) {
    std::sort(v4_.begin(), v4_.end());
    std::sort(v6_.begin(), v6_.end());
    is_sorted_ = true;
  }
  if (address.family() == Family::v6)
    return std::binary_search(v6_.begin(), v6_.end(), address.number());
  return std::binary_search(v4_.begin(), v4_.end(), static_cast<std::uint32_t>(address.number()));
}

}  // namespace allocator
