#pragma once
/// choose()'s view of a network: its folder, its records, and who is dead. The lock is held.
#include <set>

#include "allocator/choose.hpp"
#include "allocator/store/add_context.hpp"

namespace allocator::store {

class StoreSnapshot final : public Snapshot {
 public:
  /// `sets` must outlive the snapshot.
  StoreSnapshot(const AddContext& context, const RangeSets& sets)
      : sets_(sets),
        session_(context.session),
        network_(session_.network()),
        records_(session_.records()),
        judge_(context.judge) {}

  /// Where the address was in use in this boot and its file vanished, the runtime's cache is asked
  /// first.
  std::optional<std::string> holder(const Address& address) override;
  /// Errors: throws ClosedRecord.
  std::optional<Binding> binding(const Address& address) override;
  std::string describe_use(const Address& address) override;
  bool is_closed(const Address& address) override;
  /// Where address files vanished in the middle of a boot, the runtime's cache is asked first who
  /// of their pods lives.
  std::vector<HeldAddress> held() override;
  bool is_dead(const Address& address) override;
  std::vector<Address> in_use_by_age(const RangeSet& set) override;
  bool is_set_aside(const Address& address) override {
    return session_.set_asides().is_refused(address);
  }
  std::vector<Address> set_aside() override { return session_.set_asides().refused(); }
  std::optional<Address> cursor(std::size_t set) override;

 private:
  const RangeSets& sets_;
  Session& session_;
  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
  DeathJudge& judge_;
  std::set<Address> asked_;  ///< whether they may be lost
};

}  // namespace allocator::store
