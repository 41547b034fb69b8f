#include "shim/cli/validate/document/edit.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

namespace shim::validate {

std::string joined(Words words) {
  std::string text;
  for (const auto word : words) text += word;
  return text;
}

const Json::object_t& entries(const Json& object) {
  static const Json::object_t none;
  const auto* members = object.get_ptr<const Json::object_t*>();
  return members == nullptr ? none : *members;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& entry : entries(object)) keys.push_back(entry.first);
  return keys;
}

Json* member(Json& object, std::string_view key) {
  return const_cast<Json*>(find_member(object, key));
}

Json* object_member(Json& object, std::string_view key) {
  return const_cast<Json*>(object_member(std::as_const(object), key));
}

const Json* object_member(const Json& object, std::string_view key) {
  const Json* value = find_member(object, key);
  return value != nullptr && value->is_object() ? value : nullptr;
}

namespace {

const Json::array_t& elements_of(const Json* value) {
  static const Json::array_t none;
  const auto* list = value == nullptr ? nullptr : value->get_ptr<const Json::array_t*>();
  return list == nullptr ? none : *list;
}

}  // namespace

const Json::array_t& elements(const Json& object, std::string_view key) {
  return elements_of(find_member(object, key));
}

namespace {

bool holds(const Json& outer, const Json& inner) {
  return &outer == &inner ||
         (outer.is_structured() && std::any_of(outer.begin(), outer.end(),
                                               [&](const Json& one) { return holds(one, inner); }));
}

}  // namespace

bool move_member(Json& from, const std::string& key, Json& to) {
  const auto found = from.find(key);
  if (found == from.end()) return false;
  const Json* other = find_member(to, key);
  if (other != nullptr && *other != *found) return false;
  Json moved = *found;
  // Members of an object change their places when one is added or taken out: the inner one first.
  const bool is_inward = holds(from, to);
  if (!is_inward) from.erase(key);
  if (other == nullptr) set_member(to, key, std::move(moved));
  if (is_inward) from.erase(key);
  return true;
}

Json object_of(std::string_view key, Json value) {
  Json object = Json::object();
  object[std::string(key)] = std::move(value);
  return object;
}

Json list_of(Json element) {
  Json list = Json::array();
  list.push_back(std::move(element));
  return list;
}

Json set_of(std::string_view subnet) { return list_of(object_of("subnet", std::string(subnet))); }

std::string_view text_member(const Json& object, std::string_view key) {
  const Json* value = find_member(object, key);
  const auto* text = value == nullptr ? nullptr : value->get_ptr<const std::string*>();
  return text == nullptr ? std::string_view() : *text;
}

std::string_view scalar_text(const Json& value) {
  if (value.is_boolean()) return value == true ? "true" : "false";
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? std::string_view() : *text;
}

std::string escaped(std::string_view key) {
  std::string text;
  for (const char c : key) {
    if (c == '~' || c == '/') {
      text += c == '~' ? "~0" : "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string_view spelled(const Json& object, std::string_view key) {
  for (const auto& entry : entries(object)) {
    if (same_key(entry.first, key)) return entry.first;
  }
  return key;
}

const Json* at_path(const Json& document, std::string_view path) {
  const Json* place = &document;
  while (true) {
    const auto slash = std::min(path.find('/'), path.size());
    const auto& members = entries(*place);
    const auto found = std::find_if(members.begin(), members.end(), [&](const auto& entry) {
      return entry.first == path.substr(0, slash);
    });
    if (found == members.end()) return nullptr;
    place = &found->second;
    if (slash == path.size()) return place;
    path.remove_prefix(slash + 1);
  }
}

const Json::array_t& elements_at(const Json& document, std::string_view path) {
  return elements_of(at_path(document, path));
}

std::string_view text_at(const Json& document, std::string_view path) {
  const Json* value = at_path(document, path);
  return value == nullptr ? std::string_view() : scalar_text(*value);
}

void set_at_path(Json& document, std::string_view path, Json value) {
  Json* place = &document;
  while (true) {
    const auto slash = std::min(path.find('/'), path.size());
    if (!place->is_object()) *place = Json::object();
    place = &(*place)[std::string(path.substr(0, slash))];
    if (slash == path.size()) break;
    path.remove_prefix(slash + 1);
  }
  *place = std::move(value);
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start < text.size();) {
    const auto end = std::min(text.find(',', start), text.size());
    std::string_view part = text.substr(start, end - start);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    parts.push_back(part);
    start = end + 1;
  }
  return parts;
}

std::string clean_path(std::string_view path) {
  std::string clean = std::filesystem::path(path).lexically_normal().string();
  while (clean.size() > 1 && clean.ends_with('/')) clean.pop_back();
  return clean;
}

bool lies_in(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

bool is_volatile(std::string_view path) {
  constexpr std::array<std::string_view, 4> folders = {"/run", "/var/run", "/tmp", "/dev/shm"};
  const std::string clean = clean_path(path);
  return std::any_of(folders.begin(), folders.end(),
                     [&](std::string_view folder) { return lies_in(clean, folder); });
}

}  // namespace shim::validate
