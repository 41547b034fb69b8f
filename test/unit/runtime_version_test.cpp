// Which versions of containerd send no DEL.
#include "shim/cli/change/runtime_version.hpp"

#include "test/unit/catch.hpp"

using shim::change::skips_del;

TEST_CASE("versions of containerd that skip DEL", "[check]") {
  for (const char* version :
       {"v1.6.37", "1.6.39", "v1.7.23", "1.7.24~ds1", "v1.7.30-k3s1", "v2.0.0", "v2.0.7",
        "2.0.0-rc.1", "v2.1.0", "v2.1.6", "2.2.0", "v2.2.1+unknown"}) {
    INFO(version);
    CHECK(skips_del(version));
  }
  for (const char* version : {"v1.6.36", "1.6.20~ds1", "v1.5.40", "v1.7.22", "v1.7.31", "v2.0.8",
                              "v2.1.7", "2.2.2", "v2.3.0", "v3.0.0", "2.1", "2.1.", "v2.x.3", "",
                              "v", "vv2.1.0", "-2.1.0", "99999999999999999999.1.0", "no version"}) {
    INFO(version);
    CHECK_FALSE(skips_del(version));
  }
}
