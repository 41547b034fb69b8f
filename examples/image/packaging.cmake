# What `cmake --install` puts where, and `cpack`: a Debian package and a tarball of this architecture.

# A commit without a tag is packaged as a state on the way to the next version (or behind the last one).
set(package_version ${PROJECT_VERSION})
set(source_date_epoch $ENV{SOURCE_DATE_EPOCH})
function(ask_git variable)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env TZ=UTC ${GIT_EXECUTABLE} ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
                  OUTPUT_VARIABLE answer OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${variable} "${answer}" PARENT_SCOPE)
endfunction()
if(Git_FOUND)
  if(NOT source_date_epoch)
    ask_git(source_date_epoch log -1 --format=%ct)
  endif()
  # To the second, in one time zone: of two commits the later one is the later version to dpkg.
  ask_git(commit log -1 --abbrev=10 --date=format-local:%Y%m%d%H%M%S --format=git%cd.%h)
  ask_git(changed status --porcelain --untracked-files=no)
  ask_git(released tag --list v${PROJECT_VERSION})
  if(commit AND changed)
    string(APPEND commit ".changed")
  endif()
  if(commit AND (changed OR NOT tag STREQUAL "v${PROJECT_VERSION}"))
    if(released)
      set(package_version ${PROJECT_VERSION}+${commit})
    else()
      set(package_version ${PROJECT_VERSION}~${commit})
    endif()
  endif()
endif()
if(NOT commit)
  # No git, no .git, or one of another user's: nothing says that this is what the tag has.
  set(package_version ${PROJECT_VERSION}~unknown)
  message(WARNING "git does not tell the commit of these sources: a package of them is no release, and is named "
                  "${package_version}. Build in a clone that is yours (git log says what is wrong with this one).")
endif()
if(NOT source_date_epoch)
  set(source_date_epoch 0)
endif()

# The plugin where Debian's runtimes look for plugins; under its other name it is the operator's tool.
install(TARGETS delegated-ipam RUNTIME DESTINATION lib/cni)
install(CODE "file(MAKE_DIRECTORY \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin)
file(CREATE_LINK ../lib/cni/delegated-ipam \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/bin/delegated-ipam SYMBOLIC)")
# The units know the plugin by where it was installed to.
install(CODE "foreach(unit systemd/delegated-ipam.service monitoring/delegated-ipam-status.service
        monitoring/delegated-ipam-status.timer)
  file(READ ${CMAKE_SOURCE_DIR}/examples/\${unit} text)
  string(REGEX REPLACE \"/usr/local/lib/delegated-ipam( |\\n)\" \"\${CMAKE_INSTALL_PREFIX}/lib/cni\\\\1\" text \"\${text}\")
  string(REPLACE /usr/local/lib/delegated-ipam/delegated-ipam \${CMAKE_INSTALL_PREFIX}/lib/cni/delegated-ipam text \"\${text}\")
  string(REPLACE \"=/opt/cni/bin/delegated-ipam\" \"=\${CMAKE_INSTALL_PREFIX}/bin/delegated-ipam\" text \"\${text}\")
  get_filename_component(name \${unit} NAME)
  file(WRITE \$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/system/\${name} \"\${text}\")
endforeach()")
install(FILES examples/systemd/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME zz-delegated-ipam.conf)
install(FILES LICENSE DESTINATION share/doc/delegated-ipam)

if(DELEGATED_IPAM_STATIC)
  # Which archives the linker took something from: sbom.py reads it.
  target_link_options(delegated-ipam PRIVATE -Wl,-Map=delegated-ipam.map)
  # A foreign build's: static, so that nothing but the executable can be linked so.
  target_link_options(delegated-ipam PRIVATE ${DELEGATED_IPAM_C_LIBRARY})
  # The man page and the completions are what the tool says of itself.
  find_program(PYTHON3 python3)
  if(PYTHON3)
    set(pages ${CMAKE_BINARY_DIR}/pages)
    add_custom_command(OUTPUT ${pages}/delegated-ipam.8 ${pages}/bash ${pages}/zsh ${pages}/fish
      COMMAND ${CMAKE_COMMAND} -E env SOURCE_DATE_EPOCH=${source_date_epoch} ${PYTHON3}
              ${CMAKE_SOURCE_DIR}/examples/image/pages.py ${pages} ${CMAKE_CROSSCOMPILING_EMULATOR}
              $<TARGET_FILE:delegated-ipam>
      DEPENDS delegated-ipam examples/image/pages.py VERBATIM)
    add_custom_target(pages ALL DEPENDS ${pages}/delegated-ipam.8)
    install(FILES ${pages}/delegated-ipam.8 DESTINATION share/man/man8)
    install(FILES ${pages}/bash DESTINATION share/bash-completion/completions RENAME delegated-ipam)
    install(FILES ${pages}/zsh DESTINATION share/zsh/vendor-completions RENAME _delegated-ipam)
    install(FILES ${pages}/fish DESTINATION share/fish/vendor_completions.d RENAME delegated-ipam.fish)
  endif()
endif()

# CPack's own tarballs have the builder's user in them: package.cmake installs the files, and package.py makes the
# packages of them.
set(CPACK_GENERATOR External)
set(CPACK_PACKAGE_VERSION ${package_version})
set(CPACK_EXTERNAL_PACKAGE_SCRIPT ${CMAKE_SOURCE_DIR}/examples/image/package.cmake)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/cpack)  # its own files; the packages come to:
set(CPACK_DELEGATED_IPAM_OUT ${CMAKE_SOURCE_DIR}/build/packages)
set(CPACK_DELEGATED_IPAM_BUILD ${CMAKE_BINARY_DIR})
set(CPACK_DELEGATED_IPAM_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_DELEGATED_IPAM_EPOCH ${source_date_epoch})
# What the compiler makes, which need not be what the kernel calls its processor.
if(CMAKE_LIBRARY_ARCHITECTURE STREQUAL "x86_64-linux-gnu")
  set(CPACK_DELEGATED_IPAM_ARCHITECTURE amd64)
elseif(CMAKE_LIBRARY_ARCHITECTURE STREQUAL "aarch64-linux-gnu")
  set(CPACK_DELEGATED_IPAM_ARCHITECTURE arm64)
elseif(CMAKE_LIBRARY_ARCHITECTURE STREQUAL "arm-linux-gnueabihf")
  set(CPACK_DELEGATED_IPAM_ARCHITECTURE armhf)
endif()
include(CPack)
