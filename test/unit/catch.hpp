#pragma once
// Debian 12 has Catch2 2.13, newer distributions 3.x: only macros that both have are used.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
