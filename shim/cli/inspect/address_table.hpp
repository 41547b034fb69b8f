#pragma once
/// The one table of addresses that `list` and `show` print. Pure.
#include <optional>
#include <string>
#include <vector>

#include "shim/cli/inspect/networks/states.hpp"
#include "shim/cli/inspect/output/table.hpp"

namespace shim::inspect {

/// The columns of the table, in their order.
enum Field : std::size_t {
  kNetwork,
  kAddress,
  kNamespace,
  kPod,
  kInterface,
  kState,
  kKept,
  kSince,
  kSinceBoots,
  kContainer,
  kUid,
  kNetns,
  kBoot,
  kMac,
  kNote,
  kFields
};

/// Which addresses are wanted.
struct AddressFilter {
  std::string pod_namespace;   ///< empty: all
  std::optional<State> state;  ///< nullopt: all but the free ones
};

/// A table of addresses without rows. NETWORK is to be seen where there are several.
Table make_address_table(const Networks& networks);

/// Adds the network's addresses that pass the filter, by address. Free and reserved ones that are
/// alike share a row: "10.244.1.9-10.244.1.254".
void add_rows(Table& table, const Network& network, const AddressFilter& filter);

/// The row of one address, whatever it counts as.
Row row_of(const Network& network, const allocator::Address& address);

/// "this boot", "3 boots ago", "earlier" (for one that the network has forgotten); empty when it
/// is not known.
std::string since_text(const allocator::store::Survey& survey, const std::string& boot8);

}  // namespace shim::inspect
