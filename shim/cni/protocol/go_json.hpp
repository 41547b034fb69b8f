#pragma once
/// What a document becomes when Go code decodes it into a generic map and encodes it again.
///
/// The Go library does so to every result that it prints since 1.0.0 and to every delegate's result
/// that does not say its version, so the traces of it are part of the format: sorted keys and
/// rounded numbers. No I/O.
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// The document with the keys of every object in byte order, and every number as its shortest
/// decimal form that gives the same double: 1000.0 becomes 1000, 9223372036854775807 becomes
/// 9223372036854776000.
Json through_generic_map(const Json& document);

}  // namespace shim
