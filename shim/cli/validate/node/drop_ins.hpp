#pragma once
/// Drop-in plugins among the files that `validate` is given, and beside them.
#include <vector>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cli/validate/document/document.hpp"

namespace shim::validate {

/// Says of each input whether it is a drop-in plugin: its folder has the name of a network whose
/// list lies above, or it is one plugin's object without a name. Adds the files that complete the
/// lists among the inputs and are not named.
void add_drop_ins(allocator::store::FileSystem& fs, std::vector<Input>& inputs);

}  // namespace shim::validate
