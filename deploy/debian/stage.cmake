# Adds what only a Debian package has to what CPack has collected, before it makes the package: the
# configuration, the copyright, and documents compressed as Debian's policy says (12.1, 12.3, 12.7).
# CPack runs this with its own variables; SOURCE_DATE_EPOCH gives the files their time.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()

set(root ${CPACK_TEMPORARY_DIRECTORY})
set(doc ${root}/usr/share/doc/onceproxy)
set(here ${CPACK_ONCEPROXY_SOURCE}/deploy/debian)
file(COPY ${here}/onceproxy.yaml DESTINATION ${root}/etc/onceproxy)
file(COPY ${here}/copyright DESTINATION ${doc})
# Where Debian's zsh looks for what packages bring.
file(RENAME ${root}/usr/share/zsh/site-functions ${root}/usr/share/zsh/vendor-completions)
# Debian has the license's text itself, and what changed by the name changelog.gz.
file(REMOVE ${doc}/LICENSE)
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc}/changelog.Debian
"onceproxy (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * Version ${CPACK_PACKAGE_VERSION}. changelog.gz tells what is new.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
file(GLOB compressed ${doc}/changelog ${doc}/changelog.Debian ${root}/usr/share/man/man1/*.1)
execute_process(COMMAND gzip -9n ${compressed} COMMAND_ERROR_IS_FATAL ANY)
file(CHMOD_RECURSE ${doc} ${root}/etc FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
     DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

if(DEFINED ENV{SOURCE_DATE_EPOCH})
  execute_process(COMMAND find ${root} -exec touch --no-dereference --date=@$ENV{SOURCE_DATE_EPOCH} {} +
                  COMMAND_ERROR_IS_FATAL ANY)
endif()
