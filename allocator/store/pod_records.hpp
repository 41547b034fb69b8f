#pragma once
/// The records of the pod that an ADD is for: what it is bound to before, and what becomes of its
/// and of others' bindings. The lock is held; the undo is the record folder's.
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allocator/store/add_context.hpp"
#include "allocator/store/requests.hpp"

namespace allocator::store {

class PodRecords {
 public:
  /// Both must outlive the object.
  PodRecords(const AddContext& context, const AddRequest& request)
      : context_(context), records_(context.session.records()), request_(request) {}

  /// False for an attachment that leaves no binding.
  [[nodiscard]] bool is_bound() const { return request_.owner.is_bound(); }
  /// Reads the pod's bindings anew; none for a pod that is not held.
  void read();
  /// True when the address file of one of them vanished in this boot.
  [[nodiscard]] bool has_lost() const;
  /// The bound addresses that this ADD may inherit, newest first.
  [[nodiscard]] std::vector<Address> inherited() const;

  /// Binds the pod to what it was given, and ends the bindings that gave way. What is in use from
  /// now on without a binding that tells it is marked: nothing else would say so, should somebody
  /// remove the files.
  /// Errors: throws std::system_error, ClosedRecord. A full disk is none for a pod that came back
  /// to its own addresses.
  void write(const std::vector<Pick>& picks);
  /// Tells evictions and changed addresses in the notes.
  void note_changes(const std::vector<Pick>& picks);

 private:
  void read_hint();
  void rebind_to(const PodHint& hint);
  void end_bindings_of_strangers();
  [[nodiscard]] bool is_closed(const Pick& pick);
  void mend_hint(PodHint hint);
  void forget_evicted();
  [[nodiscard]] Binding binding_for(const Pick& pick) const;
  [[nodiscard]] std::vector<Address> still_bound(const std::vector<Address>& chosen) const;
  [[nodiscard]] bool replaces(const Pick& pick, const Address& bound) const;

  AddContext context_;
  std::optional<RecordFolder>& records_;
  const AddRequest& request_;
  std::vector<std::pair<Address, Binding>> bound_;  // verified, newest first
  std::optional<PodHint> hint_;
  bool is_hint_closed_ = false;   // it must not be written over
  bool is_hint_damaged_ = false;  // but it may be replaced
  std::vector<Address> closed_;   // of the hint: the pod's, as far as anybody knows
  std::vector<Pick> picks_;
};

}  // namespace allocator::store
