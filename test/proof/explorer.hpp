#pragma once
/// Walks through every sequence of operations and every state that a crash leaves of it.
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "test/proof/invariants.hpp"

namespace proof {

struct Limits {
  /// The longest sequence.
  std::size_t operations = 3;
  /// Of so many states of the model weak at one cut, by the length of the sequence, all are looked
  /// at; of more a sample.
  std::array<std::size_t, 3> weak = {4096, 32, 4};
  /// By the length of the sequence, one state in so many is booted, and one filled again; what lies
  /// on the disk is looked at in all. Who was killed is always repeated and met by newcomers.
  std::array<std::uint64_t, 3> booted_one_in = {1, 1, 8};
  std::array<std::uint64_t, 3> whole_one_in = {1, 4, 128};
  /// The longest sequence whose recovery is cut too, and whose killed operations are gone on from.
  std::size_t recovered = 1;
  /// Of the states of the model weak, the recovery of one in so many is cut.
  std::uint64_t weak_recovered_one_in = 64;
};

struct Counts {
  std::array<std::uint64_t, kModels> enumerated{};  ///< states of each model
  std::uint64_t distinct = 0;                       ///< with another tree, or more to be true of it
  std::uint64_t booted = 0;                         ///< of those
  std::uint64_t sequences = 0;
  std::uint64_t merged = 0;   ///< sequences that ended where another one had: gone on from once
  std::uint64_t sampled = 0;  ///< cuts with a sample
  std::uint64_t recoveries = 0;
  std::uint64_t continued = 0;
  /// The same by what a sequence begins with.
  std::map<std::string, std::uint64_t> recoveries_of = {};
  std::map<std::string, std::uint64_t> continued_of = {};
  /// How often an address file had the number of another one that was removed.
  std::uint64_t numbers_met_again = 0;
  [[nodiscard]] std::uint64_t all() const;
};

class Explorer {
 public:
  /// `report`: is given each violation as a line that names the history.
  Explorer(Limits limits, std::function<void(const std::string&)> report)
      : limits_(limits), report_(std::move(report)) {}

  /// Every sequence from `start`. `models`: what one machine is looked at by at a time; with xfs
  /// its inode numbers come again at once.
  void explore(const Start& start, const std::vector<Model>& models);

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  /// A state that was found at a cut, and not looked at yet.
  struct Found {
    Model model;
    std::size_t cut;
    Tree tree;
  };
  struct Killed {
    std::size_t cut;
    Machine machine;
  };
  /// How far an operation has come, while it runs.
  struct Watch;
  /// What was done about a state, and what is left to do when it is met again.
  struct Judged {
    bool is_looked_at = false;
    Depth depth = Depth::disk;
    bool is_gone_on_from = false;
  };
  struct Due {
    bool is_first;
    bool looks;
    bool goes_on;
  };

  [[nodiscard]] static std::uint64_t fingerprint_of(const Scene& scene);
  void explore_from(const Scene& scene, const std::string& history, std::size_t length);
  void watch(Watch& watch, MemoryDisk::Step step);
  /// Runs one operation with cuts everywhere. False when nothing more is to be learned behind it.
  bool run(Scene& scene, const Operation& operation, const std::string& history,
           std::size_t length);
  [[nodiscard]] static Oracle without_moves(const Oracle& oracle);
  [[nodiscard]] static Oracle at_cut(const Oracle& oracle, const Watch& watch, std::size_t cut);
  [[nodiscard]] Due due(std::uint64_t fingerprint, Depth depth, bool goes_on);
  void judge_cuts(const Watch& watch, const Scene& scene, const Oracle& oracle);
  [[nodiscard]] Depth depth_of(std::size_t length, std::uint64_t fingerprint) const;
  [[nodiscard]] bool is_recovery_cut(const Watch& watch, const Found& found) const;
  void judge_kills(const Watch& watch, const Oracle& oracle);
  void judge_answered(Watch& watch, const Scene& scene);
  void cut_recovery(const Machine& before, const Found& found, const Oracle& oracle,
                    const Watch& watch);
  void go_on_from(const Scene& killed, const Watch& watch, std::size_t cut);
  void violation(const std::string& history, Model model, std::size_t cut, const std::string& what);
  [[nodiscard]] bool is_new(std::uint64_t fingerprint);

  Limits limits_;
  std::function<void(const std::string&)> report_;
  Counts counts_;
  std::vector<Model> models_;
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_map<std::uint64_t, Judged> judged_;
  bool is_recovering_ = false;
};

}  // namespace proof
