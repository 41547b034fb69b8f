// A network configuration on stdin. What ADD accepts reads the same after it was written, reads the
// same when only the wanted members are built, and DEL looks for the addresses where ADD put them.
#include <nlohmann/json.hpp>

#include "allocator/error.hpp"
#include "shim/cni/conf/delegate_conf.hpp"
#include "shim/cni/conf/net_conf.hpp"
#include "shim/cni/conf/wanted_members.hpp"
#include "shim/cni/protocol/error.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/conf.hpp"

namespace {

using fuzz::require;
using shim::CniError;
using shim::Json;
using shim::Strictness;

/// A node whose ranges are these, whatever the source is.
shim::ConfInputs inputs() {
  return {"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0",
          [](const auto&, const auto&, const auto&) {
            return std::vector<std::string>{"10.9.0.0/25", "2001:db8:9::/64"};
          }};
}

std::string text_of(const shim::PlacementConf& placement) {
  std::string text = placement.data_dir + "|" + placement.state_dir + "|" + placement.log.file +
                     "|" + placement.log.level + "|" + std::to_string(placement.timeout.count()) +
                     (placement.durability == allocator::store::Durability::full ? " full" : "") +
                     (placement.retain.enabled ? " retained" : "") +
                     (placement.retain.require_same_uid ? " same uid" : "") +
                     (placement.retain_pod ? " this pod" : "");
  for (const auto& glob : placement.retain.exclude) text += " -" + glob;
  return text;
}

std::string text_of(const shim::CommonConf& conf) {
  return conf.name + " " + conf.cni_version + " " + text_of(conf.placement) + " " +
         std::to_string(static_cast<int>(conf.on_duplicate)) +
         std::to_string(static_cast<int>(conf.requests)) + std::to_string(conf.warnings.size());
}

std::string text_of(const shim::NetConf& conf) {
  const auto& allocation = conf.allocation;
  shim::Result routes;
  routes.routes = allocation.routes;
  std::string text = text_of(static_cast<const shim::CommonConf&>(conf)) + " " +
                     test::ranges_text(allocation.sets) + " " + allocation.resolv_conf + " " +
                     test::joined(allocation.requested) + shim::print_result(routes, "1.1.0");
  for (const auto& span : allocation.reservations.excluded)
    text += " -" + span.first.to_string() + "-" + span.last.to_string();
  for (const auto& pin : allocation.reservations.pins)
    text += " " + pin.pod_namespace + "/" + pin.pod_name + "=" + pin.address.to_string();
  return text;
}

std::string text_of(const shim::DelegateConf& conf) {
  return text_of(static_cast<const shim::CommonConf&>(conf)) + " " + conf.type + " " +
         conf.network_dir() + " " + conf.document.dump() + " " + test::joined(conf.requested) +
         " " + test::joined(conf.requested_by_caller);
}

/// What `read` makes of it, or why it does not.
template <class Read>
std::string outcome_of(Read read) {
  std::string text;
  const auto refused = fuzz::refusal<CniError, allocator::Error>([&] { text = read(); });
  return refused ? "refused: " + *refused : text;
}

std::string strict(const Json& document) {
  return outcome_of([&] {
    const auto head = shim::read_head(document, Strictness::strict);
    return head.choice.is_built_in ? text_of(shim::read_net_conf(document, head, inputs()))
                                   : text_of(shim::read_delegate_conf(document, head, inputs()));
  });
}

std::string lenient(const Json& document) {
  return outcome_of([&] {
    const auto head = shim::read_head(document, Strictness::lenient);
    return head.choice.is_built_in ? text_of(shim::read_net_conf_leniently(document, head))
                                   : text_of(shim::read_delegate_conf_leniently(document, head));
  });
}

/// Where the addresses are, and what is kept how.
std::string strict_place(const Json& document) {
  return outcome_of([&] {
    const auto head = shim::read_head(document, Strictness::strict);
    if (head.choice.is_built_in)
      return text_of(shim::read_net_conf(document, head, inputs()).placement);
    const auto conf = shim::read_delegate_conf(document, head, inputs());
    return conf.network_dir() + text_of(conf.placement);
  });
}

std::string lenient_place(const Json& document) {
  return outcome_of([&] {
    const auto head = shim::read_head(document, Strictness::lenient);
    if (head.choice.is_built_in)
      return text_of(shim::read_net_conf_leniently(document, head).placement);
    const auto conf = shim::read_delegate_conf_leniently(document, head);
    return conf.network_dir() + text_of(conf.placement);
  });
}

bool is_built_in(const Json& document) {
  bool answer = false;
  static_cast<void>(fuzz::refusal<CniError>(
      [&] { answer = shim::read_head(document, Strictness::strict).choice.is_built_in; }));
  return answer;
}

void run(std::string_view text) {
  const auto document =
      fuzz::accepted<shim::JsonSyntaxError>([&] { return shim::parse_json(text); });
  if (!document) return;
  const std::string printed = shim::print_json(*document);
  require(shim::parse_json(printed) == *document, "a document is printed as another: " + printed);

  const std::string accepted = strict(*document);
  require(strict(shim::parse_json(printed)) == accepted, "it reads otherwise: " + printed);
  const std::string released = lenient(*document);
  if (!accepted.starts_with("refused: "))
    require(strict_place(*document) == lenient_place(*document), "DEL looks elsewhere than ADD");
  if (!is_built_in(*document)) return;
  require(strict(shim::parse_json(text, shim::wanted_by("ADD"))) == accepted,
          "a member that ADD reads is not wanted");
  require(lenient(shim::parse_json(text, shim::wanted_by("DEL"))) == released,
          "a member that DEL reads is not wanted");
}

const fuzz::Registration kTarget("configuration", &run);

}  // namespace
