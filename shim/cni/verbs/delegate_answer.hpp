#pragma once
/// What a delegate's run means in CNI's terms: its error, or its result as the caller gets it.
#include <string>
#include <string_view>
#include <vector>

#include "allocator/address.hpp"
#include "delegate/process.hpp"
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/result/result.hpp"

namespace shim {

/// A delegate that failed. Its code and message are passed on unchanged.
struct DelegateFailure : CniError {
  using CniError::CniError;
  bool has_run = true;  ///< false when it cannot have taken a lease
  bool timed_out = false;
};

/// True for exit code 0 within its limits.
bool succeeded(const delegate::ProcessOutcome& outcome);

/// The error that a failed run is reported with. The Go library's texts; code 0 becomes 999, a
/// time-out 11. `path`: of the program. `patience`: how long was waited.
/// Source: CNI spec 1.1.0 section 5 "Error".
DelegateFailure failure_of(const delegate::ProcessOutcome& outcome, const std::string& path,
                           std::chrono::milliseconds patience);

/// What becomes of a result on its way to the caller.
struct Rewriting {
  std::string_view sent_version;  ///< that the delegate's configuration had
  std::string_view cni_version;   ///< the caller's
  bool keep_interfaces = false;
  const std::vector<allocator::Family>& families;  ///< empty: all, as they come
};

/// The delegate's stdout as a result in the newest form, ready to be printed for the caller.
/// Errors: throws CniError for a text that is no result, one without addresses, or with more than
/// the caller's version can say.
Result usable_result(std::string_view output, const Rewriting& rewriting);

/// The addresses of a result, in order.
std::vector<allocator::Address> addresses_of(const Result& result);

}  // namespace shim
