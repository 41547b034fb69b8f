#pragma once
/// The other pods of a node on which one path is damaged.
#include <optional>
#include <string>

#include "test/proof/call_pages.hpp"
#include "test/proof/operations.hpp"

namespace proof {

/// A file, a record, a mark, a namespace that is there: not a folder, not the lock, which all share.
bool is_entry(const Machine& machine, const std::string& path);
/// What one damaged entry answers.
bool is_damage(const Trouble& trouble);
/// The path is of the attachment's own file or namespace, or of its pod's records.
bool is_about(const std::string& path, const std::string& container, const Told& told);

/// What is said where all addresses are in use.
inline constexpr const char* kExhausted = "no IP addresses available";
bool fails_for_good(const std::string& failure);

/// A newcomer comes and goes. What is wrong; nullopt when nothing is.
std::optional<std::string> trouble_with_newcomer(Scene scene, const MemoryDisk::Observer& observer);
/// Who is there has what it had, and can go.
std::optional<std::string> trouble_with_present(Scene scene, const std::string& container,
                                                const MemoryDisk::Observer& observer);

}  // namespace proof
