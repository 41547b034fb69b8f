# What makes a fault of the static executable hard to use, and what that needs of compiler, linker and C library.
# The linker is GNU ld: gold knows no --no-dynamic-linker, without which an executable is no static-pie.
# -fcf-protection is left out: it marks an executable only when every object has the mark, and Debian's libc.a has none.
include(CheckCXXSourceCompiles)
include(CheckLinkerFlag)

target_compile_options(project_options INTERFACE -fPIE -fstack-protector-strong -fstack-clash-protection)
# A libc or compiler that has no level 3 takes it for 2.
target_compile_options(project_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
# An assertion names its function with all its template's arguments: 50 KB of text that file and line tell, too.
target_compile_definitions(project_options INTERFACE _GLIBCXX_ASSERTIONS __PRETTY_FUNCTION__=__func__)
target_link_options(project_options INTERFACE -Wl,-z,relro,-z,now,-z,separate-code,-z,noexecstack)

# 24 bytes a pointer otherwise. Such an executable relocates itself by the C library's code, of 2.36 or newer.
check_linker_flag(CXX -Wl,-z,pack-relative-relocs DELEGATED_IPAM_PACKS_RELOCATIONS)
check_cxx_source_compiles("#include <cstdlib>
#if !defined(__GLIBC__) || !__GLIBC_PREREQ(2, 36)
#error too old
#endif
int main() {}" DELEGATED_IPAM_READS_PACKED_RELOCATIONS)
if(DELEGATED_IPAM_PACKS_RELOCATIONS AND DELEGATED_IPAM_READS_PACKED_RELOCATIONS)
  target_link_options(project_options INTERFACE -Wl,-z,pack-relative-relocs)
endif()
