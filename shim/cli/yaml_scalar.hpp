#pragma once
/// What the words in a YAML text mean to those who read it: Kubernetes' own parsers, which speak
/// YAML 1.1. Pure.
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "shim/cni/protocol/json_text.hpp"

namespace shim {

/// What a word without quotes means: null, a flag, a number, else text.
/// Source: sigs.k8s.io/yaml, goyaml.v2/resolve.go
Json plain_value(const std::string& text);

/// True when the text would be something else without quotes: to the above, or to any other reader.
bool needs_quotes(const std::string& text);

}  // namespace shim
