#include "shim/cli/validate/document/shapes.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "allocator/address.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::validate {
namespace {

using allocator::Address;
using allocator::Cidr;

bool is_span(std::string_view text) {
  const auto dash = text.find('-');
  if (dash == std::string_view::npos)
    return Cidr::parse(text).has_value() || Address::parse(text).has_value();
  return Address::parse(text.substr(0, dash)).has_value() &&
         Address::parse(text.substr(dash + 1)).has_value();
}

bool is_text_of(const Json& value, Shape shape) {
  if (!value.is_string()) return false;
  const std::string_view text = scalar_text(value);
  switch (shape) {
    case Shape::path:
      return text.starts_with('/');
    case Shape::address:
      return Address::parse(text).has_value();
    case Shape::block:
      return Cidr::parse(text).has_value();
    case Shape::spans:
      return is_span(text);
    case Shape::families:
      return text == "IPv4" || text == "IPv6";
    default:
      return true;
  }
}

bool is_range(const Json& value) {
  return value.is_object() && !text_member(value, "subnet").empty();
}

/// A list whose every element passes.
template <typename Test>
bool is_list_of(const Json& value, Test test) {
  return value.is_array() && std::all_of(value.begin(), value.end(), test);
}

bool is_list(Shape shape) {
  return shape == Shape::texts || shape == Shape::spans || shape == Shape::families ||
         shape == Shape::objects;
}

bool is_element(const Json& value, Shape list) {
  return list == Shape::objects ? value.is_object() : is_text_of(value, list);
}

/// Range sets of what may be one range, or its block alone.
std::optional<Json> as_sets(const Json& value) {
  if (is_range(value)) return list_of(list_of(value));
  if (is_text_of(value, Shape::block)) return list_of(set_of(scalar_text(value)));
  if (!value.is_array() || value.size() != 1) return std::nullopt;
  return as_sets(value.front());
}

}  // namespace

std::string_view shape_name(Shape shape) {
  switch (shape) {
    case Shape::text:
      return "a text";
    case Shape::path:
      return "an absolute path";
    case Shape::address:
      return "an address";
    case Shape::block:
      return "a CIDR block";
    case Shape::flag:
      return "true or false";
    case Shape::number:
      return "a number";
    case Shape::texts:
      return "a list of texts";
    case Shape::spans:
      return "a list of addresses, CIDR blocks and spans";
    case Shape::families:
      return "a list of \"IPv4\" and \"IPv6\"";
    case Shape::object:
      return "an object";
    case Shape::flag_or_object:
      return "true, false or an object";
    case Shape::objects:
      return "a list of objects";
    case Shape::sets:
      return "a list of range sets: [[{\"subnet\": ...}]]";
  }
  return "a text";
}

bool has_shape(const Json& value, Shape shape) {
  switch (shape) {
    case Shape::flag:
      return value.is_boolean();
    case Shape::number:
      return value.is_number();
    case Shape::object:
      return value.is_object();
    case Shape::flag_or_object:
      return value.is_boolean() || value.is_object();
    case Shape::sets:
      return is_list_of(value, [](const Json& set) { return is_list_of(set, &is_range); });
    default:
      break;
  }
  if (!is_list(shape)) return is_text_of(value, shape);
  return is_list_of(value, [&](const Json& element) { return is_element(element, shape); });
}

std::optional<Json> in_shape(const Json& value, Shape shape) {
  if (has_shape(value, shape)) return value;
  if (shape == Shape::sets) return as_sets(value);
  if (is_list(shape))
    return is_element(value, shape) ? std::optional(list_of(value)) : std::nullopt;
  if (value.is_array() && value.size() == 1 && has_shape(value.front(), shape))
    return value.front();
  return std::nullopt;
}

}  // namespace shim::validate
