# The Debian package: `cmake -DHERALD_PACKAGE=ON`, build, `cpack` in the build folder. Its service is not enabled when it
# is installed, since it needs a database and a key first.
set(CMAKE_INSTALL_PREFIX /usr CACHE PATH "" FORCE)
set(CPACK_SET_DESTDIR ON) # for /etc

install(FILES deploy/pgherald.service deploy/pgherald.socket DESTINATION lib/systemd/system)
install(FILES deploy/pgherald.env DESTINATION /etc/pgherald)
install(FILES deploy/debian/copyright docs/OPERATIONS.md docs/PROTOCOL.md docs/SECURITY.md docs/SQL.md CHANGELOG.md
        DESTINATION share/doc/pgherald)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME pgherald)
set(CPACK_PACKAGE_CONTACT "pgherald <pgherald@localhost>")
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "notifications from PostgreSQL to browsers
pgherald pushes notifications that an application stores in PostgreSQL to the
right users' browsers over WebSocket, and writes their reads back.")
# The event library is loaded by name, so that nothing is linked with it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, init-system-helpers, libwebsockets-evlib-uv")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script IN ITEMS postinst prerm postrm conffiles)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/deploy/debian/${script})
endforeach()
include(CPack)
