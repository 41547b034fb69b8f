#include "test/proof/machine.hpp"

namespace proof {

Machine::Machine(std::vector<Model> models) {
  for (const Model model : models) durable.emplace_back(model);
  boot();
}

void Machine::boot() {
  run = Tree();
  namespaces.clear();
  const std::string number = std::to_string(10'000'000 + ++boots);
  boot_id = number + "-aaaa-4bbb-8ccc-000000000001";
}

Machine Machine::booted_from(const Tree& left, const std::vector<Model>& models) const {
  Machine next({});
  next.disk = left;
  for (const Model model : models) next.durable.emplace_back(model, left);
  next.reuses_numbers = reuses_numbers;
  next.free_numbers = free_numbers;
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

void Machine::forget_file(const std::string& folder, const std::string& name) {
  const Id id = disk.lookup(folder);
  if (id == 0) return;
  disk.own(id).entries.erase(name);
  for (auto& one : durable) one.forget(id, name);
}

void Machine::prune() {
  const auto live = disk.reachable();
  for (auto& one : durable) one.prune(live);
  disk.keep_only({kRoot});
  run.keep_only({kRoot});
}

}  // namespace proof
