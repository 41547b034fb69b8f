// The locale of the static executable's streams: the classic one with what streams of char need.
// libstdc++'s own constructor of std::locale() makes the facets of money, time, messages and
// collation too, for char and wchar_t and in both of its ABIs, whether a program uses them or not,
// and through them comes much of the C library: 400 KB. This one takes its place in the link.
// CMakeLists.txt tries the file with the compiler first.
//
// A facet that is not here is missing as the standard has it: std::use_facet() throws
// std::bad_cast, and a stream gets its badbit. A program that calls std::locale::global() or names
// a locale needs libstdc++'s file with the same constructor, which the linker refuses.
#define _GLIBCXX_USE_CXX11_ABI 0  // the numpunct that num_put looks for
#include <locale>

/// std::locale::_S_twinned_facets: those that each ABI has of its own. Of ours there are none.
extern const std::locale::id* const twinned_facets[] __asm__("_ZNSt6locale17_S_twinned_facetsE");
const std::locale::id* const twinned_facets[] = {nullptr};

/// The classic locale. Never destroyed.
std::locale::_Impl::_Impl(std::size_t facets) throw()
    : _M_refcount(1),
      _M_facets(new const facet*[facets]()),
      _M_facets_size(facets),
      _M_caches(new const facet*[facets]()),
      _M_names(new char* [_S_categories_size] {}) {
  static char name[] = "C";
  _M_names[0] = name;
  _M_init_facet_unchecked(new std::ctype<char>(nullptr, false, 1));
  _M_init_facet_unchecked(new std::codecvt<char, char, std::mbstate_t>(1));
  _M_init_facet_unchecked(new std::numpunct<char>(1));
  _M_init_facet_unchecked(new std::num_get<char>(1));
  _M_init_facet_unchecked(new std::num_put<char>(1));
}

std::locale::locale() throw() : _M_impl(nullptr) {
  static _Impl* const classic = new _Impl(32);  // the numbers of the facets are below it
  _S_classic = _S_global = _M_impl = classic;
  classic->_M_add_reference();
}
