#include "shim/cni/protocol/config_reader.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace shim {

void fail_type(const Json& value, const std::string& path, std::string_view wanted,
               ErrorCode code) {
  throw CniError(
      code, path + " must be " + std::string(wanted) + ", but is " + std::string(type_name(value)))
      .at(path);
}

const std::string& require_text(const Json& value, const std::string& path, ErrorCode code) {
  if (!value.is_string()) fail_type(value, path, "a string", code);
  const auto& text = value.get_ref<const std::string&>();
  // The system would take it for the end of a path.
  if (text.find('\0') != std::string::npos)
    throw CniError(code, path + " has a NUL in it: " + go_quoted(text)).at(path);
  return text;
}

const Json* ConfigReader::find(std::string_view key) const {
  return object_ == nullptr ? nullptr : find_member(*object_, key);
}

bool ConfigReader::is_null(std::string_view key) const {
  if (object_ == nullptr || !object_->is_object() || find(key) != nullptr) return false;
  const auto items = object_->items();
  return std::any_of(items.begin(), items.end(),
                     [&](const auto& item) { return same_key(item.key(), key); });
}

ConfigReader ConfigReader::object(std::string_view key) const {
  const Json* value = find(key);
  if (value != nullptr && !value->is_object()) fail_type(*value, path_of(key), "an object", code_);
  return {value, path_of(key), code_};
}

std::optional<std::string> ConfigReader::text(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  return require_text(*value, path_of(key), code_);
}

std::optional<bool> ConfigReader::flag(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_boolean()) fail_type(*value, path_of(key), "true or false", code_);
  return value->get<bool>();
}

std::optional<double> ConfigReader::positive_number(std::string_view key, double limit) const {
  const Json* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_number()) fail_type(*value, path_of(key), "a number", code_);
  const double number = value->get<double>();
  if (!(number > 0 && number <= limit)) {
    fail(key, "must be more than 0 and at most " + std::to_string(static_cast<long>(limit)) +
                  ", but is " + value->dump());
  }
  return number;
}

std::optional<std::size_t> ConfigReader::choice(std::string_view key,
                                                const std::vector<std::string>& choices) const {
  const auto value = text(key);
  if (!value) return std::nullopt;
  const auto found = std::find(choices.begin(), choices.end(), *value);
  if (found != choices.end()) return static_cast<std::size_t>(found - choices.begin());
  std::string list;
  for (const auto& one : choices) list += (list.empty() ? "" : ", ") + go_quoted(one);
  fail(key, "must be one of " + list + ", but is " + go_quoted(*value));
}

void ConfigReader::each(std::string_view key,
                        const std::function<void(const Json&, const std::string&)>& visit) const {
  const Json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_array()) fail_type(*value, path_of(key), "an array", code_);
  std::size_t index = 0;
  for (const auto& element : *value) visit(element, path_of(key) + "/" + std::to_string(index++));
}

std::vector<std::string> ConfigReader::texts(std::string_view key) const {
  std::vector<std::string> list;
  each(key, [&](const Json& element, const std::string& path) {
    list.push_back(require_text(element, path, code_));
  });
  return list;
}

void ConfigReader::fail(std::string_view key, const std::string& problem) const {
  throw CniError(code_, path_of(key) + " " + problem).at(path_of(key));
}

}  // namespace shim
