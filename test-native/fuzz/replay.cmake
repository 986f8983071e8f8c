# What fuzzing adds to the native tests (included by the main CMakeLists.txt): every build replays the corpora; the sanitizer
# build also fuzzes each target for SENDFILED_FUZZ_SECONDS, where there is a clang with libFuzzer.
set(SENDFILED_FUZZ_SECONDS 10 CACHE STRING "Seconds that ctest fuzzes each target; 0: never")
set(fuzz "${CMAKE_CURRENT_LIST_DIR}")

add_library(fuzz_kernel OBJECT "${fuzz}/kernel.c" "${fuzz}/replay.c" "${native}/client/responses.c"
            "${native}/client/events.c")
target_link_libraries(fuzz_kernel PUBLIC test_dispatcher)
target_include_directories(fuzz_kernel PUBLIC "${fuzz}")
file(GLOB fuzz_sources CONFIGURE_DEPENDS "${fuzz}/*_fuzz.c")
foreach(source IN LISTS fuzz_sources)
  get_filename_component(name "${source}" NAME_WE)
  string(REPLACE "_fuzz" "" target "${name}")
  list(APPEND fuzz_targets ${target})
  add_executable(${target}_replay "${source}")
  target_link_libraries(${target}_replay PRIVATE fuzz_kernel)
  add_test(NAME fuzz_replay_${target} COMMAND ${target}_replay "${fuzz}/corpus/${target}")
  set_tests_properties(fuzz_replay_${target} PROPERTIES TIMEOUT 120)
endforeach()

if(NOT SENDFILED_SANITIZE OR SENDFILED_SANITIZE STREQUAL "thread" OR SENDFILED_FUZZ_SECONDS EQUAL 0)
  return()
endif()
find_program(SENDFILED_CLANG NAMES clang-14 clang)
if(SENDFILED_CLANG)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/has_libfuzzer.c" CONTENT
       "#include <stddef.h>\nint LLVMFuzzerTestOneInput(const void *data, size_t size)\n{\n    return !data && size > 0;\n}\n")
  execute_process(COMMAND "${SENDFILED_CLANG}" -fsanitize=fuzzer,address "${CMAKE_BINARY_DIR}/has_libfuzzer.c"
                          -o "${CMAKE_BINARY_DIR}/has_libfuzzer" RESULT_VARIABLE no_libfuzzer OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT SENDFILED_CLANG OR no_libfuzzer)
  message(STATUS "clang with libFuzzer not found: the corpora are replayed, and nothing is fuzzed")
  return()
endif()

include(ExternalProject)
ExternalProject_Add(fuzzers SOURCE_DIR "${fuzz}" BINARY_DIR "${CMAKE_BINARY_DIR}/fuzz" INSTALL_COMMAND ""
                    CMAKE_ARGS -DCMAKE_C_COMPILER=${SENDFILED_CLANG} BUILD_ALWAYS ON USES_TERMINAL_BUILD ON)
foreach(target IN LISTS fuzz_targets)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz/corpus/${target}")
  # What is new to a run stays in the build directory; the corpus in the repository is only read.
  add_test(NAME fuzz_${target}
           COMMAND "${CMAKE_BINARY_DIR}/fuzz/bin/${target}_fuzzer" -max_total_time=${SENDFILED_FUZZ_SECONDS} -timeout=20
                   -print_final_stats=1 -artifact_prefix=${CMAKE_BINARY_DIR}/fuzz/ "${CMAKE_BINARY_DIR}/fuzz/corpus/${target}"
                   "${fuzz}/corpus/${target}")
  set_tests_properties(fuzz_${target} PROPERTIES TIMEOUT 300)
endforeach()
