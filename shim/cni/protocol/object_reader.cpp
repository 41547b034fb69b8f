#include "shim/cni/protocol/object_reader.hpp"

#include <limits>

namespace shim {
namespace {

std::string mistyped_text(const std::string& path, std::string_view wanted, const Json& value) {
  const std::string place = path.empty() ? "the document" : path;
  const bool number_wanted = wanted.find("number") != std::string_view::npos;
  const auto found =
      value.is_number() && number_wanted ? value.dump() : std::string(type_name(value));
  return place + " must be " + std::string(wanted) + ", but is " + found;
}

}  // namespace

Mistyped::Mistyped(const std::string& path, std::string_view wanted, const Json& value)
    : CniError(ErrorCode::internal, mistyped_text(path, wanted, value)) {
  pointer = path;
}

void refuse(const std::string& text, const std::string& pointer) {
  throw CniError(ErrorCode::internal, text).at(pointer);
}

std::string element_path(const std::string& list, std::size_t index) {
  return list + "/" + std::to_string(index);
}

void read_value(const Json& value, const std::string& path, std::string& target) {
  if (value.is_null()) return;
  if (!value.is_string()) throw Mistyped(path, "a string", value);
  target = value.get<std::string>();
}

void read_value(const Json& value, const std::string& path, std::int64_t& target) {
  if (value.is_null()) return;
  constexpr auto kLargest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const bool too_large = value.is_number_unsigned() && value.get<std::uint64_t>() > kLargest;
  if (!value.is_number_integer() || too_large) {
    throw Mistyped(path, "a whole number of at most 64 bits", value);
  }
  target = value.get<std::int64_t>();
}

void read_value(const Json& value, const std::string& path, std::optional<std::int64_t>& target) {
  target.reset();
  if (!value.is_null()) read_value(value, path, target.emplace());
}

void read_value(const Json& value, const std::string& path, std::vector<std::string>& target) {
  target.clear();
  if (value.is_null()) return;
  if (!value.is_array()) throw Mistyped(path, "an array", value);
  for (std::size_t i = 0; i < value.size(); ++i) {
    read_value(value[i], element_path(path, i), target.emplace_back());
  }
}

/// A null is the empty text here, which is no CIDR.
void read_value(const Json& value, const std::string& path,
                std::optional<allocator::Cidr>& target) {
  if (!value.is_null() && !value.is_string()) refuse(mistyped_text(path, "a string", value), path);
  const std::string text = value.is_null() ? "" : value.get<std::string>();
  target = allocator::Cidr::parse(text);
  if (!target) refuse("invalid CIDR address: " + cut(text));
}

/// The empty text is no address, which is fine.
void read_value(const Json& value, const std::string& path,
                std::optional<allocator::Address>& target) {
  std::string text;
  read_value(value, path, text);
  target = allocator::Address::parse(text);
  if (!target && !text.empty()) refuse("invalid IP address: " + cut(text));
}

void read_members(const Json& object, const std::string& path, Members members) {
  if (object.is_null()) return;
  if (!object.is_object()) throw Mistyped(path, "an object", object);
  std::optional<Mistyped> first;
  for (const auto& [name, value] : object.items()) {
    for (const auto& member : members) {
      if (!same_key(name, member.key)) continue;
      try {
        member.read(value, path + "/" + member.key);
      } catch (const Mistyped& mistyped) {
        if (!first) first = mistyped;
      }
    }
  }
  if (first) throw Mistyped(*first);
}

void read_at_once(const Json& object, const std::string& path, Members members) {
  try {
    read_members(object, path, members);
  } catch (const Mistyped& mistyped) {
    refuse(mistyped.what(), mistyped.pointer);
  }
}

}  // namespace shim
