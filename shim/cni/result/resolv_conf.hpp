#pragma once
/// resolv.conf(5) as host-local reads it for the `dns` of a result.
#include <string_view>

#include "shim/cni/result/result.hpp"

namespace shim {

/// Reads the text of a resolv.conf: `nameserver` (second word), `domain` (the last one counts),
/// `search` and `options` (all words of all lines). Nothing is validated; lines that start with "#"
/// or ";" are comments.
/// Errors: throws CniError 999 for a line of 64 KiB or more, with host-local's text.
Dns parse_resolv_conf(std::string_view text);

}  // namespace shim
