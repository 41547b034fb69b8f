# A foreign build with Debian's cross compiler: DELEGATED_IPAM_FOREIGN is arm64 or armhf (the presets release-arm64 and
# release-armhf say which). Foreign libraries come from the sysroot that sysroot.sh makes in the build folder; headers
# that are the same everywhere from the machine.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES DELEGATED_IPAM_FOREIGN)
set(CMAKE_SYSTEM_NAME Linux)
if(DELEGATED_IPAM_FOREIGN STREQUAL "arm64")
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
  set(triplet aarch64-linux-gnu)
  set(emulator qemu-aarch64-static)
elseif(DELEGATED_IPAM_FOREIGN STREQUAL "armhf")
  set(CMAKE_SYSTEM_PROCESSOR armv7l)
  set(triplet arm-linux-gnueabihf)
  set(emulator qemu-arm-static)
else()
  message(FATAL_ERROR "DELEGATED_IPAM_FOREIGN is arm64 or armhf, not \"${DELEGATED_IPAM_FOREIGN}\"")
endif()
set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})
find_program(CMAKE_CROSSCOMPILING_EMULATOR ${emulator})

set(sysroot ${CMAKE_BINARY_DIR}/sysroot)
get_property(trying GLOBAL PROPERTY IN_TRY_COMPILE)
if(NOT trying)
  execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/sysroot.sh ${DELEGATED_IPAM_FOREIGN} ${sysroot}
                  RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "no sysroot for ${DELEGATED_IPAM_FOREIGN}")
  endif()
  set(DELEGATED_IPAM_C_LIBRARY -B${sysroot}/usr/lib/${triplet}/ -L${sysroot}/usr/lib/${triplet})
  # The headers of libmd and libyaml are in the machine's /usr/include as well; these are of the same version.
  set(LIBMD ${sysroot}/usr/lib/${triplet}/libmd.a CACHE FILEPATH "")
  set(LIBYAML ${sysroot}/usr/lib/${triplet}/libyaml.a CACHE FILEPATH "")
  set(Catch2_DIR ${sysroot}/usr/lib/cmake/Catch2 CACHE PATH "")
endif()
