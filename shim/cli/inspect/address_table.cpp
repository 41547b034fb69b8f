#include "shim/cli/inspect/address_table.hpp"

#include <map>
#include <utility>

namespace shim::inspect {
namespace {

using allocator::Address;
using allocator::store::SurveyedAddress;

/// The boot in which the address was given out, or had its pod last.
std::string boot_of(const SurveyedAddress& one) {
  if (one.stamp && !one.stamp->boot_id.empty()) return allocator::boot8_of(one.stamp->boot_id);
  return one.is_told_by_binding() ? one.binding->boot8 : std::string();
}

void add_note(std::string& notes, std::string_view note) {
  if (!note.empty()) notes.append(notes.empty() ? "" : ", ").append(note);
}

std::string note_of(const Network& network, const SurveyedAddress& one) {
  std::string notes;
  if (is_outside(network, one.address)) add_note(notes, "outside the ranges");
  if (one.is_nested) add_note(notes, "in the nested folder");
  if (one.is_in_use && !one.is_nested && !one.attachment) add_note(notes, "no attachment is named");
  if (one.is_closed) add_note(notes, "its record cannot be read");
  if (allocator::contains(network.survey.set_aside, one.address)) add_note(notes, "set aside");
  return notes;
}

void tell_of_use(const Network& network, const SurveyedAddress& one, Row& row) {
  const Owner owner = network.owner_of(one);
  row[kNamespace] = owner.pod_namespace;
  row[kPod] = owner.pod_name;
  row[kInterface] = owner.ifname;
  row[kUid] = owner.uid;
  row[kNetns] = owner.netns;
  if (one.attachment) row[kContainer] = one.attachment->container_id;
  if (one.is_told_by_binding()) row[kKept] = std::to_string(one.binding->kept);
  row[kBoot] = boot_of(one);
  row[kMac] = network.mac_of(one);
  row[kSince] = since_text(network.survey, row[kBoot]);
  if (const auto ago = boots_ago(network.survey, row[kBoot]))
    row[kSinceBoots] = std::to_string(*ago);
  row[kNote] = note_of(network, one);
}

void tell_of_reservation(const Stretch& stretch, Row& row) {
  if (stretch.pin != nullptr) {
    row[kNamespace] = stretch.pin->pod_namespace;
    row[kPod] = stretch.pin->pod_name;
  }
  row[kNote] = stretch.why;
}

Row begin_row(const Network& network, const std::string& text, State state) {
  Row row(kFields);
  row[kNetwork] = network.name;
  row[kAddress] = text;
  row[kState] = name_of(state);
  return row;
}

bool is_wanted(const AddressFilter& filter, const Row& row, State state) {
  if (filter.state ? state != *filter.state : state == State::free) return false;
  return filter.pod_namespace.empty() || row[kNamespace] == filter.pod_namespace;
}

}  // namespace

std::string since_text(const allocator::store::Survey& survey, const std::string& boot8) {
  if (boot8.empty()) return {};
  const auto ago = boots_ago(survey, boot8);
  if (!ago) return "earlier";
  if (*ago == 0) return "this boot";
  return std::to_string(*ago) + (*ago == 1 ? " boot ago" : " boots ago");
}

Table make_address_table(const Networks& networks) {
  const Shown where = networks.size() > 1 ? Shown::always : Shown::wide;
  Table table;
  table.columns = {
      {"network", "NETWORK", where},
      {"address", "ADDRESS"},
      {"namespace", "NAMESPACE"},
      {"pod", "POD"},
      {"if", "IF"},
      {"state", "STATE"},
      {"kept", "KEPT", Shown::always, CellKind::number},
      {"since", "SINCE"},
      {"sinceBoots", "SINCE-BOOTS", Shown::on_demand, CellKind::number},
      {"container", "CONTAINER", Shown::wide},
      {"uid", "UID", Shown::wide},
      {"netns", "NETNS", Shown::wide},
      {"boot", "BOOT", Shown::wide},
      {"mac", "MAC", Shown::wide},
      {"note", "NOTE", Shown::wide},
  };
  table.name_column = kAddress;
  return table;
}

Row row_of(const Network& network, const Address& address) {
  const State state = state_of(network, address);
  Row row = begin_row(network, address.to_string(), state);
  const SurveyedAddress* one = network.survey.find(address);
  if (one != nullptr) tell_of_use(network, *one, row);
  const auto reservation =
      state == State::reserved ? reservation_of(network, address) : std::nullopt;
  if (reservation) tell_of_reservation(*reservation, row);
  return row;
}

void add_rows(Table& table, const Network& network, const AddressFilter& filter) {
  std::map<Address, Row> rows;
  const auto add = [&](const Address& first, Row row, State state) {
    if (is_wanted(filter, row, state)) rows.emplace(first, std::move(row));
  };
  for (const auto& [address, one] : network.survey.addresses) {
    const State state = state_of(network, one);
    if (state == State::reserved) continue;  // with the others, below
    Row row = begin_row(network, one.address.to_string(), state);
    tell_of_use(network, one, row);
    add(one.address, std::move(row), state);
  }
  for (const auto& stretch : unused_of(network)) {
    Row row = begin_row(network, stretch.to_string(), stretch.state);
    tell_of_reservation(stretch, row);
    add(stretch.first, std::move(row), stretch.state);
  }
  for (auto& [first, row] : rows) table.rows.push_back(std::move(row));
}

}  // namespace shim::inspect
