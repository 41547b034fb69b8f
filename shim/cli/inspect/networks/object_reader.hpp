#pragma once
/// Reads what this tool has written, an export or a report: what is wrong is said with its place in
/// the document, and the remedy. Pure.
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "shim/cni/protocol/json_text.hpp"

namespace shim::inspect {

/// Where a document comes from, and what to do about one that is no good.
struct DocumentSource {
  std::string name;    ///< a file, or "standard input"
  std::string remedy;  ///< "export the bindings anew"
};

/// How people call what `-` names.
std::string source_name(const std::string& file);

/// The members of one object. Errors: each throws UsageError "SOURCE: PLACE problem; remedy".
class ObjectReader {
 public:
  /// Both must outlive the object. `place`: a JSON pointer.
  ObjectReader(const Json& object, const DocumentSource& source, std::string place = {})
      : object_(object), source_(source), place_(std::move(place)) {}

  /// Empty where it is missing or null.
  [[nodiscard]] std::string text(const char* key) const;
  [[nodiscard]] std::string required(const char* key) const;
  [[nodiscard]] std::uint64_t number(const char* key) const;
  /// The elements of a list, each with its place.
  void each(const char* key, const std::function<void(const ObjectReader&)>& read) const;
  [[noreturn]] void fail(const char* key, std::string_view problem) const;

 private:
  const Json& object_;
  const DocumentSource& source_;
  std::string place_;
};

}  // namespace shim::inspect
