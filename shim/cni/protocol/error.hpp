#pragma once
/// Errors in CNI's terms, and the one place that turns any exception into one.
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "shim/cni/protocol/printable.hpp"

namespace shim {

/// Error codes: CNI spec 1.1.0 section 5 "Error"; 999 is the Go library's "internal", which
/// host-local uses for nearly everything of its own.
enum class ErrorCode : unsigned {
  incompatible_version = 1,
  unsupported_field = 2,
  invalid_environment = 4,
  io_failure = 5,
  decoding_failure = 6,
  invalid_config = 7,
  try_again_later = 11,
  plugin_not_available = 50,
  internal = 999,
};

/// What ends a command: becomes {"cniVersion","code","msg","details"} on stdout and one line on
/// stderr. Message form: "<what we were doing>: <object>: <cause>", naming the place and the
/// remedy.
struct CniError : std::runtime_error {
  CniError(ErrorCode error_code, const std::string& message, std::string more = {},
           std::string remedy = {})
      : std::runtime_error(message),
        code(error_code),
        details(std::move(more)),
        hint(std::move(remedy)) {}

  /// The same error with its pointer.
  CniError at(std::string place) && {
    pointer = std::move(place);
    return std::move(*this);
  }

  ErrorCode code;
  std::string details;
  /// Place and remedy where `msg` has to be host-local's text, which names neither; goes to stderr
  /// only.
  std::string hint;
  /// The place in the configuration, as a JSON pointer (RFC 6901, but a "/" in a key stands as it
  /// is); empty when there is none, or no single one. For programs, which need not search the text.
  std::string pointer;
  /// A delegate's own words: passed on as they are.
  bool is_delegates = false;
};

/// Any exception of the layers below as a CniError. Never throws.
CniError to_cni_error(const std::exception_ptr& failure);

/// The error object that goes to stdout.
/// Format: JSON, 4-space indent, no newline at the end; `cni_version` as given.
/// Source: CNI spec 1.1.0 section 5 "Error".
std::string print_error(const CniError& error, std::string_view cni_version);

}  // namespace shim
