#pragma once
/// What a document of `validate` is, told by its content. Pure.
#include <string>
#include <string_view>
#include <vector>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::validate {

/// A network's configuration: a conf or a list.
bool looks_like_conf(const Json& value);
/// A list may leave its plugins to the files of a folder (CNI 1.1); then it has a plugin's keys
/// neither.
bool is_single_conf(const Json& conf);
/// Other things in ConfigMaps have a version too: Multus' daemon, and what it is a plugin for.
bool has_place_for_ipam(const Json& conf);
bool looks_like_conf_text(std::string_view text);
bool looks_like_cilium_values(const Json& value);
/// Where the networks of Multus' own configuration are in it, as JSON pointers; none in anything
/// else.
std::vector<std::string> delegates_of_multus(const Json& conf);

}  // namespace shim::validate
