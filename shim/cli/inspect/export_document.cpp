#include "shim/cli/inspect/export_document.hpp"

#include <nlohmann/json.hpp>
#include <optional>

#include "allocator/store/disk/sha256.hpp"
#include "shim/cli/inspect/networks/object_reader.hpp"
#include "shim/cli/inspect/output/table.hpp"
#include "shim/cli/named_input.hpp"
#include "shim/cli/validate/document/edit.hpp"
#include "shim/cni/protocol/printable.hpp"

namespace shim::inspect {
namespace {

using allocator::store::SurveyedAddress;

constexpr std::string_view kKind = "export";
constexpr const char* kChecksum = "checksum";

/// Where a file reserves the address for nobody that is known, it is kept for its pod all the same.
State exported_state(const SurveyedAddress& one) {
  const bool is_somebodys = one.attachment || (one.binding && one.binding->sequence == 0);
  if (!one.is_in_use || !is_somebodys) return State::held;
  return one.is_dead ? State::dead : State::in_use;
}

/// Who runs on an address that is kept for another pod takes its place in the list: he is there.
std::optional<ExportedBinding> binding_of(const Network& network, const SurveyedAddress& one) {
  ExportedBinding exported{one.address, {}, {}, exported_state(one), 0, 0, {}};
  const Owner owner = network.owner_of(one);
  if (owner.is_known()) {
    exported.pod = owner.key();
    exported.uid = owner.uid;
  } else if (one.binding) {
    exported.pod = one.binding->pod;
    exported.uid = one.binding->uid;
    exported.state = State::held;
  } else {
    return std::nullopt;
  }
  if (one.binding && one.binding->pod == exported.pod) {
    exported.kept = one.binding->kept;
    exported.sequence = one.binding->sequence;
    exported.boot8 = one.binding->boot8;
  }
  return exported;
}

Table make_binding_table() {
  return {{{"address", {}},
           {"namespace", {}},
           {"pod", {}},
           {"interface", {}},
           {"uid", {}},
           {"state", {}},
           {"kept", {}, Shown::always, CellKind::number},
           {"sequence", {}, Shown::always, CellKind::number},
           {"boot", {}}},
          {}};
}

Row cells_of(const ExportedBinding& one) {
  return {one.address.to_string(),
          one.pod.pod_namespace,
          one.pod.pod_name,
          one.pod.ifname,
          one.uid,
          std::string(name_of(one.state)),
          std::to_string(one.kept),
          std::to_string(one.sequence),
          one.boot8};
}

Json network_json(const ExportedNetwork& network) {
  Table table = make_binding_table();
  for (const auto& binding : network.bindings) table.rows.push_back(cells_of(binding));
  Json object = Json::object();
  put(object, "name", network.name);
  put(object, "folder", network.folder);
  put(object, "bindings", items_of(table));
  return object;
}

/// Of the document as it is without it.
std::string checksum_of(const Json& document) {
  const std::string canonical = document.dump(-1, ' ', false, Json::error_handler_t::replace);
  return "sha256:" + allocator::store::sha256_hex(canonical);
}

ExportedBinding read_binding(const ObjectReader& object) {
  const auto address = allocator::Address::parse(object.required("address"));
  if (!address) object.fail("address", "is no address");
  const auto state = parse_state(object.required("state"));
  if (!state) object.fail("state", "is no state");
  return {*address,
          {object.required("namespace"), object.required("pod"), object.required("interface")},
          object.text("uid"),
          *state,
          object.number("kept"),
          object.number("sequence"),
          object.text("boot")};
}

ExportedNetwork read_network(const ObjectReader& object) {
  ExportedNetwork network{object.required("name"), object.text("folder"), {}};
  object.each("bindings",
              [&](const ObjectReader& one) { network.bindings.push_back(read_binding(one)); });
  return network;
}

/// First what it is at all, then whether it is whole: a later version may reckon otherwise.
void refuse_others(const Json& document, const std::string& source) {
  const Json* version = find_member(document, "schemaVersion");
  if (validate::text_member(document, "kind") != kKind || version == nullptr)
    throw UsageError(source +
                     ": is no export of delegated-ipam's; write one with delegated-ipam export, or "
                     "say what it is with --from");
  if (*version != kSchemaVersion)
    throw UsageError(source + ": has the schemaVersion " + cut(version->dump()) + ", and only " +
                     std::to_string(kSchemaVersion) +
                     " is known here; import it with the version that wrote it");
}

}  // namespace

ExportedNode export_of(const Networks& networks, const std::string& node) {
  ExportedNode exported{node, {}, {}};
  for (const auto& network : networks) {
    if (exported.boot8.empty()) exported.boot8 = allocator::boot8_of(network.survey.boot_id);
    ExportedNetwork& one =
        exported.networks.emplace_back(ExportedNetwork{network.name, network.network_dir, {}});
    for (const auto& [address, surveyed] : network.survey.addresses) {
      if (auto binding = binding_of(network, surveyed)) one.bindings.push_back(std::move(*binding));
    }
  }
  return exported;
}

std::string print_export(const ExportedNode& node) {
  Json document = make_document(kKind);
  put(document, "node", text_or_null(node.node));
  put(document, "boot", text_or_null(node.boot8));
  Json networks = Json::array();
  for (const auto& network : node.networks) networks.push_back(network_json(network));
  put(document, "networks", std::move(networks));
  put(document, kChecksum, checksum_of(document));
  return print_document(document, Format::json);
}

ExportedNode read_export(std::string_view text, const std::string& source) {
  Json document;
  try {
    document = parse_json(text);
  } catch (const JsonSyntaxError& error) {
    throw UsageError(source + ": " + error.what() + "; copy the whole file");
  }
  refuse_others(document, source);
  const std::string told(validate::text_member(document, kChecksum));
  document.erase(kChecksum);
  if (told != checksum_of(document))
    throw UsageError(source +
                     ": its checksum is not that of what it says: it was changed or is not whole; "
                     "copy it again, or export the bindings anew");
  const DocumentSource place{source, "export the bindings anew"};
  const ObjectReader object(document, place);
  ExportedNode node{object.text("node"), object.text("boot"), {}};
  object.each("networks",
              [&](const ObjectReader& one) { node.networks.push_back(read_network(one)); });
  return node;
}

ExportedNode read_export_file(const std::string& name) {
  constexpr std::size_t limit = std::size_t{256} << 20;
  return read_export(read_input_text(name, limit), source_name(name));
}

}  // namespace shim::inspect
