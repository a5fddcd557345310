# The Debian package, by CPack: `cpack -G DEB` in the build folder. deploy/release.sh makes it from the
# build that users get. What it holds is told by the install rules and by debian/stage.cmake.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME onceproxy)
set(CPACK_PACKAGE_CONTACT "onceproxy maintainers <maintainers@onceproxy.invalid>" CACHE STRING
    "Whom the Debian package names as its maintainer")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "reverse proxy that lets each operation through once")
set(CPACK_PACKAGE_DESCRIPTION
"Runs in front of an HTTP service that cannot or should not be changed.
Recognizes duplicates of a request by an Idempotency-Key header, or by
fields of the request, and answers them with the first answer instead of
forwarding them, also after a crash. Has one YAML file and an embedded
durable store.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_ONCEPROXY_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_SOURCE_DIR}/debian/stage.cmake)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# The libraries of the program are found by dpkg-shlibdeps, with the versions that it needs.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
# For `ca: system`.
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/debian/conffiles "/etc/onceproxy/onceproxy.yaml\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
    ${CMAKE_CURRENT_SOURCE_DIR}/debian/postinst
    ${CMAKE_CURRENT_SOURCE_DIR}/debian/prerm
    ${CMAKE_CURRENT_SOURCE_DIR}/debian/postrm
    ${CMAKE_CURRENT_BINARY_DIR}/debian/conffiles)
include(CPack)
