#include "test/proof/disturbance.hpp"

#include <algorithm>
#include <array>

namespace proof {

const char* name_of(Fault::Reach reach) {
  constexpr std::array<const char*, 3> names = {"once", "on its path", "everywhere"};
  return names.at(static_cast<std::size_t>(reach));
}

Trouble Disturbance::meet(Call call, const std::string& subject) {
  made_.push_back({call, subject});
  return is_hit(call, subject) ? fault_.trouble : Trouble{};
}

bool Disturbance::is_hit(Call call, const std::string& subject) const {
  if (path_) return subject == *path_;
  if (fault_.at == 0 || made_.size() < fault_.at) return false;
  if (made_.size() == fault_.at) return true;
  if (fault_.reach == Fault::Reach::once || call != disturbed().call) return false;
  return fault_.reach == Fault::Reach::same_call || subject == disturbed().subject;
}

void Disturbance::blame(const std::string& what) {
  if (blamed_.empty()) blamed_ = what;
}

bool Disturbance::would_reach_further(Fault::Reach reach) const {
  if (!was_met() || reach == Fault::Reach::once) return false;
  const auto& first = disturbed();
  return std::any_of(made_.begin() + static_cast<std::ptrdiff_t>(fault_.at), made_.end(),
                     [&](const Made& later) {
                       return later.call == first.call &&
                              (reach == Fault::Reach::same_call || later.subject == first.subject);
                     });
}

}  // namespace proof
