#include "shim/cli/inspect/networks/object_reader.hpp"

#include <nlohmann/json.hpp>

#include "shim/cli/command.hpp"
#include "shim/cli/validate/document/edit.hpp"

namespace shim::inspect {

std::string source_name(const std::string& file) { return file == "-" ? "standard input" : file; }

std::string ObjectReader::text(const char* key) const {
  const Json* value = find_member(object_, key);
  if (value == nullptr) return {};
  if (!value->is_string()) fail(key, "is no text");
  return value->get<std::string>();
}

std::string ObjectReader::required(const char* key) const {
  auto value = text(key);
  if (value.empty()) fail(key, "is missing");
  return value;
}

std::uint64_t ObjectReader::number(const char* key) const {
  const Json* value = find_member(object_, key);
  if (value == nullptr || !value->is_number_unsigned()) fail(key, "is no number");
  return value->get<std::uint64_t>();
}

void ObjectReader::each(const char* key,
                        const std::function<void(const ObjectReader&)>& read) const {
  const Json* list = find_member(object_, key);
  if (list == nullptr || !list->is_array()) fail(key, "is no list");
  std::size_t number = 0;
  for (const auto& element : *list)
    read(ObjectReader(element, source_,
                      validate::joined({place_, "/", key, "/", std::to_string(number++)})));
}

void ObjectReader::fail(const char* key, std::string_view problem) const {
  throw UsageError(
      validate::joined({source_.name, ": ", place_, "/", key, " ", problem, "; ", source_.remedy}));
}

}  // namespace shim::inspect
