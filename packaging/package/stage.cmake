# Run by CPack before it packs: puts the components where the distribution wants them, strips, compresses, and adds what
# only packages have. CPACK_TEMPORARY_DIRECTORY has one directory for each component.
cmake_minimum_required(VERSION 3.22)
if(NOT CPACK_GENERATOR MATCHES "^(DEB|RPM)$")
  message(FATAL_ERROR "packages are .deb or .rpm: ./dev package, or cpack -G DEB, and not ${CPACK_GENERATOR}")
endif()
set(epoch "$ENV{SOURCE_DATE_EPOCH}")
if(NOT epoch MATCHES "^[0-9]+$")
  message(FATAL_ERROR "SOURCE_DATE_EPOCH is not set: ./dev package sets it, so that two packages of one commit are equal")
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    string(REPLACE ";" " " command "${ARGN}")
    message(FATAL_ERROR "failed: ${command}")
  endif()
endfunction()

set(root "${CPACK_TEMPORARY_DIRECTORY}")
set(programs "${root}/programs")
set(library "${root}/library")
set(development "${root}/development")
set(source "${CPACK_STAGE_SOURCE}/packaging/package")
set(work "${CPACK_TOPLEVEL_DIRECTORY}/stage")

# Debian: lib/ARCHITECTURE; where rpm is used, 64-bit libraries are in lib64.
set(CMAKE_INSTALL_LIBDIR "lib/${CPACK_STAGE_MULTIARCH}")
if(CPACK_GENERATOR STREQUAL "RPM")
  set(CMAKE_INSTALL_LIBDIR lib64)
endif()
foreach(component IN ITEMS library development)
  set(usr "${root}/${component}/usr")
  file(GLOB libraries "${usr}/lib/libsendfiled*" "${usr}/lib/pkgconfig")
  file(MAKE_DIRECTORY "${usr}/${CMAKE_INSTALL_LIBDIR}")
  foreach(file IN LISTS libraries)
    get_filename_component(name "${file}" NAME)
    file(RENAME "${file}" "${usr}/${CMAKE_INSTALL_LIBDIR}/${name}")
  endforeach()
endforeach()
if(CPACK_GENERATOR STREQUAL "RPM")
  file(REMOVE_RECURSE "${library}/usr/lib" "${development}/usr/lib")
  file(GLOB libraries "${library}/usr/lib64/*.so.*.*" "${programs}/usr/lib/sendfiled/*.so")
  run(chmod 755 ${libraries})
endif()
set(SENDFILED_PC_PREFIX /usr)
set(PROJECT_VERSION "${CPACK_PACKAGE_VERSION}")
configure_file("${CPACK_STAGE_SOURCE}/native/client/sendfiled.pc.in"
               "${development}/usr/${CMAKE_INSTALL_LIBDIR}/pkgconfig/sendfiled.pc" @ONLY)

# Symbols of debugging stay in the build; a library needs those by which it is linked.
file(GLOB objects "${programs}/usr/lib/sendfiled/*.so" "${programs}/usr/lib/sendfiled/sendfiled-start"
                  "${library}/usr/${CMAKE_INSTALL_LIBDIR}/libsendfiled.so.*.*")
run("${CPACK_STAGE_STRIP}" --strip-unneeded --remove-section=.comment --remove-section=.note ${objects})
run("${CPACK_STAGE_STRIP}" --strip-debug --enable-deterministic-archives
    "${development}/usr/${CMAKE_INSTALL_LIBDIR}/libsendfiled.a")

file(GLOB_RECURSE pages "${root}/*/usr/share/man/*")
run(gzip -9n ${pages})

# Each package has its licence, and Debian's each their copyright and changelog.
set(names_DEB sendfiled libsendfiled1 libsendfiled-dev)
set(names_RPM sendfiled libsendfiled1 libsendfiled-devel)
foreach(component name IN ZIP_LISTS CPACK_COMPONENTS_ALL names_${CPACK_GENERATOR})
  if(CPACK_GENERATOR STREQUAL "DEB")
    set(documents "${root}/${component}/usr/share/doc/${name}")
    file(COPY "${source}/deb/copyright" DESTINATION "${documents}")
    execute_process(COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C date -u -R -d "@${epoch}" OUTPUT_VARIABLE date
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    file(WRITE "${documents}/changelog.Debian"
         "sendfiled (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n"
         "  * Version ${CPACK_PACKAGE_VERSION}: changelog.gz tells what is new.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
    configure_file("${CPACK_STAGE_SOURCE}/CHANGELOG.md" "${documents}/changelog" COPYONLY)
    file(REMOVE "${documents}/CHANGELOG.md")
    run(gzip -9n "${documents}/changelog.Debian" "${documents}/changelog")
    if(component STREQUAL "programs")
      file(COPY "${source}/deb/lintian-overrides" DESTINATION "${root}/${component}/usr/share/lintian/overrides")
      file(RENAME "${root}/${component}/usr/share/lintian/overrides/lintian-overrides"
                  "${root}/${component}/usr/share/lintian/overrides/${name}")
    endif()
  else()
    file(COPY "${CPACK_STAGE_SOURCE}/LICENSE" DESTINATION "${root}/${component}/usr/share/licenses/${name}")
  endif()
endforeach()

# What programs that are linked with the library depend on: not more than the version that had the last of their functions.
# What it depends on itself is found here, for CPack would call ldconfig beside (the trigger does).
if(CPACK_GENERATOR STREQUAL "DEB")
  file(MAKE_DIRECTORY "${work}/debian")
  file(WRITE "${work}/shlibs" "libsendfiled 1 libsendfiled1 (>= ${CPACK_PACKAGE_VERSION})\n")
  file(WRITE "${work}/debian/control"
       "Source: sendfiled\n\nPackage: libsendfiled1\nArchitecture: ${CPACK_DEBIAN_PACKAGE_ARCHITECTURE}\n")
  execute_process(
    COMMAND dpkg-gensymbols -plibsendfiled1 "-v${CPACK_PACKAGE_VERSION}" "-P${library}" "-I${source}/deb/library/symbols"
            "-O${work}/symbols" -c4
    WORKING_DIRECTORY "${work}" RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "libsendfiled.so exports what packaging/package/deb/library/symbols does not have")
  endif()
  file(GLOB library_file "${library}/usr/${CMAKE_INSTALL_LIBDIR}/libsendfiled.so.*.*")
  execute_process(COMMAND dpkg-shlibdeps ${CPACK_STAGE_LIBRARIES} -O -e "${library_file}" WORKING_DIRECTORY "${work}"
                  OUTPUT_VARIABLE depends OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "dpkg-shlibdeps failed")
  endif()
  string(REPLACE "shlibs:Depends=" "" CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "${depends}")
  list(APPEND CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA "${work}/shlibs" "${work}/symbols")
endif()

run(find "${root}" -exec touch -h -d "@${epoch}" {} +)
