#pragma once
/// Reads JSON objects into structs as Go's decoder does, error texts included.
///
/// A struct gets a function `read_value(const Json&, const std::string& path, Struct&)` that hands
/// its members to read_members. Keys match in any letter case, later duplicates win, unknown keys
/// are ignored. A null leaves a plain value as it is, and empties a list or an optional value; in a
/// list of objects it is refused.
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// A value of another JSON type than its key has: "<path> must be <wanted>, but is ...". Go's
/// decoder goes on after one, and reports it only if no address behind it is bad.
struct Mistyped : CniError {
  Mistyped(const std::string& path, std::string_view wanted, const Json& value);
};

/// Throws the CniError (code 999) that ends the reading at once.
[[noreturn]] void refuse(const std::string& text, const std::string& pointer = {});

// Errors: all of them throw Mistyped; addresses throw "invalid CIDR address: X" or "invalid IP
// address: X" as CniError.
void read_value(const Json& value, const std::string& path, std::string& target);
void read_value(const Json& value, const std::string& path, std::int64_t& target);
void read_value(const Json& value, const std::string& path, std::optional<std::int64_t>& target);
void read_value(const Json& value, const std::string& path, std::vector<std::string>& target);
void read_value(const Json& value, const std::string& path, std::optional<allocator::Cidr>& target);
void read_value(const Json& value, const std::string& path,
                std::optional<allocator::Address>& target);

std::string element_path(const std::string& list, std::size_t index);

template <class Element>
void read_value(const Json& value, const std::string& path, std::vector<Element>& target) {
  target.clear();
  if (value.is_null()) return;
  if (!value.is_array()) throw Mistyped(path, "an array", value);
  std::optional<Mistyped> null_element;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::string place = element_path(path, i);
    if (!value[i].is_null()) {
      read_value(value[i], place, target.emplace_back());
    } else if (!null_element) {
      null_element.emplace(place, "an object", value[i]);
    }
  }
  if (null_element) throw Mistyped(*null_element);
}

/// One member of an object: its key, and how its value gets to where it belongs.
struct Member {
  template <class Target>
  Member(std::string_view name, Target& target)
      : key(name), read([&target](const Json& value, const std::string& path) {
          read_value(value, path, target);
        }) {}

  std::string key;
  std::function<void(const Json&, const std::string&)> read;
};

using Members = std::initializer_list<Member>;

/// Reads in the order of the document, so that the first bad address in it is the one reported.
/// Errors: throws the first Mistyped only after everything else has been read.
void read_members(const Json& object, const std::string& path, Members members);

/// As read_members, for types that have a decoder of their own in Go: there a mistyped value ends
/// all reading.
/// Errors: throws CniError, never Mistyped.
void read_at_once(const Json& object, const std::string& path, Members members);

}  // namespace shim
