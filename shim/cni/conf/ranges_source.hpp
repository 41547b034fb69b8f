#pragma once
/// `rangesFrom`: a node's ranges from a place outside the conflist, so that one conflist serves all
/// nodes.
#include <functional>
#include <string>
#include <vector>

#include "shim/cni/protocol/config_reader.hpp"

namespace shim {

/// Where the ranges of this node are written.
struct RangesSource {
  enum class Kind : std::uint8_t {
    subnet_file,  ///< Flannel's subnet.env, or one CIDR block or span a line
    node_file,    ///< one CIDR block or span a line
    yurthub_node  ///< a Node object in JSON
  };
  Kind kind = Kind::subnet_file;
  /// Files to try, in this order.
  std::vector<std::string> paths;
  /// What the configuration names: a path, or "yurthub".
  std::string name = {};
  /// Whose ranges they are: what was remembered on another node is not this one's.
  std::string node = {};
};

/// Reads the `rangesFrom` object. `own_node_name` is asked for where the configuration names no
/// node.
/// Errors: throws CniError 7 naming the JSON path.
RangesSource read_ranges_source(const ConfigReader& ipam,
                                const std::function<std::string()>& own_node_name);

/// The CIDR blocks (host bits cleared) and spans ("first-last") in a source's text.
/// Errors: throws CniError 11 naming `path` for a text that has none: it may be in the middle of
/// being written.
std::vector<std::string> parse_ranges(RangesSource::Kind kind, const std::string& text,
                                      const std::string& path);

/// NODE_NAME, else the host name.
std::string node_name();

}  // namespace shim
