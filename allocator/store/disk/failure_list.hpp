#pragma once
/// Failures of a release, which goes on as far as it can: one broken file must not keep the others.
#include <cerrno>
#include <optional>
#include <string>
#include <system_error>

#include "allocator/store/disk/errors.hpp"

namespace allocator::store {

class FailureList {
 public:
  /// Runs `step`; a std::system_error is remembered, anything else passes.
  template <typename Step>
  void attempt(Step step) {
    try {
      step();
    } catch (const std::system_error& error) {
      if (!first_) first_ = error;
      ++count_;
    }
  }

  [[nodiscard]] bool any() const { return first_.has_value(); }

  /// Errors: throws TryAgain with the first failure, if there was one; ReadOnlyDisk where that is
  /// why.
  void raise() const {
    if (!first_) return;
    std::string text = "release: " + std::string(first_->what());
    if (count_ > 1) text += " (and " + std::to_string(count_ - 1) + " more)";
    if (first_->code().value() == EROFS) throw ReadOnlyDisk(text);
    throw TryAgain(text);
  }

 private:
  std::optional<std::system_error> first_;
  std::size_t count_ = 0;
};

}  // namespace allocator::store
