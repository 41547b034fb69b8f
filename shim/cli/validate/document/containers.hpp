#pragma once
/// Manifests that carry a chart's values, or a network's configuration, inside of them: those of
/// Helm's and GitOps' controllers, SriovNetwork, OpenShift's Network. Pure.
#include <deque>
#include <string>
#include <vector>

#include "shim/cli/validate/document/report.hpp"

namespace shim::validate {

/// A document that stands in its manifest as the text of a string.
struct InnerText {
  Json* home;
  Json json;      ///< as corrected
  Json original;  ///< as read
  bool is_yaml;
  std::string member = {};  ///< the member of `json` that the text is; empty: all of it
};
using InnerTexts = std::deque<InnerText>;  // whose elements stay where they are

struct Inner {
  enum class Kind : std::uint8_t { values, network };

  Kind kind;
  Json* json;  ///< in the manifest, or in one of the texts
  std::string pointer;
  std::string chart = {};  ///< of values; empty when nothing says whose they are
};

/// What is inside a manifest of this kind; what cannot be looked at becomes a finding when it has
/// to do with us.
std::vector<Inner> open_container(Json& document, const std::string& kind, InnerTexts& texts,
                                  const Report& report);

/// Puts the corrected texts back.
void write_back(InnerTexts& texts);

/// Keys with dots at the top of values, which Helm reads in --set only, become objects.
void unfold_dotted_keys(Json& values, const Report& report);

}  // namespace shim::validate
