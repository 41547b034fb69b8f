#pragma once
/// Whether somebody had an address in this boot: then the neighbours of a new owner may know it by
/// an old one.
///
/// The binding tells: it has the boot of its pod's last ADD. What is let go without a binding, and
/// what loses its binding, leaves a mark in the run folder. Where either is gone an address
/// counts as unused: that costs the new owner some seconds, never more.
#include <optional>
#include <string>
#include <vector>

#include "allocator/choose.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {

/// True when somebody had the address in the boot with this boot_id, or may have had it.
bool was_used(const Pick& pick, const std::string& boot_id, RunFolder& run);

/// Marks the addresses that no record names any more: those of `freed` whose bindings were not
/// stamped, and those whose bindings the command has ended. `records` may be null.
void remember_use(RunFolder& run, const RecordFolder* records, const std::vector<Address>& freed);

}  // namespace allocator::store
