#pragma once
/// What the value of a key must look like, to tell a misspelled key from a stranger. Pure.
#include <optional>
#include <string_view>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::validate {

enum class Shape : std::uint8_t {
  text,
  path,  ///< an absolute one
  address,
  block,  ///< CIDR
  flag,
  number,
  texts,
  spans,     ///< addresses, blocks, first-last
  families,  ///< IPv4, IPv6
  object,
  flag_or_object,
  objects,
  sets  ///< of ranges
};

/// A key and what its value is.
struct KnownKey {
  std::string_view name;
  Shape shape;
};

/// "a CIDR block": how an error text names the shape.
std::string_view shape_name(Shape shape);

bool has_shape(const Json& value, Shape shape);

/// The value in that shape: as it is, or where there is only one thing that it can mean (an element
/// in the place of a list, a list of one in the place of its element). nullopt when there is none.
std::optional<Json> in_shape(const Json& value, Shape shape);

}  // namespace shim::validate
