#pragma once
/// YAML as Kubernetes' files use it, to and from JSON values.
///
/// Comments, and which of its spellings a value was written in, do not survive. libyaml does the
/// syntax; what a plain word means (null, true, a number) is decided here, as YAML 1.2's core
/// schema has it.
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// The text is no YAML that we read. what() is "line L, column C: cause".
struct YamlError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A key that is in one object twice.
struct DuplicateKey {
  std::size_t document = 0;       ///< its index among those that parse_yaml returns
  std::vector<std::string> path;  ///< keys and indices, itself last
  std::string first;              ///< "line L, column C"
  std::string second;
};

/// Reads every document of a stream; empty documents are left out. Of equal keys the last one
/// stays, and `duplicates`, if given, is told.
/// Errors: throws YamlError for bad syntax, keys that are no plain text, an unknown alias, nesting
/// over kMaxJsonDepth, or more than a million values (aliases count each time).
/// Source: YAML 1.2.2 section 10.3.2 (core schema).
std::vector<Json> parse_yaml(std::string_view text,
                             std::vector<DuplicateKey>* duplicates = nullptr);

/// One document in block style, with a newline at the end and without "---". Text of several lines
/// becomes a literal block ("|").
std::string print_yaml(const Json& document);

}  // namespace shim
