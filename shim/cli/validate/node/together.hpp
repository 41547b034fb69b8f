#pragma once
/// Rules that look at several files, or at what only makes sense beside a network. Pure.
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// What the files say together, once their networks are corrected.
struct Context {
  bool uses_us = false;        ///< somewhere
  bool has_cilium = false;     ///< cilium-cni with our `ipam`, or values in delegated-plugin mode
  const Documents* documents;  ///< all of it
  /// The content of a file that a kind cluster file mounts; nullopt when it is not there.
  std::function<std::optional<std::string>(const std::string& host_path, const File& cluster)>
      mounted;
};

Context make_context(const Documents& documents);

void check_cilium_agent(Part& part, const Context& context, const Report& report);
void check_yurthub(Part& part, const Context& context, const Report& report);
void check_kind(Part& part, const Context& context, const Report& report);
/// What flanneld is told about subnet.env, beside what the conflists say.
void check_flanneld(const Part& part, const Context& context, const Report& report);

/// Networks that get into each other's way.
void check_stores(const Documents& documents, Findings& findings);
/// Nothing of ours anywhere, or not where Cilium's agent waits for it.
void check_use(const Documents& documents, const Context& context, Findings& findings);

}  // namespace shim::validate
