#pragma once
/// choose()'s view of a network: its folder, its records, and who is dead. It changes nothing; the
/// lock is held.
#include "allocator/choose.hpp"
#include "allocator/store/add_context.hpp"

namespace allocator::store {

class StoreSnapshot final : public Snapshot {
 public:
  explicit StoreSnapshot(const AddContext& context)
      : session_(context.session),
        network_(session_.network()),
        records_(session_.records()),
        judge_(context.judge) {}

  std::optional<std::string> holder(const Address& address) override {
    return network_.holder(address);
  }
  bool is_in_use(const Address& address) override { return network_.is_in_use(address); }
  bool is_taken(const Address& address) override;
  /// Errors: throws ClosedRecord.
  std::optional<Binding> binding(const Address& address) override;
  std::string describe_use(const Address& address) override;
  bool is_closed(const Address& address) override;
  std::vector<HeldAddress> held() override { return session_.held().all(); }
  bool distrust_held() override { return session_.held().distrust(); }
  std::uint64_t number_of_namespace(const std::string& name) override {
    return store::number_of_namespace(name);
  }
  bool is_dead(const Address& address) override;
  std::vector<Address> in_use_by_age(const RangeSet& set) override;
  bool is_set_aside(const Address& address) override {
    return session_.set_asides().is_refused(address);
  }
  std::vector<Address> set_aside() override { return session_.set_asides().refused(); }
  std::optional<Address> cursor(std::size_t set) override;

 private:
  Session& session_;
  NetworkDir& network_;
  std::optional<RecordFolder>& records_;
  DeathJudge& judge_;
};

}  // namespace allocator::store
