#pragma once
/// The corrected files, and the proof that they are right: what is printed was validated again.
/// Pure, but for what `validation` looks at.
#include <functional>
#include <string>
#include <vector>

#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// Reads the files and applies all rules to them.
using Validation = std::function<Documents(const std::vector<Input>&, Findings&)>;

struct Corrected {
  std::string text;  ///< of all corrected files; with several, each behind "==> NAME <=="
  /// Files that are corrected in part only: somebody has to decide about the rest.
  std::vector<std::string> undecided;
};

/// The corrected files without an error in them: as they are when nothing more is corrected, or
/// after some rounds.
/// `documents` and `findings` are what `validation` made of `inputs`.
Corrected correct(const std::vector<Input>& inputs, const Documents& documents,
                  const Findings& findings, const Validation& validation);

}  // namespace shim::validate
