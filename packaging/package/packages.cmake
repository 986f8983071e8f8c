# The packages that ./dev package makes with CPack, one for each component of the install rules: sendfiled (programs),
# libsendfiled1 (library), libsendfiled-dev or -devel (development). They hold the files of target/dist, which stage.cmake
# puts where the distribution wants them.
#
# Java is the distribution's, and not one made by jlink inside: its security updates come without us (CONTRIBUTING.md has
# the numbers).

set(CPACK_PACKAGE_NAME sendfiled)
set(CPACK_PACKAGE_VENDOR "The sendfiled developers")
set(CPACK_PACKAGE_CONTACT "${CPACK_PACKAGE_VENDOR} <developers@sendfiled.io>")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://sendfiled.io")
set(CPACK_COMPONENTS_ALL programs library development)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_VERBATIM_VARIABLES ON)
# With DESTDIR, the prefix that install rules see is the one of the installed system.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS ${CMAKE_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
set(CPACK_PRE_BUILD_SCRIPTS "${CMAKE_CURRENT_LIST_DIR}/stage.cmake")

# For stage.cmake: CPack hands on what is called CPACK_.
set(CPACK_STAGE_SOURCE "${CMAKE_CURRENT_SOURCE_DIR}")
set(CPACK_STAGE_STRIP "${CMAKE_STRIP}")
set(CPACK_STAGE_MULTIARCH "${CMAKE_LIBRARY_ARCHITECTURE}")
if(NOT CPACK_STAGE_MULTIARCH)
  set(CPACK_STAGE_MULTIARCH "${CMAKE_SYSTEM_PROCESSOR}-linux-gnu")
endif()

# Of another architecture's libraries, where what they depend on is found here.
if(CMAKE_CROSSCOMPILING)
  set(CPACK_STAGE_LIBRARIES "-l${CMAKE_FIND_ROOT_PATH}/lib")
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS "${CMAKE_FIND_ROOT_PATH}/lib")
endif()

set(about "It opens files for other processes and moves them into their sockets and
pipes by sendfile(2) and splice(2), so that no disk ever stalls their event
loops.")
set(CPACK_COMPONENT_PROGRAMS_DESCRIPTION "file transfer daemon for event loops
${about}
.
This package has the daemon, sendfiled, and its command-line client, sfd.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "client library of the file transfer daemon sendfiled
${about}
.
This package has the shared library by which programs in C talk to it.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION "client library of the file transfer daemon sendfiled (development files)
${about}
.
This package has the headers, the static library, the manual pages of the
functions, and examples.")

# .deb
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(deb_architectures x86_64 amd64 aarch64 arm64)
list(FIND deb_architectures "${CMAKE_SYSTEM_PROCESSOR}" i)
if(i GREATER -1)
  math(EXPR i "${i} + 1")
  list(GET deb_architectures ${i} CPACK_DEBIAN_PACKAGE_ARCHITECTURE)
endif()
set(deb "${CMAKE_CURRENT_LIST_DIR}/deb")

# CPack knows no Multi-Arch before 3.31: the field follows the one before it.
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME sendfiled)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION "net\nMulti-Arch: foreign")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS "default-jre-headless (>= 2:1.17) | java17-runtime-headless, passwd")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_CONTROL_EXTRA "${deb}/postinst;${deb}/prerm;${deb}/postrm;${deb}/triggers;${deb}/conffiles")

set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libsendfiled1)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION "libs\nMulti-Arch: same")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${deb}/library/triggers") # and what stage.cmake makes

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libsendfiled-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION "libdevel\nMulti-Arch: same")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libsendfiled1 (= ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SUGGESTS sendfiled)

# .rpm
set(CPACK_RPM_COMPONENT_INSTALL ON)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE "Apache-2.0 AND MIT") # MIT: the table of media types
set(CPACK_RPM_PACKAGE_RELEASE 1)
set(CPACK_RPM_PACKAGE_ARCHITECTURE "${CMAKE_SYSTEM_PROCESSOR}")
# Directories of the system's.
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION
    /etc/logrotate.d /usr/lib/systemd /usr/lib/systemd/system /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/lib64/pkgconfig
    /usr/share/bash-completion /usr/share/bash-completion/completions /usr/share/zsh /usr/share/zsh/site-functions
    /usr/share/licenses /usr/share/man /usr/share/man/man1 /usr/share/man/man3 /usr/share/man/man5 /usr/share/man/man7
    /usr/share/man/man8)
# Two builds of one commit are equal, and the library of the JVM is nobody else's.
set(CPACK_RPM_SPEC_MORE_DEFINE "%global use_source_date_epoch_as_buildtime 1
%global clamp_mtime_to_source_date_epoch 1
%global _buildhost localhost
%global _build_id_links none
%global packager ${CPACK_PACKAGE_CONTACT}
%global __provides_exclude_from ^/usr/lib/sendfiled/.*$")
set(rpm "${CMAKE_CURRENT_LIST_DIR}/rpm")

set(CPACK_RPM_PROGRAMS_PACKAGE_NAME sendfiled)
set(CPACK_RPM_PROGRAMS_PACKAGE_GROUP "System/Daemons")
set(CPACK_RPM_PROGRAMS_PACKAGE_SUMMARY "File transfer daemon for event loops")
set(CPACK_RPM_PROGRAMS_PACKAGE_REQUIRES "java-headless >= 1:17")
set(CPACK_RPM_PROGRAMS_PACKAGE_REQUIRES_PRE "/usr/sbin/useradd")
set(CPACK_RPM_PROGRAMS_POST_INSTALL_SCRIPT_FILE "${rpm}/post")
set(CPACK_RPM_PROGRAMS_PRE_UNINSTALL_SCRIPT_FILE "${rpm}/preun")
set(CPACK_RPM_PROGRAMS_POST_UNINSTALL_SCRIPT_FILE "${rpm}/postun")
set(CPACK_RPM_PROGRAMS_USER_FILELIST "%license /usr/share/licenses/sendfiled/LICENSE"
                                     "%config(noreplace) /etc/sendfiled/default.conf"
                                     "%config(noreplace) /etc/logrotate.d/sendfiled")

set(CPACK_RPM_LIBRARY_PACKAGE_NAME libsendfiled1)
set(CPACK_RPM_LIBRARY_PACKAGE_GROUP "System/Libraries")
set(CPACK_RPM_LIBRARY_PACKAGE_SUMMARY "Client library of the file transfer daemon sendfiled")
set(CPACK_RPM_LIBRARY_POST_INSTALL_SCRIPT_FILE "${rpm}/ldconfig")
set(CPACK_RPM_LIBRARY_POST_UNINSTALL_SCRIPT_FILE "${rpm}/ldconfig")
set(CPACK_RPM_LIBRARY_USER_FILELIST "%license /usr/share/licenses/libsendfiled1/LICENSE")

set(CPACK_RPM_DEVELOPMENT_PACKAGE_NAME libsendfiled-devel)
set(CPACK_RPM_DEVELOPMENT_PACKAGE_GROUP "Development/Libraries/C and C++")
set(CPACK_RPM_DEVELOPMENT_PACKAGE_SUMMARY "Headers and static library of libsendfiled")
set(CPACK_RPM_DEVELOPMENT_PACKAGE_REQUIRES "libsendfiled1 = ${PROJECT_VERSION}-${CPACK_RPM_PACKAGE_RELEASE}")
set(CPACK_RPM_DEVELOPMENT_USER_FILELIST "%license /usr/share/licenses/libsendfiled-devel/LICENSE")

include(CPack)
