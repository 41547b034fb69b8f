# Run by cpack.
if(NOT CPACK_DELEGATED_IPAM_ARCHITECTURE)
  message(FATAL_ERROR "no packages of this build: its compiler makes none of amd64, arm64 and armhf; "
                      "use the executable as it is")
endif()
find_program(PYTHON3 python3 REQUIRED)
set(stage ${CPACK_PACKAGE_DIRECTORY}/stage)
file(REMOVE_RECURSE ${stage})
execute_process(COMMAND ${CMAKE_COMMAND} -E env DESTDIR=${stage} ${CMAKE_COMMAND} --install ${CPACK_DELEGATED_IPAM_BUILD}
                --prefix /usr OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(
  COMMAND ${PYTHON3} ${CPACK_DELEGATED_IPAM_SOURCE}/examples/image/package.py ${stage} ${CPACK_DELEGATED_IPAM_BUILD}
          ${CPACK_DELEGATED_IPAM_OUT} ${CPACK_PACKAGE_VERSION} ${CPACK_DELEGATED_IPAM_ARCHITECTURE}
          ${CPACK_DELEGATED_IPAM_EPOCH}
  COMMAND_ERROR_IS_FATAL ANY)
