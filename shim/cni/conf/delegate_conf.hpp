#pragma once
/// The configuration of a command whose addresses another IPAM plugin hands out: what is ours, and
/// the document that the plugin is given. Pure but for `rangesFrom`.
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/conf/common_conf.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

struct DelegateConf : CommonConf {
  /// Errors: none; `head` names a plugin.
  explicit DelegateConf(const ConfHead& head) : CommonConf(head), type(head.choice.names.back()) {}

  std::string type;  ///< the plugin's name
  bool keep_interfaces = false;
  std::vector<allocator::Family> families;  ///< empty: all, as they come
  /// The outer configuration with `ipam` replaced by the plugin's own.
  Json document;
  /// The pod's annotation: asked for, and an error when it cannot be had.
  std::vector<allocator::Address> requested;
  /// The caller asks for addresses itself: then none is asked for on the pod's behalf.
  bool caller_requests = false;
  /// What the caller asks for, as far as it is addresses: the plugin reads it itself.
  std::vector<allocator::Address> requested_by_caller;

  [[nodiscard]] bool is_host_local() const { return type == "host-local"; }
  /// host-local's folder for the network; for other plugins what stands for it.
  [[nodiscard]] std::string network_dir() const;
};

/// The whole configuration, for commands that hand out addresses or look at them.
/// Errors: throws CniError 7 for keys of ours, 999 for what is inherited; what the inputs throw.
DelegateConf read_delegate_conf(const Json& document, const ConfHead& head,
                                const ConfInputs& inputs);

/// What can be made out of it, for commands that release: broken keys of ours are left at their
/// defaults, and a host-local that would refuse its ranges is given some that it takes: it frees by
/// container, not by range.
DelegateConf read_delegate_conf_leniently(const Json& document, const ConfHead& head);

/// `document` with `addresses` added to its `args.cni.ips`.
Json with_requested(Json document, const std::vector<allocator::Address>& addresses);

/// Sets the member `key` of an object, in whatever letter case it is there.
void set_member(Json& object, const std::string& key, Json value);
/// Removes the member of an object in every spelling.
void erase_member(Json& object, std::string_view key);

}  // namespace shim
