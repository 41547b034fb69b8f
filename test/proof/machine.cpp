#include "test/proof/machine.hpp"

#include <algorithm>
#include <set>

namespace proof {

Machine::Machine(std::vector<Model> models) {
  for (const Model model : models) durable.emplace_back(model);
  boot();
}

void Machine::boot() {
  run = Tree();
  namespaces.clear();
  inhabited.clear();
  const std::string number = std::to_string(10'000'000 + ++boots);
  boot_id = number + "-aaaa-4bbb-8ccc-000000000001";
}

Machine Machine::booted_from(const Tree& left, const std::vector<Model>& models) const {
  Machine next({});
  next.disk = left;
  for (const Model model : models) next.durable.emplace_back(model, left);
  next.reuses_numbers = reuses_numbers;
  // What was removed may be back, with its number.
  std::set<std::uint64_t> used;
  for (const Id id : left.reachable()) used.insert(left.at(id).number);
  const auto is_used = [&](std::uint64_t number) { return used.count(number) != 0; };
  next.free_numbers = free_numbers;
  std::erase_if(next.free_numbers.files, is_used);
  std::erase_if(next.free_numbers.others, is_used);
  next.damaged = damaged;
  next.next_id = next_id;
  next.next_number = next_number;
  next.boots = boots;
  next.next_namespace = next_namespace;
  next.clock_ns = clock_ns;
  next.boot();
  return next;
}

void Machine::reboot_in_order() {
  for (auto& one : durable) one.settle();
  boot();
}

void Machine::make_namespace(const std::string& path) {
  const std::uint64_t number = next_namespace++;
  namespaces.try_emplace(path, store::NamespaceIdentity{4'026'532'000 + number, number});
}

bool Machine::is_alive(const store::NamespaceIdentity& network_namespace) const {
  const auto is_it = [&](const store::NamespaceIdentity& one) {
    return one.id == network_namespace.id;
  };
  return std::any_of(namespaces.begin(), namespaces.end(),
                     [&](const auto& one) { return is_it(one.second); }) ||
         std::any_of(inhabited.begin(), inhabited.end(), is_it);
}

void Machine::settle() {
  for (auto& one : durable) one = Durable(one.model(), disk);
}

void Machine::free_number(const Inode& inode) {
  const bool is_file = inode.kind == store::FileKind::regular;
  (is_file ? free_numbers.files : free_numbers.others).push_back(inode.number);
}

void Machine::forget_file(const std::string& folder, const std::string& name) {
  const Id id = disk.lookup(folder);
  if (id == 0) return;
  const auto entry = disk.at(id).entries.find(name);
  if (entry == disk.at(id).entries.end()) return;
  const Id gone = entry->second;
  disk.own(id).entries.erase(name);
  if (disk.at(gone).kind != store::FileKind::directory && disk.count_names(gone) == 0)
    free_number(disk.at(gone));
  for (auto& one : durable) one.forget(id, name);
}

void Machine::prune() {
  const auto live = disk.reachable();
  for (auto& one : durable) one.prune(live);
  disk.keep_only({kRoot});
  run.keep_only({kRoot});
}

}  // namespace proof
