#pragma once
/// Conversion of results between the three version families, as the Go library does it. Pure: no
/// parsing, no printing.
///
/// Nothing is filled in on the way up. What a family cannot express is dropped on the way down:
/// before 1.0.0 an interface's mtu, socketPath and pciID; before 0.3.0 all interfaces, every
/// address after the first of its family, routes of a family without an address, and of a route
/// everything but dst and gw.
#include <string_view>

#include "shim/cni/result/result.hpp"

namespace shim {

/// The document in the form of `to_version` ("" means 0.1.0). The same version changes nothing.
/// Errors: throws CniError "no converter for CNI result version A to B" for an unknown version, and
/// "cannot convert: no valid IP addresses" when a version before 0.3.0 would have none.
ResultDocument convert(const ResultDocument& document, std::string_view to_version);

/// The document as a 1.1.0 result: the first step of everything that is done to a delegate's
/// answer. It gives addresses of 0.3.0 to 0.4.0 the family that they have, whatever their `version`
/// said.
Result newest_form(const ResultDocument& document);

}  // namespace shim
