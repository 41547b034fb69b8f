#pragma once
/// Histories of a world: drawn by lot, replayed, written down, and shortened to what breaks a
/// promise.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "test/proof/world.hpp"

namespace proof {

struct History {
  Setting setting;
  std::vector<Event> events;
};

/// The same for the same seed, on every machine. Each history has some kinds of events only, as
/// what is rare among all of them is frequent there.
History draw_history(std::uint64_t seed, std::size_t events);

struct Failure {
  std::size_t event;  ///< the last one that was needed
  std::string what;   ///< begins with the promise: "P1: ..."
};
/// `counts`: what happened is added to it.
std::optional<Failure> replay(const History& history, World::Counts& counts);

/// A shortest one that breaks the same promise: no event of it can be left out or be made whole.
History shortened(const History& history, const Failure& failure);

/// "ext4 narrow: add 3, add 3 killed 7, power_cut 0/5", which parse_history() reads.
std::string text_of(const History& history);
std::string text_of(const Event& event);
/// Errors: std::invalid_argument names the word.
History parse_history(const std::string& text);

}  // namespace proof
