#pragma once
/// JSON as the CNI world reads and writes it: Go's encoding/json rules on top of nlohmann/json.
///
/// Reading keeps the order of keys; of exact duplicates the last one stays. Look-ups ignore letter
/// case and the last match wins, as Go's decoder does. Printing is Go's: four spaces, no final
/// newline, "<", ">", "&", U+2028, U+2029 escaped, and what else cannot be seen.
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace shim {

using Json = nlohmann::ordered_json;

/// Nesting deeper than this is refused: no real configuration comes near it, and recursion stays
/// bounded.
constexpr unsigned kMaxJsonDepth = 64;

/// The text is no single JSON document. what() is "unexpected end of JSON input" where the text
/// ends too early (Go's words), else the place (line and column) and the cause.
struct JsonSyntaxError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Whether the member at the end of the keys' path is to be built; an array's place in the path is
/// an empty key.
using Wanted = std::function<bool(const std::vector<std::string>& path)>;

/// Reads one JSON document. With `wanted`, members that are not wanted are checked like all others
/// and left out, and take no memory. The time is that of sorting the keys of an object.
/// Errors: throws JsonSyntaxError for bad syntax, a byte order mark, trailing text, invalid UTF-8,
/// or nesting over kMaxJsonDepth.
Json parse_json(std::string_view text, const Wanted& wanted = {});

/// What the JSON library says of a syntax error, without its "[json.exception...] parse error at
/// ...: " head; at most kQuoteLimit bytes of the token that it quotes.
std::string syntax_cause(std::string_view message);

/// The last member of `object` whose key equals `key` in any letter case; nullptr when there is
/// none, when it is null, or when `object` is no object. JSON null means "absent" everywhere in a
/// CNI configuration.
const Json* find_member(const Json& object, std::string_view key);

/// True when the two keys are equal in any (ASCII) letter case.
bool same_key(std::string_view left, std::string_view right);

/// The document as Go prints it with a 4-space indent, no newline at the end. Invalid UTF-8 becomes
/// U+FFFD.
std::string print_json(const Json& document);

/// "a string", "a number", "an object" ...: how an error text names a JSON type.
std::string_view type_name(const Json& value);

}  // namespace shim
