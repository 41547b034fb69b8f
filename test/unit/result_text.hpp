#pragma once
/// Results and errors as short texts, for tests that compare them.
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"

/// The error text of `action`; "(no error)" when there was none.
inline std::string error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const shim::CniError& error) {
    return error.what();
  }
  return "(no error)";
}

/// The document printed, on one line.
inline std::string one_line(const shim::ResultDocument& document) {
  return shim::Json::parse(shim::print_document(document)).dump();
}

/// A result of version `from`, converted to `to`.
inline std::string converted(const std::string& text, const std::string& from,
                             const std::string& to) {
  return one_line(shim::convert(shim::read_result(text, from), to));
}

/// What a caller of `to` sees of a delegate's answer to a configuration of `from`.
inline std::string delegated(const std::string& text, const std::string& from,
                             const std::string& to) {
  return one_line(shim::convert(shim::newest_form(shim::read_delegate_result(text, from)), to));
}
