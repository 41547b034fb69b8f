#pragma once
/// Typed reading of a JSON configuration: every error names the place as a JSON path (RFC 6901) and
/// what is wanted.
///
/// Keys match in any letter case, null means absent, unknown keys are not looked at.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// One object of the configuration.
class ConfigReader {
 public:
  /// `object` may be nullptr: then every key is absent. `code` is what a mistyped key is reported
  /// with.
  ConfigReader(const Json* object, std::string path, ErrorCode code)
      : object_(object), path_(std::move(path)), code_(code) {}

  /// The object at `key`; a reader over nothing when it is absent.
  /// Errors: throws CniError when the value is no object.
  [[nodiscard]] ConfigReader object(std::string_view key) const;
  [[nodiscard]] bool is_present() const { return object_ != nullptr; }
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// True when the key is there with the value null.
  [[nodiscard]] bool is_null(std::string_view key) const;

  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  /// A number above 0 and at most `limit`.
  [[nodiscard]] std::optional<double> positive_number(std::string_view key, double limit) const;
  /// One of `choices`; its index.
  [[nodiscard]] std::optional<std::size_t> choice(std::string_view key,
                                                  const std::vector<std::string>& choices) const;
  /// Calls `visit` with each element of the array at `key` and its path.
  void each(std::string_view key,
            const std::function<void(const Json&, const std::string&)>& visit) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;

  [[nodiscard]] std::string path_of(std::string_view key) const {
    return path_ + "/" + std::string(key);
  }
  [[nodiscard]] ErrorCode code() const { return code_; }
  [[nodiscard]] const Json* json() const { return object_; }
  /// Throws CniError "<path> <problem>" with this reader's code.
  [[noreturn]] void fail(std::string_view key, const std::string& problem) const;

 private:
  const Json* object_;
  std::string path_;
  ErrorCode code_;
};

/// The text of a JSON string.
/// Errors: throws CniError "<path> must be a string, but is a number".
const std::string& require_text(const Json& value, const std::string& path, ErrorCode code);

/// Throws CniError "<path> must be <wanted>, but is <what it is>".
[[noreturn]] void fail_type(const Json& value, const std::string& path, std::string_view wanted,
                            ErrorCode code);

}  // namespace shim
