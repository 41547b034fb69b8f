#pragma once
/// choose()'s view of a network that was surveyed: what the next ADD would find. Nothing is read,
/// and nothing changed, when it is asked.
#include "allocator/choose.hpp"
#include "allocator/store/survey/survey.hpp"

namespace allocator::store {

class SurveySnapshot final : public Snapshot {
 public:
  /// `ended`: an attachment that is taken to be gone, so that the answer is for the time after its
  /// DEL. `survey` must outlive the object.
  explicit SurveySnapshot(const Survey& survey, std::vector<Attachment> ended = {})
      : survey_(survey), ended_(std::move(ended)) {}

  std::optional<std::string> holder(const Address& address) override;
  bool is_in_use(const Address& address) override;
  bool is_taken(const Address& address) override;
  std::optional<Binding> binding(const Address& address) override;
  std::string describe_use(const Address& address) override;
  bool is_closed(const Address& address) override;
  std::vector<HeldAddress> held() override;
  bool distrust_held() override { return false; }
  std::uint64_t number_of_namespace(const std::string& name) override;
  bool is_dead(const Address& address) override;
  std::vector<Address> in_use_by_age(const RangeSet& set) override;
  bool is_set_aside(const Address& address) override {
    return contains(survey_.set_aside, address);
  }
  std::vector<Address> set_aside() override { return survey_.set_aside; }
  std::optional<Address> cursor(std::size_t set) override;

 private:
  [[nodiscard]] bool holds(const SurveyedAddress& one) const;

  const Survey& survey_;
  std::vector<Attachment> ended_;
};

}  // namespace allocator::store
