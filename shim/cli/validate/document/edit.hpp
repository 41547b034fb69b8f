#pragma once
/// Looking at and correcting JSON documents whose keys match in any letter case. Pure.
///
/// Texts are handed around as views into the document: they end with the member that they are of.
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim::validate {

/// Pieces of a text.
using Words = std::initializer_list<std::string_view>;
std::string joined(Words words);

/// The members in their order; none when it is no object.
const Json::object_t& entries(const Json& object);
/// The keys of those.
std::vector<std::string> keys_of(const Json& object);

/// As find_member, to be changed.
Json* member(Json& object, std::string_view key);
/// As member, but nullptr unless it is an object.
Json* object_member(Json& object, std::string_view key);
const Json* object_member(const Json& object, std::string_view key);
/// The elements of a member that is a list; none when it is none.
const Json::array_t& elements(const Json& object, std::string_view key);

/// Moves the member that is spelled exactly so into `to`. False, and nothing is done, when `to` has
/// another value there in any spelling: which of the two is meant, nobody knows.
bool move_member(Json& from, const std::string& key, Json& to);
/// {key: value}
Json object_of(std::string_view key, Json value);
/// [element]
Json list_of(Json element);
/// A range set: [{"subnet": subnet}]
Json set_of(std::string_view subnet);

/// The text of a string member; empty for anything else.
std::string_view text_member(const Json& object, std::string_view key);
/// What YAML and Helm take a value for: the text of a string, "true", "false"; empty for anything
/// else.
std::string_view scalar_text(const Json& value);

/// The key as the document spells it; `key` itself when it is missing.
std::string_view spelled(const Json& object, std::string_view key);
/// As a part of a JSON pointer (RFC 6901).
std::string escaped(std::string_view key);

/// The member at a path of keys such as "bpf/masquerade", which match exactly; nullptr when it is
/// missing.
const Json* at_path(const Json& document, std::string_view path);
/// The elements of a list there; none when there is none.
const Json::array_t& elements_at(const Json& document, std::string_view path);
/// The scalar there; empty when there is none.
std::string_view text_at(const Json& document, std::string_view path);
/// Sets it, and makes the objects above it.
void set_at_path(Json& document, std::string_view path, Json value);

/// The parts between commas, without spaces around them.
std::vector<std::string_view> split_list(std::string_view text);

/// A path without "." and "..", double and final slashes.
std::string clean_path(std::string_view path);
/// True when `path` is `folder` or lies below it.
bool lies_in(std::string_view path, std::string_view folder);
/// True for a path that does not survive a reboot, on any distribution.
bool is_volatile(std::string_view path);

}  // namespace shim::validate
