# Installs what the system reads: units, the system user, the configuration. Run by cmake --install and by CPack, which know
# the prefix. Units name the program by it. The configuration of what is in /usr or /usr/local is in /etc, where the daemon
# looks for it; one that is there already is its administrator's, and stays as it is.
get_filename_component(packaging "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
set(prefix "${CMAKE_INSTALL_PREFIX}")

file(GLOB units "${packaging}/systemd/*.service" "${packaging}/systemd/*.socket")
foreach(unit IN LISTS units)
  get_filename_component(name "${unit}" NAME)
  file(READ "${unit}" text)
  string(REPLACE "/usr/bin/" "${prefix}/bin/" text "${text}")
  set(configured "$ENV{DESTDIR}${prefix}/lib/systemd/system/${name}")
  file(INSTALL DESTINATION "${prefix}/lib/systemd/system" TYPE FILE FILES "${unit}")
  if(NOT prefix STREQUAL "/usr")
    file(WRITE "${configured}" "${text}")
  endif()
endforeach()

foreach(kind IN ITEMS sysusers.d tmpfiles.d)
  file(GLOB files "${packaging}/systemd/${kind}/*.conf")
  if(files)
    file(INSTALL DESTINATION "${prefix}/lib/${kind}" TYPE FILE FILES ${files})
  endif()
endforeach()

set(etc "${prefix}/etc")
if(prefix MATCHES "^/usr(/local)?$")
  set(etc /etc)
endif()
if(EXISTS "$ENV{DESTDIR}${etc}/sendfiled/default.conf")
  message(STATUS "Kept as it is: $ENV{DESTDIR}${etc}/sendfiled/default.conf")
else()
  file(INSTALL DESTINATION "${etc}/sendfiled" TYPE FILE FILES "${packaging}/conf/default.conf")
endif()
