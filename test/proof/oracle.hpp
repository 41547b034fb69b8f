#pragma once
/// Who was told what, kept outside of the store: what must be true of any disk that is found later.
#include <map>
#include <set>
#include <string>
#include <vector>

namespace proof {

/// True when an address is in both.
bool share_one(const std::vector<std::string>& left, const std::vector<std::string>& right);

/// What an attachment was told when its ADD was acknowledged.
struct Told {
  std::string pod;
  std::vector<std::string> addresses;
  bool is_durable = true;   ///< false: by the Go plugin, which flushes nothing
  bool is_retained = true;  ///< false: the pod is not to be bound
};

struct Oracle {
  /// Attachments, by container, that were acknowledged and have not ended.
  std::map<std::string, Told> present;
  /// Those whose end was acknowledged: no file names them any more.
  std::set<std::string> ended;
  /// A killed command was about them: they may be there or not.
  std::set<std::string> unknown;
  /// Whose the containers are or were, that a command was ever about.
  std::map<std::string, std::string> pods;
  /// Attachments whose file somebody has removed.
  std::set<std::string> lost;
  /// Those of them that a command may restore without a flush, as a killed one does.
  std::set<std::string> interrupted;
  /// The Go plugin has removed them, and nobody has flushed that: a DEL that finds nothing cannot
  /// know of it.
  std::set<std::string> unflushed;
  /// The addresses that a pod gets again; several where a command was killed.
  std::map<std::string, std::vector<std::vector<std::string>>> kept;
  /// Pods whose binding a command is about that has not answered.
  std::set<std::string> moving;
  /// Attachments that were told another address while their own file could not be read: both are
  /// theirs.
  std::set<std::string> doubled;
  /// Addresses whose file somebody has left without content.
  std::set<std::string> blank;

  /// The addresses are the container's from now on; who had them before has lost them.
  void tell(const std::string& container, const Told& told);
  /// Other pods lose what they were kept.
  void take(const Told& told);
  void end(const std::string& container);
  /// Nobody knows how far a command about it has come.
  void forget(const std::string& container);
  /// Whether a file may name it.
  [[nodiscard]] bool knows(const std::string& container) const;
  [[nodiscard]] std::uint64_t fingerprint() const;
};

}  // namespace proof
