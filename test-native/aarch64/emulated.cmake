# The native tests of another architecture (included by the main CMakeLists.txt): each program is run as a whole by the
# emulator of the toolchain file, without what that cannot do (not-emulated.txt).

# GoogleTest from its sources: distributions have no library of it for another architecture.
set(INSTALL_GTEST OFF)
add_subdirectory(/usr/src/googletest/googletest "${CMAKE_BINARY_DIR}/googletest" EXCLUDE_FROM_ALL)
set_property(TARGET gtest gtest_main PROPERTY COMPILE_OPTIONS -w)

# not_emulated: the names of programs. not_emulated_filter: patterns of tests. Each names something that there is.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/not-emulated.txt")
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/not-emulated.txt" lines REGEX "^[^#]")
foreach(source IN LISTS test_sources)
  file(READ "${source}" text)
  string(APPEND test_text "${source}\n${text}")
endforeach()
foreach(line IN LISTS lines)
  if(NOT line MATCHES "^([A-Za-z0-9_]+)(\\.([A-Za-z0-9_]+|\\*))?: .")
    message(FATAL_ERROR "not-emulated.txt: \"${line}\" is not PATTERN: REASON")
  endif()
  set(name "${CMAKE_MATCH_1}")
  set(test "${CMAKE_MATCH_3}")
  if(test STREQUAL "")
    list(APPEND not_emulated ${name})
    set(expected "/${name}\\.cc\n")
  else()
    string(APPEND not_emulated_filter "${name}.${test}:")
    string(REPLACE "*" "[A-Za-z]+" test "${test}")
    set(expected "TEST_?F?P?\\(${name}, *${test}\\)")
  endif()
  if(NOT test_text MATCHES "${expected}")
    message(FATAL_ERROR "not-emulated.txt: there is no ${line}")
  endif()
endforeach()

function(add_emulated_test name)
  add_test(NAME ${name} COMMAND ${name} "--gtest_filter=-${not_emulated_filter}")
  set_tests_properties(${name} PROPERTIES TIMEOUT 240)
endfunction()
